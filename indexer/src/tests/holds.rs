use std::time::{Duration, Instant};

use axum::http::StatusCode;
use devnet::{HOLD_UNCRAWLED, Write};
use ipld_core::ipld::Ipld;
use serde_json::{Value, json};
use service::postgres::testing::TestDatabase;
use store::jobs::{JobKind, enqueue};
use tokio_tungstenite::tungstenite::Message;
use types::{Cid, Tid, record_block};

use super::{Indexer, eventually, network::Network, put, rev, stream::Stream, tag};

const ALICE: &str = "did:plc:alice";
const HOLD: &str = "did:plc:hold";
const CAPTAIN: &str = "io.atcr.hold.captain";

fn captain(public: bool) -> Value {
    json!({"$type": CAPTAIN, "owner": ALICE, "public": public, "allowAllCrew": false})
}

/// A manifest that names a hold.
pub fn manifest(hold: &str) -> Value {
    json!({"repository": "app", "digest": types::Digest::sha256(b"m"), "holdDid": hold, "layers": [],
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "createdAt": "2026-01-10T12:00:00Z"})
}

fn cbor(value: Value) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(&serde_json::from_value::<Ipld>(value).unwrap()).unwrap()
}

/// A CAR of one block.
pub fn car(cid: Cid, block: Vec<u8>) -> Vec<u8> {
    let mut car = Vec::new();
    for section in [cbor(json!({"version": 1, "roots": []})), [cid.to_bytes().to_vec(), block].concat()] {
        let mut length = section.len();
        while length > 0x7f {
            car.push(length as u8 | 0x80);
            length >>= 7;
        }
        car.push(length as u8);
        car.extend(section);
    }
    car
}

/// A `#commit` of one record.
pub fn commit(seq: i64, did: &str, rev: Tid, path: &str, record: &Value) -> Message {
    let block = record_block(record).unwrap();
    let cid = Cid::of_block(&block);
    let car = car(cid, block);
    let op = json!({"action": "update", "path": path});
    let Ipld::Map(mut op) = serde_json::from_value(op).unwrap() else { unreachable!() };
    op.insert("cid".into(), Ipld::Link(cid.inner()));
    let payload = json!({"seq": seq, "repo": did, "rev": rev, "time": "2026-05-25T14:23:29.807Z", "tooBig": false});
    let Ipld::Map(mut payload) = serde_json::from_value(payload).unwrap() else { unreachable!() };
    payload.insert("ops".into(), Ipld::List(vec![Ipld::Map(op)]));
    payload.insert("blocks".into(), Ipld::Bytes(car));
    let header = cbor(json!({"op": 1, "t": "#commit"}));
    Message::binary([header, serde_ipld_dagcbor::to_vec(&Ipld::Map(payload)).unwrap()].concat())
}

/// A frame of a kind that there is, which does not say what it should.
pub fn no_event() -> Message {
    Message::binary([cbor(json!({"op": 1, "t": "#commit"})), cbor(json!({"seq": 2}))].concat())
}

/// No relay lists it, and no stream but its own tells of it.
#[tokio::test]
async fn a_hold_is_read_and_followed_at_its_own_server() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    network.put(HOLD, rev(3), CAPTAIN, "self", captain(true));
    network.put(HOLD, rev(3), "io.atcr.hold.crew", "c", json!({"member": "did:plc:bob", "permissions": ["blob:read"]}));
    let stats = json!({"ownerDid": ALICE, "repository": "app", "pullCount": 3, "pushCount": 1});
    network.put(HOLD, rev(3), "io.atcr.hold.stats", "s", stats);
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "m", &manifest(HOLD)));
    indexer.until("SELECT public FROM hold", &["true"]).await;
    indexer.until("SELECT member FROM crew", &["did:plc:bob"]).await;
    indexer.until("SELECT pulls FROM hold_stats", &["3"]).await;
    indexer.until("SELECT did || ' ' || reachable FROM hold_health", &["did:plc:hold true"]).await;
    // What it says of others, or where a hold has no say, is passed over; what it says of itself is seen at once.
    let told = |seq, did: &str, n, path: &str, record: &Value| {
        network.stream.message(seq, commit(seq, did, rev(n), path, record));
    };
    told(1, "did:plc:mallory", 9, &format!("{CAPTAIN}/self"), &captain(true));
    told(2, HOLD, 9, "io.atcr.tag/t", &tag("forged"));
    told(3, HOLD, 9, &format!("{CAPTAIN}/self"), &captain(false));
    indexer.until("SELECT public FROM hold", &["false"]).await;
    indexer.until("SELECT position FROM hold_stream", &["3"]).await;
    assert_eq!(
        indexer
            .rows("SELECT did FROM record WHERE rev > (SELECT min(rev) FROM record WHERE did = 'did:plc:hold')")
            .await,
        [HOLD]
    );
    assert_eq!(indexer.rows("SELECT tag FROM tag").await, [""; 0]);
    // It goes on where it was.
    network.stream.cut();
    eventually("another connection", || network.stream.cursors().contains(&Some(3))).await;
    assert_eq!(network.stream.cursors()[0], None);
    told(4, HOLD, 11, &format!("{CAPTAIN}/self"), &captain(true));
    indexer.until("SELECT public FROM hold", &["true"]).await;
    indexer.stop().await;
}

/// Anybody may write a captain's record: who has no hold's service is none.
#[tokio::test]
async fn whoever_only_says_that_it_is_a_hold_is_not_followed() {
    const BOB: &str = "did:plc:bob";
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    network.serve_hold(BOB, false);
    let indexer = Indexer::start(&database, &stream, &network).await;
    network.put(BOB, rev(1), CAPTAIN, "self", captain(true));
    network.put(HOLD, rev(3), CAPTAIN, "self", captain(true));
    stream.line(&put(BOB, rev(1), CAPTAIN, "self", &captain(true)));
    indexer.until("SELECT hold FROM hold", &[BOB]).await;
    indexer.until("SELECT pds IS NOT NULL FROM actor WHERE did = 'did:plc:bob'", &["true"]).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "m", &manifest(HOLD)));
    // Whoever came first would have been followed first.
    indexer.until("SELECT position FROM hold_stream WHERE did = 'did:plc:hold'", &[""]).await;
    let health = "SELECT did || ' ' || reachable FROM hold_health ORDER BY did";
    indexer.until(health, &["did:plc:hold true"]).await;
    indexer.until("SELECT hold FROM hold ORDER BY hold", &[BOB, HOLD]).await;
    let reader = store::Reader::connect(database.url(), 1).await.unwrap();
    assert_eq!(reader.status().await.unwrap().counts.holds, 1);
    network.serve_hold(BOB, true);
    enqueue(&indexer.db, JobKind::Actor, &[BOB.into()]).await.unwrap();
    indexer.until(health, &["did:plc:bob true", "did:plc:hold true"]).await;
    assert_eq!(reader.status().await.unwrap().counts.holds, 2);
    indexer.stop().await;
}

#[tokio::test]
async fn a_hold_that_is_down_is_tried_until_it_is_up() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network, host) = (Stream::jetstream().await, Network::start().await, Network::start().await);
    network.move_to(HOLD, &host.url);
    host.set_down(true);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.sailor.profile", "self", &json!({"defaultHold": HOLD})));
    let health = "SELECT did || ' ' || reachable || ' ' || (last_reachable_at IS NOT NULL) FROM hold_health";
    indexer.until(health, &["did:plc:hold false false"]).await;
    host.put(HOLD, rev(3), CAPTAIN, "self", captain(true));
    host.set_down(false);
    indexer.until(health, &["did:plc:hold true true"]).await;
    indexer.until("SELECT public FROM hold", &["true"]).await;
    host.set_down(true);
    host.stream.cut();
    indexer.until(health, &["did:plc:hold false true"]).await;
    indexer.until("SELECT failures > 0 FROM hold_stream", &["true"]).await;
    indexer.stop().await;
}

/// It is not only pings that it answers.
#[tokio::test]
async fn a_hold_was_seen_whenever_anything_came_of_it() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start_timed(&database, vec![stream.url.clone()], &network, |timing| {
        // No ping is sent while this test runs.
        timing.hold_beat = Duration::from_secs(3600);
    })
    .await;
    network.put(HOLD, rev(3), CAPTAIN, "self", captain(true));
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "m", &manifest(HOLD)));
    indexer.until("SELECT public FROM hold", &["true"]).await;
    indexer.until("SELECT reachable FROM hold_health", &["true"]).await;
    indexer.until("SELECT key FROM job WHERE kind = 'resync'", &[]).await;
    let long_ago = "UPDATE hold_health SET last_reachable_at = '2000-01-01'";
    let seen = "SELECT last_reachable_at > '2020-01-01' FROM hold_health";
    indexer.execute(long_ago, &[]).await;
    // Even what it has no say in.
    network.stream.message(1, commit(1, "did:plc:mallory", rev(9), "io.atcr.tag/t", &tag("a")));
    indexer.until(seen, &["true"]).await;
    indexer.execute(long_ago, &[]).await;
    enqueue(&indexer.db, JobKind::Resync, &[HOLD.into()]).await.unwrap();
    indexer.until(seen, &["true"]).await;
    indexer.stop().await;
}

/// Hosts of many are no holds: their stream is the whole network's, or much of it.
#[tokio::test]
async fn who_speaks_of_others_is_left_and_read_now_and_then() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    for seq in 1..=300 {
        network.stream.message(seq, commit(seq, "did:plc:other", rev(9), "io.atcr.tag/t", &tag("a")));
    }
    let indexer = Indexer::start_timed(&database, vec![stream.url.clone()], &network, |timing| {
        timing.hold_age = Duration::from_millis(300);
    })
    .await;
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "m", &manifest(HOLD)));
    indexer.until("SELECT reachable FROM hold_health", &["true"]).await;
    // A cursor from before makes it tell of all the others.
    indexer
        .execute("UPDATE hold_stream SET endpoint = $1, position = 1", &[&network.url.origin().ascii_serialization()])
        .await;
    network.stream.cut();
    indexer
        .until("SELECT position IS NULL AND next_at > now() - interval '1 minute' FROM hold_stream", &["true"])
        .await;
    network.put(HOLD, rev(3), CAPTAIN, "self", captain(true));
    indexer.until("SELECT public FROM hold", &["true"]).await;
    assert_eq!(indexer.rows("SELECT tag FROM tag").await, [""; 0]);
    indexer.stop().await;
}

/// A `did:web` without a document is its host.
#[tokio::test]
async fn a_hold_without_a_document_is_asked_at_its_host() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network, host) = (Stream::jetstream().await, Network::start().await, Network::start().await);
    let hold = host.did();
    host.refuse_document(&hold, StatusCode::NOT_FOUND);
    host.put(&hold, rev(3), CAPTAIN, "self", captain(true));
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "m", &manifest(&hold)));
    indexer.until("SELECT hold || ' ' || public FROM hold", &[&format!("{hold} true")]).await;
    indexer.until("SELECT reachable FROM hold_health", &["true"]).await;
    indexer
        .until(
            &format!("SELECT hold_endpoint FROM actor WHERE did = '{hold}'"),
            &[&host.url.origin().ascii_serialization()],
        )
        .await;
    indexer.stop().await;
}

/// Else it would be asked for what it cannot have once a day for ever.
#[tokio::test]
async fn an_old_hold_has_no_repository_to_come_back_for() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network, host) = (Stream::jetstream().await, Network::start().await, Network::start().await);
    let hold = host.did();
    host.refuse_document(&hold, StatusCode::NOT_FOUND);
    host.grow_old();
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.sailor.profile", "self", &json!({ "defaultHold": hold })));
    indexer.until(&format!("SELECT reason LIKE '%404%' FROM unread WHERE did = '{hold}'"), &["true"]).await;
    indexer.until(&format!("SELECT error FROM job WHERE kind = 'resync' AND key = '{hold}'"), &[]).await;
    indexer.stop().await;
}

/// The relay has never crawled it: all that is known of it comes from its own server.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_no_relay_lists_turns_private_within_seconds() {
    let database = TestDatabase::create().await.unwrap();
    let (_directory, devnet) = super::devnet().await;
    let hold = devnet.hold_did(HOLD_UNCRAWLED).unwrap();
    let alice = devnet.create_account("alice.test", "secret", 0).unwrap();
    let indexer = Indexer::start_on(&database, &devnet, |_| ()).await;
    devnet.write(&alice, vec![Write::create("io.atcr.manifest", "m", manifest(hold.as_str()))]).unwrap();
    let public = format!("SELECT public FROM hold WHERE hold = '{hold}'");
    indexer.until(&public, &["true"]).await;
    indexer.until(&format!("SELECT reachable FROM hold_health WHERE did = '{hold}'"), &["true"]).await;
    let mut record = devnet.record(&hold, CAPTAIN, "self").unwrap();
    record["public"] = json!(false);
    let flipped = Instant::now();
    devnet.write(&hold, vec![Write::update(CAPTAIN, "self", record)]).unwrap();
    indexer.until(&public, &["false"]).await;
    assert!(flipped.elapsed() < Duration::from_secs(5), "{:?}", flipped.elapsed());
    devnet.stop_hold(HOLD_UNCRAWLED).await;
    indexer.until(&format!("SELECT reachable FROM hold_health WHERE did = '{hold}'"), &["false"]).await;
    indexer.stop().await;
    devnet.shutdown().await;
}
