//! `ingest.lag_p99`: from the moment an event is sent until its rows are committed and seen on another connection.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chrono::Utc;
use service::Health;
use store::{CHANGES_CHANNEL, Connection};
use tokio::{
    sync::watch,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::config;
use crate::{
    jetstream::{Jetstream, encode},
    load,
    mix::Mix,
    report::{Measured, p99},
    server::{Database, Server},
};

/// The bar, in milliseconds.
const LAG: f64 = 100.0;
const EVENTS_A_SECOND: u64 = 1_000;
/// The first seconds are not counted: everyone is new.
const WARM_UP: u64 = 3;
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn measure(server: &Server, seconds: u64) -> Result<Measured> {
    let database = server.database("lag").await?;
    let reference = round_trips(&database).await?;
    let jetstream = Jetstream::start().await?;
    let shutdown = CancellationToken::new();
    let running =
        tokio::spawn(indexer::run(config(&database.url, &jetstream.url()?)?, shutdown.clone(), Health::new()));
    let (sent_to, sent) = watch::channel(None);
    let (sent_at, seen) = tokio::try_join!(send(&jetstream, seconds, sent_to), watch_commits(&database, sent))?;
    shutdown.cancel();
    running.await??;
    let lags: Vec<f64> = lags(&sent_at[(WARM_UP * EVENTS_A_SECOND) as usize..], &seen);
    let (counted, value) = (lags.len(), p99(lags));
    Ok(Measured {
        bench: "ingest.lag_p99",
        value,
        unit: "ms",
        reference: "insert+commit",
        reference_value: reference,
        bars: vec![(format!("under {LAG} ms at {EVENTS_A_SECOND} events/s"), value < LAG)],
        note: format!("{counted} events of the mix, sent to seen; load {}", load()),
    })
}

/// Sends events evenly, and returns when each was sent, in microseconds since 1970, which is also its `time_us`.
async fn send(jetstream: &Jetstream, seconds: u64, done: watch::Sender<Option<i64>>) -> Result<Vec<i64>> {
    let mut stream = timeout(PATIENCE, jetstream.client()).await.context("the indexer does not connect")??;
    let mut mix = Mix::new((Utc::now().timestamp_micros() - 3_600_000_000).unsigned_abs());
    let mut tick = interval(Duration::from_millis(1));
    let (began, mut sent_at): (_, Vec<i64>) = (Instant::now(), Vec::new());
    let mut frame = Vec::new();
    let total = (seconds + WARM_UP) * EVENTS_A_SECOND;
    while (sent_at.len() as u64) < total {
        tick.tick().await;
        // A late tick is made up for.
        let due = (began.elapsed().as_micros() as u64 * EVENTS_A_SECOND / 1_000_000).min(total);
        while (sent_at.len() as u64) < due {
            let commit = mix.commit();
            let now = Utc::now().timestamp_micros().max(sent_at.last().map_or(0, |last| last + 1));
            frame.clear();
            encode(&commit.frame(now), &mut frame);
            stream.send(&frame).await?;
            sent_at.push(now);
        }
    }
    done.send_replace(sent_at.last().copied());
    // The connection stays open until everything was seen.
    done.closed().await;
    Ok(sent_at)
}

/// When which position of the stream was seen: told by a notification, looked up on a connection of its own. The cursor is
/// committed together with the rows of all events up to it.
async fn watch_commits(database: &Database, mut last: watch::Receiver<Option<i64>>) -> Result<Vec<(i64, i64)>> {
    let Connection { client: _listening, mut notifications } = store::listen(&database.url, &[CHANGES_CHANNEL]).await?;
    let statement = database.client.prepare("SELECT max(position) FROM cursor").await?;
    let mut seen = Vec::new();
    loop {
        timeout(PATIENCE, notifications.recv()).await.context("nothing is applied")?.context("no connection")?;
        let position: Option<i64> = database.client.query_one(&statement, &[]).await?.get(0);
        seen.push((position.unwrap_or_default(), Utc::now().timestamp_micros()));
        if last.borrow_and_update().is_some_and(|last| position >= Some(last)) {
            return Ok(seen);
        }
    }
}

/// How many milliseconds passed until each event was seen.
fn lags(sent_at: &[i64], seen: &[(i64, i64)]) -> Vec<f64> {
    let mut seen = seen.iter().peekable();
    let mut lags = Vec::new();
    for sent in sent_at {
        while seen.next_if(|(position, _)| position < sent).is_some() {}
        lags.extend(seen.peek().map(|(_, at)| (at - sent) as f64 / 1_000.0));
    }
    lags
}

/// The reference: the 99th percentile of inserting one row and committing it, in milliseconds.
async fn round_trips(database: &Database) -> Result<f64> {
    database.client.batch_execute("CREATE TABLE public.probe (n bigint)").await?;
    let statement = database.client.prepare("INSERT INTO public.probe VALUES ($1)").await?;
    let mut times = Vec::new();
    for n in 0..2_000i64 {
        let began = Instant::now();
        database.client.execute(&statement, &[&n]).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(p99(times))
}

#[cfg(test)]
mod tests {
    use super::lags;

    #[test]
    fn an_event_is_seen_when_the_cursor_has_passed_it() {
        let seen = [(0, 500), (2_000, 5_000), (2_000, 6_000), (4_000, 9_000)];
        assert_eq!(lags(&[1_000, 2_000, 3_000, 5_000], &seen), [4.0, 3.0, 6.0]);
    }
}
