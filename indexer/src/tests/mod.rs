//! The whole indexer on a real Postgres, with a stream and a network on loopback.

mod accounts;
mod archive;
mod backfill;
mod bad_input;
mod failover;
mod gaps;
pub mod holds;
mod jobs;
mod log;
mod metrics;
pub mod network;
mod reconcile;
pub mod stream;
mod take_over;
mod verification;
mod verify;
mod whole;

use std::{fmt::Debug, time::Duration};

use chrono::Utc;
use devnet::{Devnet, DevnetConfig};
use futures::TryStreamExt as _;
use outbound::{Outbound, OutboundConfig, Resolver, ResolverConfig};
use serde_json::{Value, json};
use service::{Health, postgres::testing::TestDatabase};
use tokio::{task::JoinHandle, time::sleep};
use tokio_postgres::{Client, types::ToSql};
use tokio_util::sync::CancellationToken;
use types::{Tid, record_cid};
use url::Url;

use crate::{IndexerConfig, IndexerError, IndexerStatus, Timing, run};
use network::Network;
use stream::Stream;

/// A moment after which all times of the tests lie, in microseconds.
pub const EPOCH: u64 = 1_700_000_000_000_000;

/// The revision of a test's n-th moment.
pub fn rev(n: u64) -> Tid {
    Tid::from_micros(EPOCH + n, 0)
}

/// An indexer under test.
pub struct Indexer {
    pub db: Client,
    pub status: IndexerStatus,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), IndexerError>>,
}

impl Indexer {
    pub async fn start(database: &TestDatabase, stream: &Stream, network: &Network) -> Self {
        Self::start_with(database, vec![stream.url.clone()], network, Duration::from_secs(3600)).await
    }

    /// `cursor_interval` is short where cursors have to move though nothing happens.
    pub async fn start_with(
        database: &TestDatabase,
        sources: Vec<Url>,
        network: &Network,
        cursor_interval: Duration,
    ) -> Self {
        Self::start_timed(database, sources, network, |timing| timing.cursor_interval = cursor_interval).await
    }

    /// With another patience than usual.
    pub async fn start_timed(
        database: &TestDatabase,
        sources: Vec<Url>,
        network: &Network,
        time: impl FnOnce(&mut Timing),
    ) -> Self {
        let url = network.url.as_str();
        let sources: Vec<&str> = sources.iter().map(Url::as_str).collect();
        Self::start_configured(database, &sources, (url, url), |config| time(&mut config.timing)).await
    }

    /// One that reads no more than so many records of a repository.
    pub async fn start_limited(database: &TestDatabase, stream: &Stream, network: &Network, most: usize) -> Self {
        let url = network.url.as_str();
        Self::start_configured(database, &[stream.url.as_str()], (url, url), |config| config.most_records = most).await
    }

    /// On a devnet, with another configuration than usual.
    pub async fn start_on(
        database: &TestDatabase,
        devnet: &Devnet,
        configure: impl FnOnce(&mut IndexerConfig),
    ) -> Self {
        let places = devnet.manifest();
        Self::start_configured(database, &[&places.jetstream_v1], (&places.plc, &places.relay), configure).await
    }

    /// From any sources, with the PLC directory and the relay somewhere else.
    pub async fn start_configured(
        database: &TestDatabase,
        sources: &[&str],
        (plc, relay): (&str, &str),
        configure: impl FnOnce(&mut IndexerConfig),
    ) -> Self {
        let generation = store::prepare(database.url()).await.unwrap();
        let outbound = Outbound::new(&OutboundConfig { allow_private_network: true, contact: "test".into() }).unwrap();
        let relay: Url = relay.parse().unwrap();
        let who = ResolverConfig { plc_url: plc.parse().unwrap(), handle_resolver_url: Some(relay.clone()) };
        let resolver = Resolver::new(outbound.clone(), &who).unwrap();
        let sources = sources.iter().map(|url| url.parse().unwrap()).collect();
        let mut config = IndexerConfig::new(database.url().into(), sources, outbound, resolver, relay);
        config.timing = Timing {
            stall: Duration::from_millis(900),
            v2_silence: Duration::from_secs(5),
            probe: Duration::from_millis(50),
            reliable: Duration::from_millis(100),
            backoff: Duration::from_millis(20),
            cursor_interval: Duration::from_secs(3600),
            hold_look: Duration::from_millis(50),
            hold_beat: Duration::from_millis(900),
            ..Timing::default()
        };
        configure(&mut config);
        let (shutdown, status) = (CancellationToken::new(), config.status.clone());
        let running = tokio::spawn(run(config, shutdown.clone(), Health::new()));
        let db = store::connect(database.url(), Some(generation)).await.unwrap().client;
        Self { db, status, shutdown, running }
    }

    /// Ends it as a signal would.
    pub async fn stop(self) -> Client {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
        self.db
    }

    /// The first column of a query's rows, as text.
    pub async fn rows(&self, query: &str) -> Vec<String> {
        let rows = self.db.query(&format!("SELECT x::text FROM ({query}) q (x)"), &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, Option<String>>(0).unwrap_or_default()).collect()
    }

    /// Waits until a query's first column is as expected.
    pub async fn until(&self, query: &str, expected: &[&str]) {
        let mut seen = Vec::new();
        for _ in 0..1_000 {
            seen = self.rows(query).await;
            if seen == expected {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{query}\n gives {seen:?}\n not {expected:?}");
    }

    /// Every event of today's archive.
    pub async fn archived(&self) -> Vec<store::archive::Found> {
        let today = Utc::now().date_naive();
        store::archive::read(&self.db, today.pred_opt().unwrap()..=today, None).try_collect().await.unwrap()
    }

    pub async fn execute(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) {
        self.db.execute(statement, parameters).await.unwrap();
    }
}

/// A devnet with holds alone, in a directory that it needs as long as it runs.
pub async fn devnet() -> (tempfile::TempDir, Devnet) {
    let directory = tempfile::tempdir().unwrap();
    let config = DevnetConfig { content: false, ..DevnetConfig::new(directory.path()) };
    let devnet = Devnet::start(config).await.unwrap();
    (directory, devnet)
}

/// Waits until something is so.
pub async fn eventually(what: impl Debug, mut so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{what:?} never came true");
}

/// A tag record, of whomever it lies with.
pub fn tag(tag: &str) -> Value {
    json!({"$type": "io.atcr.tag", "repository": "app", "tag": tag,
        "manifestDigest": types::Digest::sha256(b"m"), "updatedAt": "2026-01-10T12:00:00Z"})
}

/// A Jetstream line that says that a record stands so.
pub fn put(did: &str, rev: Tid, collection: &str, rkey: &str, record: &Value) -> Value {
    let cid = record_cid(record).unwrap().to_string();
    json!({"did": did, "time_us": Utc::now().timestamp_micros(), "kind": "commit", "commit": {"rev": rev.to_string(),
        "operation": "create", "collection": collection, "rkey": rkey, "record": record, "cid": cid}})
}

/// A Jetstream line that says that a record is gone.
pub fn delete(did: &str, rev: Tid, collection: &str, rkey: &str) -> Value {
    json!({"did": did, "time_us": Utc::now().timestamp_micros(), "kind": "commit", "commit":
        {"rev": rev.to_string(), "operation": "delete", "collection": collection, "rkey": rkey}})
}
