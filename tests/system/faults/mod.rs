//! Whole processes, a writer and a standby, are ended anywhere: by `kill -9` at random and at named points, stopped and
//! woken, cut off from Postgres, which is restarted itself, and from their source. What they leave together is what one
//! that nobody disturbed leaves: both digests are equal.

mod backfill;
mod database;
mod events;
mod indexer;
mod network;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::harness::crowsnest::command;
use crate::harness::scratch::Scratch;
use crate::harness::{eventually, full, passed};
use database::Database;
use events::Past;
use indexer::{Indexer, Places};
use network::Readings;
use stream::Stream;

/// Where a process can be made to end.
const POINTS: [&str; 11] = [
    "before-ledger",
    "after-ledger",
    "after-projection",
    "before-cursor",
    "before-commit",
    "after-commit",
    "before-ack",
    "before-observe",
    "before-snapshot",
    "before-job-settled",
    "after-commit:3",
];
/// A standby that lives takes over in this time.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// How long a process that was told where to end may take to come there.
const TO_THE_POINT: Duration = Duration::from_secs(3);

/// What is done to whoever writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// Ended at a random time; the standby then ends at a named point.
    Kill,
    Stop,
    CutWriter,
    CutSource,
    Restart,
}

impl Fault {
    fn of(n: usize) -> Self {
        let all = [Self::Kill, Self::Stop, Self::CutWriter, Self::CutSource, Self::Restart];
        match n {
            // Each once, at least; then mostly kills.
            0..5 => all[n],
            _ if n.is_multiple_of(6) => all[n / 6 % all.len()],
            _ => Self::Kill,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_wherever_a_process_ends() -> Result<()> {
    let (histories, rounds) = if full() { (70, 72) } else { (12, 6) };
    let seed: u64 = match std::env::var("CROWSNEST_TEST_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) if full() => rand::random::<u32>().into(),
        Err(_) => 1,
    };
    println!("CROWSNEST_TEST_SEED={seed}");
    let scratch = Scratch::new()?;
    let past = Arc::new(Past::new(seed, histories));
    let stream = Arc::new(Stream::start(past.clone()).await?);
    let network =
        network::start(past.clone(), stream.clone(), Arc::new(Readings::new(BTreeSet::new(), usize::MAX))).await?;
    let mut database = Database::start(&scratch).await?;
    let source = format!("ws://{}/subscribe", stream.address);
    let places = Places { database: database.url(), stream: source, network, logs: scratch.folder("logs")? };
    let mut ordeal = Ordeal {
        random: StdRng::seed_from_u64(seed),
        past,
        stream,
        places,
        started: 0,
        ends: BTreeMap::new(),
        slowest: Duration::ZERO,
    };
    let outcome = ordeal.run(&mut database, rounds).await;
    if let Err(error) = &outcome {
        ordeal.show_logs();
        println!("{error:#}, CROWSNEST_TEST_SEED={seed}");
    }
    outcome?;
    passed()
}

/// A run, from the first fault to the comparison.
struct Ordeal {
    random: StdRng,
    past: Arc<Past>,
    stream: Arc<Stream>,
    places: Places,
    started: usize,
    /// How many processes ended in which way.
    ends: BTreeMap<String, usize>,
    slowest: Duration,
}

impl Ordeal {
    async fn run(&mut self, database: &mut Database, rounds: usize) -> Result<()> {
        let began = Instant::now();
        for n in 0..rounds {
            let fault = Fault::of(n);
            self.round(database, n, fault, rounds).await.with_context(|| format!("fault {n}, {fault:?}"))?;
        }
        let kills: usize = self.ends.values().sum();
        println!("{rounds} rounds in {:.0} s, {kills} processes ended: {:?}", began.elapsed().as_secs_f64(), self.ends);
        println!("the slowest take-over: {} ms", self.slowest.as_millis());
        let disturbed = self.settle(database).await?;
        database.renew("undisturbed").await?;
        self.places.database = database.url();
        let undisturbed = self.settle(database).await?;
        ensure!(disturbed == undisturbed, "disturbed:   {disturbed}undisturbed: {undisturbed}");
        println!("{} events leave {}", self.past.events.len(), disturbed.trim());
        Ok(())
    }

    /// A writer that is disturbed, a standby that is ended at a named point, and their heirs.
    async fn round(&mut self, database: &mut Database, n: usize, fault: Fault, rounds: usize) -> Result<()> {
        let share = self.past.events.len().div_ceil(2 * rounds);
        let epoch = database.epoch().await?;
        let mut writer = self.start(None)?;
        database.new_writer(epoch).await.with_context(|| writer.log.display().to_string())?;
        let point = (fault == Fault::Kill).then(|| {
            let point = POINTS[n % POINTS.len()];
            if point.contains(':') { point.to_owned() } else { format!("{point}:{}", self.random.random_range(1..3)) }
        });
        let mut standby = self.start(point.as_deref())?;
        if fault == Fault::Stop {
            let waits = async || Ok(standby.said("standing by").then_some(()));
            eventually("the standby stands by", Duration::from_secs(20), waits).await?;
        }
        self.release(share);
        let pause = Duration::from_millis(self.random.random_range(0..150));
        tokio::time::sleep(pause).await;
        let epoch = database.epoch().await?;
        match fault {
            Fault::Kill => {
                self.kill(&mut writer, "killed").await?;
                self.release(share);
                let how =
                    if standby.ended(TO_THE_POINT).await? { point.unwrap_or_default() } else { "killed".to_owned() };
                let how = how.split(':').next().unwrap_or_default().to_owned();
                self.kill(&mut standby, &how).await?;
            }
            Fault::Stop => {
                writer.signal(Signal::SIGSTOP)?;
                self.release(share);
                self.taken_over(database, epoch).await?;
                writer.signal(Signal::SIGCONT)?;
                let fenced = async || Ok(writer.said("No longer the writer").then_some(()));
                eventually("the old writer notices", Duration::from_secs(20), fenced).await?;
            }
            Fault::CutWriter => {
                database.cut_writer().await?;
                self.release(share);
                self.taken_over(database, epoch).await?;
            }
            Fault::CutSource => {
                self.stream.cut();
                self.release(share);
            }
            Fault::Restart => {
                database.restart().await?;
                self.release(share);
                database.new_writer(epoch).await?;
            }
        }
        database.cursor_is_not_ahead(&self.past.events).await?;
        if fault != Fault::Kill {
            database.caught_up(self.last()).await?;
            self.kill(&mut writer, "killed").await?;
            self.kill(&mut standby, "killed").await?;
            database.cursor_is_not_ahead(&self.past.events).await?;
        }
        Ok(())
    }

    async fn taken_over(&mut self, database: &Database, epoch: i64) -> Result<()> {
        let took = database.new_writer(epoch).await?;
        self.slowest = self.slowest.max(took);
        ensure!(took <= TAKE_OVER, "the take-over took {} ms", took.as_millis());
        Ok(())
    }

    /// One indexer that nobody disturbs reads the stream to its end; what it leaves, in digests.
    async fn settle(&mut self, database: &Database) -> Result<String> {
        self.release(self.past.events.len());
        let indexer = self.start(None)?;
        database.caught_up(self.last()).await?;
        database.jobs_done().await?;
        indexer.stop().await?;
        database.cursor_is_not_ahead(&self.past.events).await?;
        let output = command(&["fingerprint", "--json", "--full", "--database-url", &database.url()]).output().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn start(&mut self, crash_at: Option<&str>) -> Result<Indexer> {
        self.started += 1;
        Indexer::start(&self.places, &format!("indexer-{:03}.log", self.started), crash_at)
    }

    async fn kill(&mut self, indexer: &mut Indexer, how: &str) -> Result<()> {
        *self.ends.entry(how.to_owned()).or_default() += 1;
        indexer.kill().await
    }

    fn release(&self, more: usize) {
        self.stream.release(more, self.past.events.len());
    }

    /// The last event that was let go.
    fn last(&self) -> &events::Event {
        &self.past.events[self.stream.released() - 1]
    }

    /// The ends of the last processes' logs.
    fn show_logs(&self) {
        for n in self.started.saturating_sub(2)..=self.started {
            let log = std::fs::read_to_string(self.places.logs.join(format!("indexer-{n:03}.log"))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("--- the end of indexer {n}'s log\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}
