use service::postgres::testing::TestDatabase;
use store::inbox;
use types::{Put, RecordId, Verification, record_cid};

use super::{Indexer, eventually, network::Network, put, rev, stream::Stream, tag};

const ALICE: &str = "did:plc:alice";

#[tokio::test]
async fn one_writes_and_the_other_stands_by() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let first = Indexer::start(&database, &stream, &network).await;
    eventually("the first one writes", || first.status.is_writing()).await;
    let second = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "x", &tag("a")));
    first.until("SELECT tag FROM tag", &["a"]).await;
    assert!(!second.status.is_writing());
    first.stop().await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "y", &tag("b")));
    second.until("SELECT tag FROM tag ORDER BY tag", &["a", "b"]).await;
    assert!(second.status.is_writing());
    second.stop().await;
}

#[tokio::test]
async fn a_silent_writer_is_replaced_within_five_seconds() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let generation = store::prepare(database.url()).await.unwrap();
    // It holds the lock and says nothing, like a process that is stopped.
    let mut silent = store::Writer::try_acquire(database.url(), generation).await.unwrap().unwrap();
    let began = std::time::Instant::now();
    let indexer = Indexer::start(&database, &stream, &network).await;
    eventually("the standby writes", || indexer.status.is_writing()).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "x", &tag("a")));
    indexer.until("SELECT tag FROM tag", &["a"]).await;
    // The old one comes back to life, and may do nothing any more.
    assert!(silent.apply(types::Batch::new(types::Origin::Stream)).await.is_err());
    // The new one gives signs of life though nothing happens: nobody gets in.
    for _ in 0..4 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert!(store::Writer::try_acquire(database.url(), generation).await.unwrap().is_none());
    }
    indexer.stop().await;
}

#[tokio::test]
async fn who_is_fenced_or_cut_off_stands_back_and_loses_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "x", &tag("a")));
    indexer.until("SELECT tag FROM tag", &["a"]).await;
    indexer.execute("UPDATE writer SET epoch = epoch + 100", &[]).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "y", &tag("b")));
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["a", "b"]).await;
    indexer.until("SELECT epoch FROM writer", &["102"]).await;
    // Postgres throws everyone else out.
    indexer
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
            &[],
        )
        .await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "z", &tag("c")));
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["a", "b", "c"]).await;
    indexer.stop().await;
}

#[tokio::test]
async fn what_others_find_is_applied_at_once() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let leave = async |db: &tokio_postgres::Client, rkey: &str| {
        let did = ALICE.parse().unwrap();
        let id = RecordId { did, collection: types::Collection::Tag, rkey: rkey.parse().unwrap() };
        let record = tag(rkey);
        let (cid, raw) = (record_cid(&record).unwrap(), record.to_string().into_bytes());
        let put = Put::decode(id, rev(1), cid, raw.into(), Verification::Signed);
        inbox::leave(db, &put, None).await.unwrap();
    };
    store::prepare(database.url()).await.unwrap();
    let db = store::connect(database.url(), Some(1)).await.unwrap().client;
    leave(&db, "before").await;
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT tag FROM tag", &["before"]).await;
    leave(&db, "after").await;
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["after", "before"]).await;
    indexer.until("SELECT id FROM inbox", &[]).await;
    indexer.stop().await;
}
