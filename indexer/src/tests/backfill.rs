use service::postgres::testing::TestDatabase;
use store::jobs::{JobKind, enqueue};

use super::{Indexer, eventually, log::Log, network::Network, put, rev, stream::Stream, tag};

const BOB: &str = "did:plc:bob";

#[tokio::test]
async fn a_fresh_index_reads_repositories_that_the_stream_does_not_show() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    for n in 0..5 {
        network.put(BOB, rev(9), "io.atcr.tag", &format!("t{n}"), tag(&format!("v{n}")));
    }
    network.put("did:plc:carol", rev(9), "io.atcr.sailor.profile", "self", serde_json::json!({}));
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["v0", "v1", "v2", "v3", "v4"]).await;
    indexer.until("SELECT did FROM profile", &["did:plc:carol"]).await;
    indexer
        .until("SELECT total || ' ' || done || ' ' || failed FROM backfill WHERE finished_at IS NOT NULL", &["2 2 0"])
        .await;
    indexer.stop().await;
}

#[tokio::test]
async fn a_reading_removes_what_is_gone_and_spares_what_is_newer() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(BOB, rev(1), "io.atcr.tag", "gone", &tag("a")));
    stream.line(&put(BOB, rev(1), "io.atcr.tag", "kept", &tag("b")));
    stream.line(&put(BOB, rev(9), "io.atcr.tag", "newer", &tag("c")));
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["a", "b", "c"]).await;
    network.put(BOB, rev(5), "io.atcr.tag", "kept", tag("b"));
    network.put(BOB, rev(5), "io.atcr.tag", "missed", tag("d"));
    enqueue(&indexer.db, JobKind::Resync, &[BOB.into()]).await.unwrap();
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["b", "c", "d"]).await;
    indexer.until("SELECT state FROM record WHERE rkey = 'gone'", &["deleted"]).await;
    indexer.stop().await;
}

/// Until the first event there is no cursor, however often the source is connected to.
#[tokio::test]
async fn a_source_without_a_cursor_has_repositories_read_once() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    let began = indexer.rows("SELECT started_at FROM backfill").await;
    for connections in 2..5 {
        stream.cut();
        eventually("another connection", || stream.cursors().len() >= connections).await;
    }
    assert_eq!(indexer.rows("SELECT source FROM cursor").await, [""; 0]);
    // Whatever a connection begins is begun before its first event is read.
    stream.line(&put(BOB, rev(1), "io.atcr.tag", "x", &tag("a")));
    indexer.until("SELECT tag FROM tag", &["a"]).await;
    assert_eq!(indexer.rows("SELECT started_at FROM backfill").await, began);
    indexer.stop().await;
}

#[tokio::test]
async fn those_that_cannot_be_read_are_told_in_one_line() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    for name in ["a", "b", "c"] {
        stream.line(&put(&format!("did:plc:{name}"), rev(1), "io.atcr.tag", "x", &tag(name)));
    }
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["a", "b", "c"]).await;
    let (log, _listening) = Log::listen();
    store::backfill::start(&indexer.db).await.unwrap();
    indexer.until("SELECT did FROM unread ORDER BY did", &["did:plc:a", "did:plc:b", "did:plc:c"]).await;
    eventually("the end is told", || log.text().contains("The reading of every repository has ended")).await;
    let text = log.text();
    assert_eq!(text.matches("repositories=3 failed=0 unserved=3").count(), 1, "{text}");
    assert_eq!(text.matches("cannot be read").count(), 0, "{text}");
    indexer.stop().await;
}

/// A list that breaks off proves nothing.
#[tokio::test]
async fn an_account_that_is_not_served_loses_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(BOB, rev(1), "io.atcr.tag", "x", &tag("a")));
    indexer.until("SELECT tag FROM tag", &["a"]).await;
    enqueue(&indexer.db, JobKind::Resync, &[BOB.into()]).await.unwrap();
    indexer.until("SELECT kind FROM job", &[]).await;
    assert!(network.asked("com.atproto.sync.getLatestCommit") > 0);
    indexer.until("SELECT tag FROM tag", &["a"]).await;
    indexer.stop().await;
}

/// A gap that is found late: the network has changed since it was read first.
#[tokio::test]
async fn a_backfill_that_starts_late_reads_what_came_meanwhile() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    stream.line(&put(BOB, rev(1), "io.atcr.tag", "old", &tag("a")));
    indexer.until("SELECT tag FROM tag", &["a"]).await;
    network.put("did:plc:carol", rev(9), "io.atcr.tag", "x", tag("c"));
    // Bob is on no list any more, but known.
    network.put(BOB, rev(9), "io.atcr.tag", "new", tag("b"));
    store::backfill::start(&indexer.db).await.unwrap();
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["b", "c"]).await;
    let done = "SELECT total || ' ' || done || ' ' || failed FROM backfill WHERE finished_at IS NOT NULL";
    indexer.until(done, &["2 2 0"]).await;
    indexer.stop().await;
}

/// What is never read to its end proves nothing about what is missing.
#[tokio::test]
async fn a_repository_that_is_too_large_loses_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start_limited(&database, &stream, &network, 10).await;
    stream.line(&put(BOB, rev(1), "io.atcr.tag", "kept", &tag("kept")));
    indexer.until("SELECT tag FROM tag", &["kept"]).await;
    for n in 0..20 {
        network.put(BOB, rev(9), "io.atcr.tag", &format!("t{n:02}"), tag("t"));
    }
    enqueue(&indexer.db, JobKind::Resync, &[BOB.into()]).await.unwrap();
    let error = "SELECT error LIKE 'more than 10 records%' FROM job WHERE kind = 'resync'";
    indexer.until(error, &["true"]).await;
    assert_eq!(indexer.rows("SELECT count(*) FROM tag WHERE tag = 'kept'").await, ["1"]);
    indexer.stop().await;
}
