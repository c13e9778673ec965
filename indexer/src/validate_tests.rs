use std::borrow::Cow;

use serde_json::json;
use types::{Change, Cid, DropReason, Hint, Tid, Verification, record_cid};

use super::{Checked, Outcome, check, validate};
use crate::{
    event::{Action, Body, Commit, Event, Op},
    known::Known,
    source::cbor::MAX_BLOCK,
};

const NOW: u64 = 1_800_000_000_000_000;
const REV: &str = "3mmoojp7vgo2g";

fn tag() -> serde_json::Value {
    json!({"repository": "app", "tag": "latest", "manifest": "at://did:plc:a/io.atcr.manifest/x"})
}

fn cid_of(record: &serde_json::Value) -> Cid {
    record_cid(record).unwrap()
}

/// What becomes of one operation: each change and each reject in a word.
fn judged(did: &str, rev: &str, collection: &str, rkey: &str, action: Action<'_>) -> Vec<String> {
    let op = Op { collection: collection.into(), rkey: rkey.into(), action };
    let event = Event::Commit(Commit { did: did.into(), rev: rev.into(), ops: vec![op] });
    told(validate(event, b"frame", &Known::default(), NOW))
}

fn told(outcome: Outcome) -> Vec<String> {
    match outcome {
        Outcome::Note => vec!["note".into()],
        Outcome::Drop(reason) => vec![format!("drop {}", reason.as_str())],
        Outcome::Take { changes, rejects } => {
            let changes = changes.iter().map(|change| match change {
                Change::Put(put) if put.verification == Verification::Mismatch => "mismatch".to_owned(),
                Change::Put(put) if put.record.is_ok() => "put".to_owned(),
                Change::Put(put) if put.raw.is_empty() => "invalid without bytes".to_owned(),
                Change::Put(_) => "invalid".to_owned(),
                Change::Delete { .. } => "delete".to_owned(),
                Change::Snapshot { .. } => "snapshot".to_owned(),
                Change::Purge { .. } => "purge".to_owned(),
                Change::Look { hint, .. } => format!("{hint:?}"),
            });
            let rejects = rejects.iter().map(|reject| {
                assert_eq!(&*reject.raw, b"frame");
                format!("reject {}", reject.reason.as_str())
            });
            rejects.chain(changes).collect()
        }
    }
}

fn put(cid: Cid, json: &str) -> Vec<String> {
    judged("did:plc:a", REV, "io.atcr.tag", "x", Action::Put { cid: Ok(cid), body: Body::Json(json) })
}

#[test]
fn records_are_hashed_before_they_are_believed() {
    let record = tag();
    assert_eq!(put(cid_of(&record), &record.to_string()), ["put"]);
    assert_eq!(put(Cid::of_block(b"other"), &record.to_string()), ["reject cid_mismatch", "mismatch"]);
    let odd = json!({"tag": "no repository"});
    assert_eq!(put(cid_of(&odd), &odd.to_string()), ["invalid"]);
    // A blob's CID is of another codec, even if the hash is right.
    let block = types::record_block(&record).unwrap();
    assert_eq!(put(Cid::of_blob(&block), &record.to_string()), ["reject cid_mismatch", "mismatch"]);
}

#[test]
fn what_cannot_be_hashed_is_not_wrong() {
    let cid = Cid::of_block(b"x");
    let mut float = tag();
    float["weight"] = json!(1.5);
    assert_eq!(put(cid, &float.to_string()), ["put"]);
    assert_eq!(put(cid, r#"{"x":"\ud800"}"#), ["invalid"]);
    assert_eq!(put(cid, &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))), ["invalid"]);
}

#[test]
fn what_is_too_large_replaces_what_was_there() {
    let large = json!({"x": "y".repeat(MAX_BLOCK)});
    assert_eq!(put(cid_of(&large), &large.to_string()), ["invalid without bytes"]);
    assert_eq!(check(&"x".repeat(MAX_BLOCK + 1), Cid::of_block(b"x")), Checked::TooLarge);
    // Escapes make JSON longer than the record.
    let escaped = json!({"x": "\u{1}".repeat(MAX_BLOCK / 2)});
    assert!(escaped.to_string().len() > 2 * MAX_BLOCK);
    assert_eq!(put(cid_of(&escaped), &escaped.to_string()), ["invalid"]);
}

#[test]
fn bodies_of_a_firehose() {
    let judge = |body| judged("did:plc:a", REV, "io.atcr.tag", "x", Action::Put { cid: Ok(Cid::of_block(b"x")), body });
    assert_eq!(judge(Body::Proved(tag().to_string().into())), ["put"]);
    assert_eq!(judge(Body::Unreadable { block: b"\xff", why: "x".into() }), ["invalid"]);
    assert_eq!(judge(Body::WrongHash), ["reject cid_mismatch", "mismatch"]);
    assert_eq!(judge(Body::Missing("x")), ["reject bad_envelope", "Sync"]);
    let large = vec![0; MAX_BLOCK + 1];
    assert_eq!(judge(Body::Unreadable { block: &large, why: "x".into() }), ["invalid without bytes"]);
}

#[test]
fn names_and_revisions_are_parsed() {
    let ahead = |seconds: u64| Tid::from_micros(NOW + seconds * 1_000_000, 0).to_string();
    for (did, rev, collection, rkey, expected) in [
        ("did:plc:a", REV, "io.atcr.tag", "x", vec!["delete"]),
        ("did:plc:a", REV, "io.atcr.sailor.star", "did:plc:a::did:web:b.example", vec!["delete"]),
        ("plc:a", REV, "io.atcr.tag", "x", vec!["reject bad_name"]),
        ("did:plc:a", "1", "io.atcr.tag", "x", vec!["reject bad_name"]),
        ("did:plc:a", REV, "io.atcr.tag", "a/b", vec!["reject bad_name"]),
        ("did:plc:a", REV, "io.atcr.tag", "", vec!["reject bad_name"]),
        ("did:plc:a", &ahead(299), "io.atcr.tag", "x", vec!["delete"]),
        ("did:plc:a", &ahead(301), "io.atcr.tag", "x", vec!["reject rev_too_far_ahead"]),
        ("did:plc:a", REV, "io.atcr.unheard.of", "x", vec!["drop foreign_collection"]),
    ] {
        assert_eq!(judged(did, rev, collection, rkey, Action::Delete), expected, "{did} {rev} {collection} {rkey}");
    }
    let verb = Action::Unknown("purge".into());
    assert_eq!(judged("did:plc:a", REV, "io.atcr.tag", "x", verb), ["reject unknown_kind", "Sync"]);
    let bad_cid = Action::Put { cid: "x".parse(), body: Body::Json("{}") };
    assert_eq!(judged("did:plc:a", REV, "io.atcr.tag", "x", bad_cid), ["reject bad_name", "Sync"]);
}

#[test]
fn strangers_events_are_dropped() {
    let known = Known::default();
    known.extend(["did:plc:known"]);
    let judge = |event| told(validate(event, b"frame", &known, NOW));
    let stranger = || Cow::Borrowed("did:plc:stranger");
    for event in [
        Event::Identity { did: stranger() },
        Event::Account { did: stranger(), active: false },
        Event::Sync { did: stranger(), ours: false },
        Event::Sync { did: "not a DID".into(), ours: true },
    ] {
        assert_eq!(judge(event), ["drop unknown_actor"]);
    }
    let friend = || Cow::Borrowed("did:plc:known");
    assert_eq!(judge(Event::Identity { did: friend() }), [format!("{:?}", Hint::Identity)]);
    assert_eq!(judge(Event::Account { did: friend(), active: false }), ["Account { active: false }"]);
    assert_eq!(judge(Event::Sync { did: friend(), ours: false }), ["Sync"]);
    assert_eq!(judge(Event::Sync { did: stranger(), ours: true }), ["Sync"]);
    assert_eq!(judge(Event::Unknown), [format!("drop {}", DropReason::UnknownKind.as_str())]);
    assert_eq!(judge(Event::Info { name: "x".into() }), ["note"]);
    let foreign = Commit { did: stranger(), rev: "x".into(), ops: Vec::new() };
    assert_eq!(judge(Event::Commit(foreign)), ["drop foreign_collection"]);
}

/// One bad operation does not take the others of its commit with it.
#[test]
fn a_commit_is_judged_operation_by_operation() {
    let op = |rkey: &'static str| Op { collection: "io.atcr.tag".into(), rkey: rkey.into(), action: Action::Delete };
    let foreign = Op { collection: "io.atcr.unheard.of".into(), ..op("x") };
    let ops = vec![op("a"), op("b/c"), foreign, op("d")];
    let event = Event::Commit(Commit { did: "did:plc:a".into(), rev: REV.into(), ops });
    assert_eq!(told(validate(event, b"frame", &Known::default(), NOW)), ["reject bad_name", "delete", "delete"]);
}
