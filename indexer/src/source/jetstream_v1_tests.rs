use serde_json::json;
use url::Url;

use super::{decode, url};
use crate::{
    event::Position,
    source::{start::Start, told::told},
};

const TIME: i64 = 1_779_719_009_132_431;
const CID: &str = "bafyreidwaivazkwu67xztlmuobx35hs2lnfh3kolmgfmucldvhd3sgzcqi";

fn commit(operation: &str, collection: &str, rkey: &str, rest: serde_json::Value) -> String {
    let mut commit = json!({"rev": "3mmoojp7vgo2g", "operation": operation, "collection": collection, "rkey": rkey});
    if let (Some(commit), Some(rest)) = (commit.as_object_mut(), rest.as_object()) {
        commit.extend(rest.clone());
    }
    json!({"did": "did:plc:a", "time_us": TIME, "kind": "commit", "commit": commit}).to_string()
}

#[test]
fn every_shape_of_a_line() {
    let body = json!({"record": {"$type": "io.atcr.tag"}, "cid": CID});
    let colons = "did:plc:a::did:web:prod.example";
    let cases = [
        (commit("create", "io.atcr.tag", "x", body.clone()), "put x"),
        (commit("update", "io.atcr.tag", colons, body.clone()), "put did:plc:a::did:web:prod.example"),
        (commit("delete", "io.atcr.tag", "x", json!({})), "delete x"),
        (commit("create", "io.atcr.tag", "x", json!({"cid": CID})), "put x without record"),
        (commit("create", "io.atcr.tag", "x", json!({"record": {}})), "put x without CID"),
        (commit("purge", "io.atcr.tag", "x", json!({})), "purge x"),
        (commit("create", "app.bsky.feed.like", "x", body), "foreign"),
        (commit("delete", "io.atcrystal.tag", "x", json!({})), "foreign"),
        (json!({"did": "did:plc:a", "time_us": TIME, "kind": "commit"}).to_string(), "envelope"),
        (json!({"did": "did:plc:a", "time_us": TIME, "kind": "commit", "commit": {"rev": 1}}).to_string(), "envelope"),
        // No handle, and fields that we do not read.
        (json!({"did": "did:plc:a", "time_us": TIME, "kind": "identity", "identity": {"did": "did:plc:a", "seq": 1}}).to_string(), "identity"),
        (json!({"did": "did:plc:a", "time_us": TIME, "kind": "account", "account": {"active": true}}).to_string(), "account true"),
        (json!({"did": "did:plc:a", "time_us": TIME, "kind": "account", "account": {"active": false, "status": "on-holiday"}}).to_string(), "account false"),
        (json!({"did": "did:plc:a", "time_us": TIME, "kind": "account", "account": {}}).to_string(), "envelope"),
        (json!({"did": "did:plc:a", "time_us": TIME, "kind": "label"}).to_string(), "unknown"),
        (json!({"time_us": TIME, "kind": "label"}).to_string(), "envelope"),
        ("".into(), "envelope"),
        ("null".into(), "envelope"),
        ("{".into(), "envelope"),
    ];
    for (text, expected) in cases {
        assert_eq!(told(decode(&text)), expected, "{text}");
    }
}

#[test]
fn a_servers_own_sequence_number_is_preferred() {
    let event = |extra: serde_json::Value| {
        let mut event = json!({"did": "did:plc:a", "time_us": TIME, "kind": "identity"});
        event.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let text = event.to_string();
        let frame = decode(&text).unwrap();
        (frame.position, frame.time)
    };
    assert_eq!(event(json!({})), (Some(Position::Time(TIME)), Some(TIME)));
    assert_eq!(event(json!({"cursor": 42})), (Some(Position::Sequence(42)), Some(TIME)));
}

/// The envelope is read, whatever the record is: its key must be known for the ledger to drop what it replaces.
#[test]
fn a_hostile_record_still_has_its_key() {
    let lone_surrogate = r#"{"x":"\ud800"}"#.to_owned();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    for record in [lone_surrogate, deep, long, "1e999".into(), "[]".into()] {
        let text = commit("update", "io.atcr.tag", "x", json!({"cid": CID})).replacen(
            r#""cid""#,
            &format!(r#""record":{record},"cid""#),
            1,
        );
        assert_eq!(told(decode(&text)), "put x", "{}", &record[..record.len().min(20)]);
    }
}

#[test]
fn the_url_asks_for_our_records_from_a_place() {
    let base: Url = "wss://a.example/subscribe".parse().unwrap();
    let cursor = |start| {
        let url = url(&base, start);
        assert!(url.query_pairs().any(|(key, value)| key == "wantedCollections" && value == "io.atcr.*"), "{url}");
        url.query_pairs().find(|(key, _)| key == "cursor").map(|(_, value)| value.into_owned())
    };
    assert_eq!(cursor(Start::Live), None);
    assert_eq!(cursor(Start::Oldest).as_deref(), Some("1"));
    assert_eq!(cursor(Start::After(Position::Time(TIME))), Some(TIME.to_string()));
    assert_eq!(cursor(Start::After(Position::Sequence(42))).as_deref(), Some("42"));
}
