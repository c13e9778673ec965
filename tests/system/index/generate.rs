//! Random histories.

use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::Value;
use types::Hint;

use super::content::{Pen, slot};
use super::history::{ACCOUNTS, Commit, Delivery, History, PAGES, Reading, Slot, Who};

/// The history that a seed and a number stand for.
pub fn history(seed: u64, number: u32) -> History {
    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003) ^ u64::from(number));
    let commits = commits(&mut random, number);
    let mut active = [true; ACCOUNTS];
    active.iter_mut().for_each(|active| *active = random.random_bool(0.93));
    let mut history =
        History { number, commits, readings: Vec::new(), purges: Vec::new(), deliveries: Vec::new(), active };
    if random.random_bool(0.1) {
        let when = random.random_range(1..=history.commits.len() as u64) * 10 + 5;
        history.purges.push((random.random_range(0..ACCOUNTS), when));
    }
    history.readings = readings(&mut random, &history);
    history.deliveries = deliveries(&mut random, &history);
    history
}

fn commits(random: &mut StdRng, number: u32) -> Vec<Commit> {
    let mut written: BTreeMap<(Who, Slot), Vec<Value>> = BTreeMap::new();
    let count = random.random_range(3..32);
    (1..=count)
        .map(|at| {
            // The holds say less than the people.
            let who = *[0, 0, 0, 1, 1, 2, 2, 3, 3, 4].choose(random).expect("not empty");
            let mut ops: BTreeMap<Slot, Option<Value>> = BTreeMap::new();
            for n in 0..*[1, 1, 1, 2, 3, 5].choose(random).expect("not empty") {
                let slot = slot(random, number, who);
                let before = written.entry((who, slot.clone())).or_default();
                let record = match random.random_range(0..10) {
                    0 | 1 if !before.is_empty() => None,
                    // Back to what it was once.
                    2 => before.choose(random).cloned(),
                    _ => {
                        let mut pen = Pen { random: &mut *random, number, who, nonce: at * 8 + n };
                        let record = pen.write(&slot);
                        before.push(record.clone());
                        Some(record)
                    }
                };
                ops.insert(slot, record);
            }
            Commit { at: at * 10, who, ops: ops.into_iter().collect() }
        })
        .collect()
}

fn readings(random: &mut StdRng, history: &History) -> Vec<Reading> {
    let end = history.commits.len() as u64 * 10;
    let mut readings = Vec::new();
    for who in 0..ACCOUNTS {
        for _ in 0..random.random_range(0..3) {
            let at = random.random_range(0..end + 10);
            // A repository without a commit has no revision to read.
            if history.head(who, at).is_none() {
                continue;
            }
            // Mostly nothing happens meanwhile.
            let lasts = if random.random_bool(0.5) { 0 } else { random.random_range(0..60) };
            let mut seen: [u64; PAGES] = std::array::from_fn(|_| at + random.random_range(0..=lasts));
            seen.sort_unstable();
            readings.push(Reading { who, at, seen });
        }
    }
    readings
}

fn deliveries(random: &mut StdRng, history: &History) -> Vec<(Delivery, bool)> {
    // Each with the place in the order that it strives for.
    let mut arriving: Vec<(f64, Delivery)> = Vec::new();
    let late = *[0.0, 30.0, 1e6].choose(random).expect("not empty");
    let mut whole: Vec<usize> = Vec::new();
    for (n, reading) in history.readings.iter().enumerate() {
        let begin = reading.at as f64 + random.random_range(0.0..=late);
        for collection in 0..PAGES {
            let at = begin + (reading.seen[collection] - reading.at) as f64;
            arriving.push((at, Delivery::Page { reading: n, collection }));
        }
        // One that was given up removes nothing.
        if random.random_bool(0.85) {
            let end = begin + (reading.seen[PAGES - 1] - reading.at) as f64 + 0.5;
            arriving.push((end, Delivery::Sweep { reading: n }));
            whole.push(n);
        }
    }
    for commit in &history.commits {
        let read = |n: &&usize| {
            let reading = &history.readings[**n];
            reading.who == commit.who && history.head(reading.who, reading.at) >= Some(commit.at)
        };
        let read = whole.iter().any(|n| read(&n));
        let mut at = || commit.at as f64 + random.random_range(0.0..=late.max(5.0));
        let (first, second) = (at(), at());
        // What a later reading makes good may be lost.
        if !(read && random.random_bool(0.15)) {
            arriving.push((first, Delivery::Commit(commit.at)));
        }
        if random.random_bool(0.3) {
            arriving.push((second, Delivery::Commit(commit.at)));
        }
        if read && random.random_bool(0.1) {
            arriving.push((second, fork(random, history, commit)));
        }
        if random.random_bool(0.1) {
            let slot = commit.ops[0].0.clone();
            let moment = commit.at + random.random_range(0..40);
            arriving.push((moment as f64, Delivery::Found { who: commit.who, slot, at: moment }));
        }
        if random.random_bool(0.08) {
            arriving.push((first, doubt(random)));
        }
    }
    for (who, at) in &history.purges {
        arriving.push((*at as f64 + random.random_range(0.0..=late), Delivery::Purge { who: *who, at: *at }));
    }
    arriving.sort_by(|a, b| a.0.total_cmp(&b.0));
    let joined = random.random_range(0.0..=1.0);
    arriving.into_iter().map(|(_, delivery)| (delivery, random.random_bool(joined))).collect()
}

fn fork(random: &mut StdRng, history: &History, commit: &Commit) -> Delivery {
    let op = random.random_range(0..commit.ops.len());
    let mut pen = Pen { random, number: history.number, who: commit.who, nonce: 7_000 + commit.at };
    Delivery::Fork { at: commit.at, op, record: pen.write(&commit.ops[op].0) }
}

fn doubt(random: &mut StdRng) -> Delivery {
    let who = random.random_range(0..ACCOUNTS);
    let active = random.random_bool(0.5);
    match random.random_range(0..4) {
        0 => Delivery::Look { who, hint: Hint::Identity },
        1 => Delivery::Look { who, hint: Hint::Sync },
        2 => Delivery::Look { who, hint: Hint::Account { active } },
        _ => Delivery::Seen { who, active },
    }
}
