//! Whether what this process read a while ago is still so: what every cache of index rows asks.
//!
//! The writer tells the sequence number of each batch, and a heartbeat; [`follow`] turns them into [`Freshness`]. While
//! nothing is heard, nothing is believed, and everything is read from Postgres.

mod cache;
mod stamps;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

pub use cache::Cache;
use stamps::Stamps;
pub use stamps::{Key, Moment};

use crate::{CHANGES_CHANNEL, Connection, HEARTBEAT_CHANNEL, StoreError, listen};

/// How often the writer shows that changes would be told.
pub const HEARTBEAT: Duration = Duration::from_millis(250);
/// After so long a silence nothing is believed.
const SILENCE: Duration = Duration::from_millis(750);
/// The pause before a lost connection is opened again.
const PAUSE: Duration = Duration::from_millis(200);

/// What has changed since when, as far as this process was told.
#[derive(Debug)]
pub struct Freshness {
    stamps: Stamps,
    began: Instant,
    /// When anything was last heard, in milliseconds after `began`; 0: never.
    heard: AtomicU64,
    /// For those who wait for something to change.
    told: watch::Sender<Told>,
}

/// What was told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How often changes were told, or may have been missed.
    pub times: u64,
    /// Whether nothing more will be told.
    pub over: bool,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            stamps: Stamps::default(),
            began: Instant::now(),
            heard: AtomicU64::new(0),
            told: watch::Sender::default(),
        }
    }
}

impl Freshness {
    /// Now, to be taken before what is to be believed later is read.
    pub fn moment(&self) -> Moment {
        self.stamps.moment()
    }

    /// Whether nothing under these keys has changed since a moment, and we would have heard of it.
    pub fn holds(&self, since: Moment, keys: &[Key]) -> bool {
        self.is_told() && self.stamps.holds(since, keys)
    }

    /// Whether nothing at all has changed since a moment, and we would have heard of it.
    pub fn stands(&self, since: Moment) -> bool {
        self.is_told() && self.stamps.stands(since)
    }

    /// Whether the writer is heard.
    pub fn is_told(&self) -> bool {
        let heard = self.heard.load(Ordering::Acquire);
        heard > 0 && self.now().saturating_sub(heard) < SILENCE.as_millis() as u64
    }

    /// Tells whenever something has changed, whatever it is.
    pub fn told(&self) -> watch::Receiver<Told> {
        self.told.subscribe()
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn hear(&self) {
        self.heard.store(self.now().max(1), Ordering::Release);
    }
}

/// Shows that changes are told: the writer's process calls it every [`HEARTBEAT`].
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn beat(client: &Client) -> Result<(), StoreError> {
    client.execute("SELECT pg_notify($1, '')", &[&HEARTBEAT_CHANNEL]).await?;
    Ok(())
}

/// Keeps a [`Freshness`] up to date until told to stop. A connection that breaks is opened again.
pub async fn follow(url: String, freshness: Arc<Freshness>, over: CancellationToken) {
    follow_until(&url, &freshness, &over).await;
    freshness.told.send_modify(|told| told.over = true);
}

async fn follow_until(url: &str, freshness: &Freshness, over: &CancellationToken) {
    let mut failures = 0u32;
    while !over.is_cancelled() {
        let Some(ended) = over.run_until_cancelled(listen_once(url, freshness)).await else { return };
        if freshness.heard.swap(0, Ordering::AcqRel) > 0 {
            failures = 0;
        }
        failures = failures.saturating_add(1);
        // One line an incident, and none for one that is over at once.
        if failures == 2 {
            let problem = ended.err().map_or_else(|| "the connection was closed".to_owned(), |error| error.to_string());
            tracing::warn!(%problem, "changes of the index are not heard: caches are bypassed");
        }
        over.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}

/// Listens until the connection ends.
async fn listen_once(url: &str, freshness: &Freshness) -> Result<(), StoreError> {
    let Connection { client, mut notifications } = listen(url, &[CHANGES_CHANNEL, HEARTBEAT_CHANNEL]).await?;
    // What changed while nobody listened is not known; from here on it is.
    freshness.stamps.clear();
    freshness.told.send_modify(|told| told.times += 1);
    let mut sequence = Vec::new();
    while let Some(first) = notifications.recv().await {
        let mut next = Some(first);
        while let Some((channel, payload)) = next {
            if channel == CHANGES_CHANNEL {
                sequence.extend(payload.parse::<i64>().ok());
            }
            next = notifications.try_recv().ok();
        }
        if !sequence.is_empty() {
            let rows = client.query("SELECT keys FROM change_log WHERE seq = ANY($1)", &[&sequence]).await?;
            for row in &rows {
                row.get::<_, Vec<&str>>(0).into_iter().for_each(|key| freshness.stamps.change(Key::of(key)));
            }
            sequence.clear();
            freshness.told.send_modify(|told| told.times += 1);
        }
        freshness.hear();
    }
    Ok(())
}
