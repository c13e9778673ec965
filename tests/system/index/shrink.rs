//! The smallest history that still goes wrong.

use anyhow::Result;

use super::differences;
use super::history::{Delivery, History};

/// How many smaller histories are tried: each takes a second or two.
const TRIES: usize = 60;

/// A smaller history than this one that goes wrong too, with what happens in it.
pub async fn smallest(history: &History) -> Result<String> {
    let (mut best, mut wrong) = (history.clone(), differences(history).await?);
    if wrong.is_empty() {
        return Ok("it goes right when it is alone".to_owned());
    }
    let mut tries = 0;
    let mut size = best.commits.len() / 2;
    while size > 0 && tries < TRIES {
        let mut begin = 0;
        while begin < best.commits.len() && tries < TRIES {
            let smaller = without(&best, begin..(begin + size).min(best.commits.len()));
            let found = differences(&smaller).await?;
            tries += 1;
            if found.is_empty() {
                begin += size;
            } else {
                (best, wrong) = (smaller, found);
            }
        }
        size /= 2;
    }
    let commits = best.commits.iter().map(|commit| {
        let ops = commit.ops.iter().map(|(slot, record)| {
            let record = record.as_ref().map_or("gone".to_owned(), ToString::to_string);
            format!("\n    {} {}: {record}", slot.collection, slot.rkey)
        });
        format!("  at {} account {}:{}", commit.at, commit.who, ops.collect::<String>())
    });
    let commits = commits.collect::<Vec<_>>().join("\n");
    let deliveries = best.deliveries.iter().map(|(delivery, joined)| {
        let join = if *joined { "+" } else { " " };
        let reading = match delivery {
            Delivery::Page { reading, .. } | Delivery::Sweep { reading } => format!("{:?}", best.readings[*reading]),
            _ => String::new(),
        };
        format!("  {join} {delivery:?} {reading}")
    });
    let deliveries = deliveries.collect::<Vec<_>>().join("\n");
    Ok(format!("smallest history:\n{commits}\ndelivered:\n{deliveries}\nwrong:\n  {}", wrong.join("\n  ")))
}

/// The history as if some commits had never been made.
fn without(history: &History, commits: std::ops::Range<usize>) -> History {
    let mut smaller = history.clone();
    let gone: Vec<u64> = smaller.commits.drain(commits).map(|commit| commit.at).collect();
    let heads: Vec<bool> =
        smaller.readings.iter().map(|reading| smaller.head(reading.who, reading.at).is_some()).collect();
    smaller.deliveries.retain(|(delivery, _)| match delivery {
        Delivery::Commit(at) | Delivery::Fork { at, .. } => !gone.contains(at),
        Delivery::Page { reading, .. } | Delivery::Sweep { reading } => heads[*reading],
        Delivery::Found { .. } | Delivery::Purge { .. } | Delivery::Look { .. } | Delivery::Seen { .. } => true,
    });
    smaller
}
