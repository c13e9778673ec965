use serde_json::{Value, json};
use url::Url;

use super::{decode, url};
use crate::{
    event::Position,
    source::{start::Start, told::told},
};

const CID: &str = "bafyreidwaivazkwu67xztlmuobx35hs2lnfh3kolmgfmucldvhd3sgzcqi";

/// A frame of a kind, with more fields or other ones; `null` takes one away.
fn frame(kind: &str, rest: Value) -> String {
    let mut payload = json!({"$type": format!("network.bsky.jetstream.subscribeEvents#{kind}"), "seq": 42,
        "did": "did:plc:a", "time": "2026-05-25T14:23:29.132431Z"});
    for (key, value) in rest.as_object().unwrap() {
        payload[key] = value.clone();
    }
    payload.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({"$type": "message", "payload": payload}).to_string()
}

fn commit(operation: &str, collection: &str, rest: Value) -> String {
    let mut body = json!({"rev": "3mmoojp7vgo2g", "operation": operation, "collection": collection, "rkey": "x"});
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    frame("commit", body)
}

#[test]
fn every_shape_of_a_frame() {
    let body = json!({"record": {"$type": "io.atcr.tag"}, "cid": CID});
    let cases = [
        (commit("create", "io.atcr.tag", body.clone()), "put x"),
        (commit("update", "io.atcr.tag", body.clone()), "put x"),
        (commit("update", "io.atcr.tag", json!({"record": "\u{0}", "cid": CID})), "put x"),
        (commit("delete", "io.atcr.tag", json!({})), "delete x"),
        (commit("create", "io.atcr.tag", json!({"cid": CID})), "put x without record"),
        (commit("create", "io.atcr.tag", json!({"record": {}})), "put x without CID"),
        (commit("purge", "io.atcr.tag", json!({})), "purge x"),
        (commit("create", "app.bsky.feed.like", body.clone()), "foreign"),
        (commit("delete", "io.atcrystal.tag", json!({})), "foreign"),
        (commit("create", "io.atcr.tag", json!({"rev": null})), "envelope"),
        (commit("create", "io.atcr.tag", json!({"operation": null})), "envelope"),
        (commit("create", "io.atcr.tag", json!({"collection": null})), "envelope"),
        (commit("create", "io.atcr.tag", json!({"did": null})), "envelope"),
        (commit("create", "io.atcr.tag", json!({"seq": null})), "envelope"),
        (frame("identity", json!({"identity": {"did": "did:plc:a", "handle": "a.test", "seq": 1}})), "identity"),
        (frame("identity", json!({"seq": 0})), "envelope"),
        (frame("identity", json!({"seq": -3})), "envelope"),
        (frame("identity", json!({"seq": 1_779_719_009_132_431i64})), "envelope"),
        (frame("identity", json!({"time": "yesterday"})), "identity"),
        (frame("sync", json!({"sync": {"did": "did:plc:a", "rev": "3mmoojp7vgo2g"}})), "sync false"),
        (frame("account", json!({"account": {"active": true, "did": "did:plc:a"}})), "account true"),
        (frame("account", json!({"account": {"active": false, "status": "on-holiday"}})), "account false"),
        (frame("account", json!({})), "envelope"),
        (frame("account", json!({"account": {}})), "envelope"),
        (frame("info", json!({"seq": null, "did": null, "name": "OutdatedCursor"})), "info OutdatedCursor"),
        (frame("label", json!({})), "unknown"),
        (json!({"$type": "error", "error": "ConsumerTooSlow"}).to_string(), "refused ConsumerTooSlow"),
        (json!({"$type": "error", "error": "ConsumerTooSlow", "message": "x"}).to_string(), "refused ConsumerTooSlow"),
        (json!({"$type": "error"}).to_string(), "envelope"),
        (json!({"$type": "message"}).to_string(), "envelope"),
        (json!({"$type": "notice", "payload": {"$type": "x"}}).to_string(), "unknown"),
        (json!({"did": "did:plc:a", "time_us": 1, "kind": "identity"}).to_string(), "envelope"),
        (String::new(), "envelope"),
        ("null".into(), "envelope"),
        ("{".into(), "envelope"),
    ];
    for (text, expected) in cases {
        assert_eq!(told(decode(&text)), expected, "{text}");
    }
}

#[test]
fn positions_and_times() {
    let text = frame("identity", json!({}));
    let read = decode(&text).unwrap();
    assert_eq!((read.position, read.time), (Some(Position::Sequence(42)), Some(1_779_719_009_132_431)));
}

/// The envelope is read, whatever the record is: its key must be known for the ledger to drop what it replaces.
#[test]
fn a_hostile_record_still_has_its_key() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for record in [r#"{"x":"\ud800"}"#.to_owned(), deep, "1e999".into(), "[]".into()] {
        let text = commit("update", "io.atcr.tag", json!({"cid": CID})).replacen(
            r#""cid""#,
            &format!(r#""record":{record},"cid""#),
            1,
        );
        assert_eq!(told(decode(&text)), "put x", "{}", &record[..record.len().min(20)]);
    }
}

#[test]
fn the_url_asks_for_our_records_from_a_place() {
    let base: Url = "wss://a.example/xrpc/network.bsky.jetstream.subscribeEvents".parse().unwrap();
    let cursor = |start| {
        let url = url(&base, start);
        let all = |name: &str| {
            url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
        };
        let (collections, kinds): (Vec<String>, Vec<String>) = (all("collections"), all("kinds"));
        assert_eq!((collections, kinds.len()), (vec!["io.atcr.*".to_owned()], 4));
        url.query_pairs().find(|(key, _)| key == "cursor").map(|(_, value)| value.into_owned())
    };
    assert_eq!(cursor(Start::Live), None);
    assert_eq!(cursor(Start::Oldest).as_deref(), Some("1000000000000000"));
    assert_eq!(cursor(Start::After(Position::Time(7))).as_deref(), Some("1000000000000000"));
    assert_eq!(cursor(Start::After(Position::Time(1_779_719_009_132_431))).as_deref(), Some("1779719009132431"));
    assert_eq!(cursor(Start::After(Position::Sequence(42))).as_deref(), Some("42"));
}
