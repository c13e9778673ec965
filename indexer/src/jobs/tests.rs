//! What jobs hold at once.

use std::time::Duration;

use outbound::{Outbound, OutboundConfig, Resolver, ResolverConfig, pds::PAGE_BYTES};
use service::postgres::testing::TestDatabase;
use store::jobs::{Job, JobKind};
use tokio::{sync::mpsc, time::timeout};
use types::{Batch, Change};

use super::{Context, JobError, deadline::Deadline, resync, verify};
use crate::{
    IndexerConfig,
    budget::WHOLE,
    tenure::Request,
    tests::{network::Network, rev, tag},
};

const ALICE: &str = "did:plc:alice";

/// A context whose writer is the test.
pub async fn context(database: &TestDatabase, network: &Network) -> (Context, mpsc::Receiver<Request>) {
    let generation = store::prepare(database.url()).await.unwrap();
    let outbound = Outbound::new(&OutboundConfig { allow_private_network: true, contact: "test".into() }).unwrap();
    let who = ResolverConfig { plc_url: network.url.clone(), handle_resolver_url: None };
    let resolver = Resolver::new(outbound.clone(), &who).unwrap();
    let config = IndexerConfig::new(database.url().into(), Vec::new(), outbound, resolver, network.url.clone());
    let (writer, requests) = mpsc::channel(1);
    (Context::open(config, generation, writer).await.unwrap(), requests)
}

/// Takes in a batch, as the writer does.
pub async fn applied(requests: &mut mpsc::Receiver<Request>) -> Batch {
    let Request { batch, done } = requests.recv().await.unwrap();
    done.send(()).unwrap();
    batch
}

fn puts(batch: &Batch) -> usize {
    batch.changes.iter().filter(|change| matches!(change, Change::Put(_))).count()
}

#[tokio::test]
async fn a_reading_holds_little_and_waits_with_empty_hands() {
    let (database, network) = (TestDatabase::create().await.unwrap(), Network::start().await);
    for n in 0..8 {
        let mut record = tag("a");
        record["padding"] = "x".repeat(700 << 10).into();
        network.put(ALICE, rev(9), "io.atcr.tag", &format!("t{n}"), record);
    }
    let (context, mut requests) = context(&database, &network).await;
    let deadline = Deadline::after(Duration::from_secs(600));
    let job = Job { id: 1, kind: JobKind::Resync, key: ALICE.into(), attempts: 1, waited: Duration::ZERO };
    let mut reading = Box::pin(resync::read(&context, &job, &deadline));
    // Pages are of two records: two pages are over what a batch may come from.
    let first = tokio::select! { batch = applied(&mut requests) => batch, _ = &mut reading => panic!("no batch") };
    assert_eq!(puts(&first), 4);
    // There is room for one page, but not for a page and what another one left.
    let others = context.budget.try_take(WHOLE - PAGE_BYTES as usize - (1 << 20)).unwrap();
    let mut seen = Vec::new();
    let reading = timeout(Duration::from_secs(30), async {
        loop {
            tokio::select! { batch = applied(&mut requests) => seen.push(puts(&batch)), ended = &mut reading => break ended }
        }
    });
    reading.await.expect("it waits for itself").unwrap();
    assert_eq!(seen.iter().sum::<usize>(), 4, "{seen:?}");
    assert_eq!(seen[0], 2, "{seen:?}");
    drop(others);
    drop(context.budget.try_take(WHOLE).unwrap());
}

#[tokio::test]
async fn a_proof_that_finds_no_room_comes_later() {
    let (database, network) = (TestDatabase::create().await.unwrap(), Network::start().await);
    let (context, _requests) = context(&database, &network).await;
    context
        .store
        .execute(
            "INSERT INTO record (did, collection, rkey, rev, cid, state, decoder, raw, verification)
             SELECT $1, 'io.atcr.tag', n::text, $2, '\\x01551220' || sha256('x'), 'ok', 1, '{}', 'cid-checked'
             FROM generate_series(1, 9) n",
            &[&ALICE, &rev(1).to_string()],
        )
        .await
        .unwrap();
    let job = Job { id: 1, kind: JobKind::Verify, key: ALICE.into(), attempts: 1, waited: Duration::ZERO };
    let others = context.budget.try_take(WHOLE / 2).unwrap();
    assert!(matches!(verify::check(&context, &job).await, Err(JobError::Busy)));
    assert_eq!(network.asked("com.atproto.sync.getRepo"), 0);
    drop(others);
    verify::check(&context, &job).await.unwrap();
    assert_eq!(network.asked("com.atproto.sync.getRepo"), 1);
}
