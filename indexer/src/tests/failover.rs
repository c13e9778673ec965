use std::time::Duration;

use service::postgres::testing::TestDatabase;
use tokio::time::sleep;

use super::{Indexer, eventually, log::Log, network::Network, put, rev, stream::Stream, tag};
use crate::SourceState;

const ALICE: &str = "did:plc:alice";
const COUNT: &str = "SELECT count(*) FROM record WHERE state = 'ok'";

#[tokio::test]
async fn a_source_that_stalls_is_left_and_returned_to_and_nothing_is_lost() {
    let database = TestDatabase::create().await.unwrap();
    let (first, second, network) = (Stream::jetstream().await, Stream::jetstream().await, Network::start().await);
    let sources = vec![first.url.clone(), second.url.clone()];
    let indexer = Indexer::start_with(&database, sources, &network, Duration::from_secs(3600)).await;
    // Both tell the same, as the public ones do.
    let tell = |n: u64| {
        let line = put(ALICE, rev(n), "io.atcr.tag", &format!("t{n}"), &tag("a"));
        first.line(&line);
        second.line(&line);
    };
    let is = |url: &url::Url, state| indexer.status.source(url.as_str()) == Some(state);
    for n in 0..3 {
        tell(n);
    }
    indexer.until(COUNT, &["3"]).await;
    assert!(is(&first.url, SourceState::Connected));
    indexer.until("SELECT state FROM source ORDER BY preference", &["connected", "standby"]).await;

    first.set_mute(true);
    for n in 3..6 {
        tell(n);
    }
    indexer.until(COUNT, &["6"]).await;
    assert!(is(&first.url, SourceState::Stalled) && is(&second.url, SourceState::Connected));
    indexer.until("SELECT state FROM source ORDER BY preference", &["stalled", "connected"]).await;
    // Without its own cursor it began shortly before what the other had seen.
    assert!(second.cursors()[0].is_some_and(|at| at > 60_000_000));

    // While it says nothing it is not gone back to.
    sleep(Duration::from_millis(300)).await;
    assert!(is(&second.url, SourceState::Connected));
    first.set_mute(false);
    let (log, _listening) = Log::listen();
    let mut told = 6;
    while !is(&first.url, SourceState::Connected) {
        tell(told);
        told += 1;
        assert!(told < 600, "never returned");
        sleep(Duration::from_millis(30)).await;
    }
    indexer.until(COUNT, &[&told.to_string()]).await;
    // Going back is good news, and one line.
    let log = log.text();
    assert_eq!((log.matches("Back to a better source").count(), log.matches("WARN").count()), (1, 0), "{log}");
    assert!(first.cursors().last().is_some_and(Option::is_some));
    indexer.stop().await;
}

#[tokio::test]
async fn frames_that_break_off_come_back_late_or_again_change_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    let tell = |n: u64, rkey: &str, name: &str| stream.line(&put(ALICE, rev(n), "io.atcr.tag", rkey, &tag(name)));
    tell(1, "x", "old");
    tell(2, "x", "new");
    tell(1, "y", "only");
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["new", "only"]).await;
    let before = indexer.rows("SELECT encode(sum, 'hex') FROM fingerprint").await;
    // Half a frame is none, and the server goes back by an hour.
    stream.jump_back(3_600_000_000);
    stream.cut_mid_frame();
    eventually("another connection", || stream.cursors().len() > 1).await;
    tell(1, "x", "old");
    tell(5, "z", "last");
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["last", "new", "only"]).await;
    assert_eq!(indexer.rows("SELECT reason FROM reject").await, [""; 0]);
    tell(6, "z", "gone");
    stream.line(&super::delete(ALICE, rev(7), "io.atcr.tag", "z"));
    stream.cut();
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["new", "only"]).await;
    indexer
        .until("SELECT encode(sum, 'hex') FROM fingerprint", &before.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    indexer.stop().await;
}

/// An index that others have brought far, and whose next source takes no time of theirs.
async fn brought_by_others(database: &TestDatabase) {
    store::prepare(database.url()).await.unwrap();
    let db = store::connect(database.url(), Some(1)).await.unwrap().client;
    let hour_ago = chrono::Utc::now().timestamp_micros() - 3_600_000_000;
    let cursor = "INSERT INTO cursor (source, position, safe_time) VALUES ('wss://other.example/subscribe', $1, $1)";
    db.execute(cursor, &[&hour_ago]).await.unwrap();
}

#[tokio::test]
async fn a_source_that_refuses_our_time_is_left_for_the_next() {
    let database = TestDatabase::create().await.unwrap();
    let (first, second, network) = (Stream::without_times().await, Stream::jetstream().await, Network::start().await);
    brought_by_others(&database).await;
    let sources = vec![first.url.clone(), second.url.clone()];
    let indexer = Indexer::start_with(&database, sources, &network, Duration::from_secs(3600)).await;
    indexer.until("SELECT state FROM source ORDER BY preference", &["failed", "connected"]).await;
    second.line(&put(ALICE, rev(1), "io.atcr.tag", "t", &tag("a")));
    indexer.until(COUNT, &["1"]).await;
    // What the first does not have, the second has.
    assert_eq!(indexer.rows("SELECT reason FROM gap").await, [""; 0]);
    assert_eq!(first.cursors().iter().flatten().count(), 1, "it was not asked again and again");
    indexer.stop().await;
}

#[tokio::test]
async fn a_source_that_goes_on_refusing_our_time_is_read_with_one_gap() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::without_times().await, Network::start().await);
    brought_by_others(&database).await;
    network.put(ALICE, rev(1), "io.atcr.tag", "missed", tag("missed"));
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT state FROM source", &["connected"]).await;
    indexer.until("SELECT tag FROM tag", &["missed"]).await;
    indexer.until("SELECT reason FROM gap WHERE repaired_at >= detected_at", &["outdated"]).await;
    let asked: Vec<bool> = stream.cursors().iter().map(Option::is_some).collect();
    assert_eq!(asked, [true, true, true, false]);
    indexer.stop().await;
}
