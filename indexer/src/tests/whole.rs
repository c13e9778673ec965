use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use service::postgres::testing::TestDatabase;
use tokio_tungstenite::tungstenite::Message;

use super::{Indexer, delete, eventually, network::Network, put, rev, stream::Stream, tag};

const ALICE: &str = "did:plc:alice";
const LEDGER: &str =
    "SELECT rkey || ' ' || state || ' ' || rev FROM record WHERE collection = 'io.atcr.tag' ORDER BY rkey";

fn ledger(rows: &[(&str, &str, u64)]) -> Vec<String> {
    rows.iter().map(|(rkey, state, n)| format!("{rkey} {state} {}", rev(*n))).collect()
}

#[tokio::test]
async fn records_become_what_the_stream_says() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    let put = |n, rkey: &str, record: &serde_json::Value| stream.line(&put(ALICE, rev(n), "io.atcr.tag", rkey, record));
    let delete = |n, rkey: &str| stream.line(&delete(ALICE, rev(n), "io.atcr.tag", rkey));
    put(1, "created", &tag("a"));
    put(1, "updated", &tag("b"));
    put(2, "updated", &tag("c"));
    put(1, "deleted", &tag("d"));
    delete(2, "deleted");
    delete(4, "deleted-first");
    put(3, "deleted-first", &tag("e"));
    put(5, "duplicate", &tag("f"));
    put(5, "duplicate", &tag("f"));
    put(7, "late", &tag("g"));
    put(6, "late", &tag("h"));
    put(1, "spoilt", &tag("i"));
    put(2, "spoilt", &json!({"tag": "no repository"}));
    put(1, "zz-last", &tag("z"));
    let expected = ledger(&[
        ("created", "ok", 1),
        ("deleted", "deleted", 2),
        ("deleted-first", "deleted", 4),
        ("duplicate", "ok", 5),
        ("late", "ok", 7),
        ("spoilt", "invalid", 2),
        ("updated", "ok", 2),
        ("zz-last", "ok", 1),
    ]);
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    indexer.until(LEDGER, &expected).await;
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["a", "c", "f", "g", "z"]).await;
    indexer.stop().await;
}

#[tokio::test]
async fn what_is_no_event_is_kept_and_the_stream_goes_on() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.message(i64::MAX, Message::text("{"));
    let mut lie = put(ALICE, rev(1), "io.atcr.tag", "lie", &tag("a"));
    lie["commit"]["record"]["tag"] = json!("b");
    stream.line(&lie);
    let nameless = put("alice", rev(1), "io.atcr.tag", "x", &tag("a"));
    stream.line(&nameless);
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "fine", &tag("z")));
    let ledger = "SELECT rkey || ' ' || state || ' ' || verification FROM record ORDER BY rkey";
    indexer.until(ledger, &["fine ok cid-checked", "lie invalid mismatch"]).await;
    indexer.until("SELECT tag FROM tag", &["z"]).await;
    indexer.until("SELECT reason FROM reject ORDER BY reason", &["bad_envelope", "bad_name", "cid_mismatch"]).await;
    // The record that cannot be believed is looked up where it comes from.
    eventually("a reading of the repository", || network.asked("com.atproto.sync.getLatestCommit") > 0).await;
    indexer.stop().await;
}

#[tokio::test]
async fn a_cut_loses_nothing_and_the_cursor_moves_with_the_data() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    let mut last = 0;
    for n in 0..200u64 {
        let line = put(ALICE, rev(n), "io.atcr.tag", &format!("t{n}"), &tag("a"));
        last = line["time_us"].as_i64().unwrap();
        stream.line(&line);
        if n % 50 == 49 {
            // Before anything is applied a connection rightly begins again at the oldest.
            indexer.until("SELECT count(*) > 0 FROM cursor", &["true"]).await;
            stream.cut();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    indexer.until("SELECT count(*) FROM record", &["200"]).await;
    indexer.until("SELECT position FROM cursor", &[&last.to_string()]).await;
    let cursors = stream.cursors();
    assert!(cursors.len() >= 2, "{cursors:?}");
    // A fresh index asks for all there is, later connections for what came a little before the cursor.
    assert_eq!(cursors[0], Some(1));
    assert!(cursors[1..].iter().all(|cursor| cursor.is_some_and(|at| at > last - 60_000_000)), "{cursors:?}");
    indexer.stop().await;
    // The next life goes on where this one ended. A slow machine may find the stream silent, and connect once more later.
    let connections = stream.cursors().len();
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(ALICE, rev(300), "io.atcr.tag", "later", &tag("a")));
    indexer.until("SELECT count(*) FROM record", &["201"]).await;
    assert_eq!(stream.cursors()[connections], Some(last - 5_000_000));
    indexer.stop().await;
}

#[tokio::test]
async fn dropped_events_move_the_cursor_and_leave_nothing_else() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start_with(&database, vec![stream.url.clone()], &network, Duration::from_millis(100)).await;
    let time = Utc::now().timestamp_micros();
    stream.line(&json!({"did": "did:plc:stranger", "time_us": time, "kind": "identity", "identity": {}}));
    indexer.until("SELECT position FROM cursor", &[&time.to_string()]).await;
    indexer.until("SELECT safe_time FROM cursor", &[&time.to_string()]).await;
    // A clock that is ahead does not carry the cursor along.
    stream.line(&json!({"did": "did:plc:stranger", "time_us": time + 3_600_000_000, "kind": "identity"}));
    indexer.until(&format!("SELECT position > {time} FROM cursor"), &["true"]).await;
    indexer.until(&format!("SELECT position < {} FROM cursor", time + 600_000_000), &["true"]).await;
    assert_eq!(indexer.rows("SELECT did FROM actor").await, [""; 0]);
    indexer.stop().await;
}

#[tokio::test]
async fn a_silent_source_is_left_for_the_next_one() {
    let database = TestDatabase::create().await.unwrap();
    let (mute, stream, network) = (Stream::mute().await, Stream::jetstream().await, Network::start().await);
    let refused = "ws://127.0.0.1:9/subscribe".parse().unwrap();
    let sources = vec![refused, mute.url.clone(), stream.url.clone()];
    let indexer = Indexer::start_with(&database, sources, &network, Duration::from_secs(3600)).await;
    assert_eq!(indexer.status.lag_ms(), None);
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "x", &tag("a")));
    indexer.until("SELECT rkey FROM record", &["x"]).await;
    // It was left at once; later it is only asked whether it speaks, which needs no cursor.
    assert_eq!(mute.cursors().iter().flatten().count(), 1);
    assert!(indexer.status.lag_ms().is_some() && indexer.status.is_writing());
    indexer.stop().await;
}

#[tokio::test]
async fn a_firehose_that_never_came_so_far_is_read_from_its_beginning() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::firehose().await, Network::start().await);
    let frame = |header: serde_json::Value, payload: serde_json::Value| {
        let cbor = |json| serde_ipld_dagcbor::to_vec(&serde_json::from_value::<ipld_core::ipld::Ipld>(json).unwrap());
        Message::binary([cbor(header).unwrap(), cbor(payload).unwrap()].concat())
    };
    store::prepare(database.url()).await.unwrap();
    let db = store::connect(database.url(), Some(1)).await.unwrap().client;
    let url = stream.url.to_string();
    db.execute("INSERT INTO cursor (source, position, safe_time) VALUES ($1, 900, 1)", &[&url]).await.unwrap();
    db.execute("INSERT INTO actor (did) VALUES ('did:plc:alice')", &[]).await.unwrap();
    network.status(ALICE, Some("deactivated"));
    let account = json!({"seq": 3, "did": ALICE, "time": "2026-05-25T14:23:29.807Z", "active": false, "status": "x"});
    stream.message(3, frame(json!({"op": 1, "t": "#account"}), account));
    // Only who asks for what follows 900 gets no further than this.
    stream.message(900, frame(json!({"op": -1}), json!({"error": "FutureCursor"})));
    let indexer = Indexer::start(&database, &stream, &network).await;
    eventually("a connection from the beginning", || stream.cursors().contains(&Some(0))).await;
    assert_eq!(stream.cursors()[0], Some(900));
    indexer.until("SELECT status FROM actor", &["deactivated"]).await;
    // What lies between our cursor and its beginning is in the repositories only.
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    indexer.stop().await;
}
