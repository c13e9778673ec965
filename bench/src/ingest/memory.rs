//! `ingest.memory`: the most memory that the indexer's process takes while it replays events.

use std::{fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result};
use chrono::Utc;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::NOBODY;
use crate::{
    dice::Dice,
    jetstream::{Jetstream, Stream, encode},
    load,
    mix::foreign,
    report::Measured,
    server::{Database, Server},
};

/// The bar, in megabytes (10^6 bytes).
const MEMORY: f64 = 150.0;
/// Strangers' events that are made once and sent again and again.
const STRANGERS: usize = 20_000;
/// So many events are written at once.
const CHUNK: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(240);

pub async fn measure(server: &Server, crowsnest: &Path, frames: &[String], events: u64) -> Result<Measured> {
    let database = server.database("memory").await?;
    let jetstream = Jetstream::start().await?;
    let mut child = start(crowsnest, &database, &jetstream)?;
    let measured = replay(&database, &jetstream, &child, frames, events).await;
    end(&mut child).await?;
    let (idle, peak, seconds) = measured?;
    Ok(Measured {
        bench: "ingest.memory",
        value: peak,
        unit: "MB",
        reference: "idle",
        reference_value: idle,
        bars: vec![(format!("under {MEMORY} MB while replaying {events} events"), peak < MEMORY)],
        note: format!(
            "peak resident memory; {:.0} events/s of which {} of the mix, {seconds:.0} s; load {}",
            events as f64 / seconds,
            frames.len(),
            load()
        ),
    })
}

fn start(crowsnest: &Path, database: &Database, jetstream: &Jetstream) -> Result<Child> {
    let mut command = Command::new(crowsnest);
    command.args(["indexer", "--database-url", &database.url, "--source", &jetstream.url()?]);
    command.args(["--plc-url", NOBODY, "--relay-url", NOBODY, "--allow-private-network", "--log", "error"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command.spawn().with_context(|| format!("cannot start {}", crowsnest.display()))
}

/// Returns the memory at idle and the most, in MB, and the seconds that the replay took.
async fn replay(
    database: &Database,
    jetstream: &Jetstream,
    child: &Child,
    frames: &[String],
    events: u64,
) -> Result<(f64, f64, f64)> {
    let mut stream = timeout(PATIENCE, jetstream.client()).await.context("the indexer does not connect")??;
    sleep(Duration::from_secs(2)).await;
    let idle = memory(child, "VmRSS:")?;
    let began = Instant::now();
    let last = send(&mut stream, frames, events).await?;
    while position(database).await? < Some(last) {
        anyhow::ensure!(began.elapsed() < LONGEST, "the replay takes longer than {LONGEST:?}");
        sleep(Duration::from_millis(50)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok((idle, memory(child, "VmHWM:")?, seconds))
}

/// Sends the frames of the mix evenly among strangers' events, and returns the position of the last one.
async fn send(stream: &mut Stream, frames: &[String], events: u64) -> Result<i64> {
    let mut dice = Dice::new(11);
    let now = Utc::now().timestamp_micros();
    let strangers: Vec<String> = (0..STRANGERS).map(|_| foreign(&mut dice, now - 7_200_000_000)).collect();
    let chunks = usize::try_from(events)? / CHUNK;
    let mut stranger = strangers.iter().cycle();
    let mut bytes = Vec::new();
    for chunk in 0..chunks {
        let ours = &frames[frames.len() * chunk / chunks..frames.len() * (chunk + 1) / chunks];
        bytes.clear();
        for frame in ours.iter().chain(stranger.by_ref().take(CHUNK.saturating_sub(ours.len()))) {
            encode(frame, &mut bytes);
        }
        timeout(LONGEST, stream.send(&bytes)).await.context("the indexer does not read")??;
    }
    bytes.clear();
    encode(&foreign(&mut dice, now), &mut bytes);
    stream.send(&bytes).await?;
    Ok(now)
}

async fn position(database: &Database) -> Result<Option<i64>> {
    Ok(database.client.query_one("SELECT max(position) FROM cursor", &[]).await?.get(0))
}

/// A line of the process's status, which is in kB, in MB.
fn memory(child: &Child, line: &str) -> Result<f64> {
    let pid = child.id().context("the indexer ended")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.split_whitespace().next()?.parse::<f64>().ok());
    Ok(found.context("/proc does not tell the memory")? * 1_024.0 / 1e6)
}

/// Ends the indexer as an operator would.
async fn end(child: &mut Child) -> Result<()> {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)?;
    }
    timeout(PATIENCE, child.wait()).await.context("the indexer does not end")??;
    Ok(())
}
