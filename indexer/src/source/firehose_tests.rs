use std::collections::BTreeMap;

use atrium_api::types::string;
use atrium_repo::{
    Repository,
    blockstore::{CarStore, MemoryBlockStore},
};
use ipld_core::ipld::Ipld;
use serde_json::json;
use types::Cid;
use url::Url;

use super::{decode, url};
use crate::{
    event::{Action, Body, Event, FrameError, Position},
    source::start::Start,
};

const TIME: &str = "2026-05-25T14:23:29.807Z";

fn cbor(json: serde_json::Value) -> Ipld {
    serde_json::from_value::<Ipld>(json).unwrap()
}

fn frame(header: Ipld, payload: &Ipld) -> Vec<u8> {
    [serde_ipld_dagcbor::to_vec(&header).unwrap(), serde_ipld_dagcbor::to_vec(payload).unwrap()].concat()
}

fn message(kind: &str, payload: &Ipld) -> Vec<u8> {
    frame(cbor(json!({"op": 1, "t": kind})), payload)
}

fn op(action: &str, path: &str, cid: Option<Cid>) -> Ipld {
    let mut op = BTreeMap::from([("action".to_owned(), Ipld::String(action.into()))]);
    op.insert("path".into(), Ipld::String(path.into()));
    op.insert("cid".into(), cid.map_or(Ipld::Null, |cid| Ipld::Link(cid.inner())));
    Ipld::Map(op)
}

fn commit(ops: Vec<Ipld>, blocks: Vec<u8>) -> BTreeMap<String, Ipld> {
    let Ipld::Map(mut commit) = cbor(json!({"seq": 7, "repo": "did:plc:a", "rev": "3mmoojp7vgo2g", "since": null,
        "time": TIME, "tooBig": false, "rebase": false, "blobs": []}))
    else {
        panic!()
    };
    commit.insert("commit".into(), Ipld::Link(Cid::of_block(b"commit").inner()));
    commit.insert("ops".into(), Ipld::List(ops));
    commit.insert("blocks".into(), Ipld::Bytes(blocks));
    commit
}

fn car(blocks: &[(Cid, &[u8])]) -> Vec<u8> {
    let header = b"\xa1gversion\x01";
    let mut car = vec![header.len() as u8];
    car.extend(header);
    for (cid, block) in blocks {
        let length = 36 + block.len();
        car.extend([length | 0x80, length >> 7 | 0x80, length >> 14].map(|byte| byte as u8));
        car.extend(cid.to_bytes());
        car.extend(*block);
    }
    car
}

/// What becomes of a commit with one creation of `io.atcr.tag/x`.
fn body_of(cid: Option<Cid>, blocks: Vec<u8>) -> String {
    let bytes = message("#commit", &Ipld::Map(commit(vec![op("create", "io.atcr.tag/x", cid)], blocks)));
    let Event::Commit(commit) = decode(&bytes).unwrap().event else { panic!() };
    match &commit.ops[0].action {
        Action::Put { body: Body::Proved(json), .. } => String::from_utf8(json.clone()).unwrap(),
        Action::Put { body: Body::Unreadable { why, .. }, .. } => format!("unreadable: {why}"),
        Action::Put { body: Body::WrongHash, .. } => "wrong hash".into(),
        Action::Put { body: Body::Missing(why), .. } => format!("missing: {why}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_records_block_is_hashed_and_must_be_canonical() {
    let block = b"\xa1\x61a\x01";
    let cid = Cid::of_block(block);
    assert_eq!(body_of(Some(cid), car(&[(cid, block)])), r#"{"a":1}"#);
    assert_eq!(body_of(Some(cid), car(&[(cid, b"\xa1\x61a\x02")])), "wrong hash");
    assert_eq!(body_of(Some(cid), car(&[])), "missing: the commit lacks the record's block");
    assert_eq!(body_of(None, car(&[(cid, block)])), "missing: the operation has no CID");
    assert_eq!(body_of(Some(cid), b"\x01".to_vec()), "missing: the CAR breaks off");
    let loose = b"\xa1\x61a\x18\x01";
    let cid = Cid::of_block(loose);
    assert_eq!(body_of(Some(cid), car(&[(cid, loose)])), "unreadable: not CBOR: not canonical DAG-CBOR");
}

#[test]
fn what_is_not_ours_is_passed_over_unread() {
    // The CAR is nonsense; nobody looks.
    let foreign = commit(vec![op("create", "app.bsky.feed.like/x", None)], b"\xff".to_vec());
    let bytes = message("#commit", &Ipld::Map(foreign));
    let frame = decode(&bytes).unwrap();
    assert!(matches!(frame.event, Event::Commit(commit) if commit.ops.is_empty()));
    assert_eq!((frame.position, frame.time), (Some(Position::Sequence(7)), Some(1_779_719_009_807_000)));
}

#[test]
fn a_commit_that_leaves_something_out_asks_for_a_reading() {
    let mut too_big = commit(Vec::new(), Vec::new());
    too_big.insert("tooBig".into(), Ipld::Bool(true));
    let many = commit(vec![op("delete", "io.atcr.tag/x", None); 201], Vec::new());
    // One block of nearly a megabyte under three keys would be three copies of it, and under two hundred two hundred.
    let block = serde_ipld_dagcbor::to_vec(&Ipld::Bytes(vec![0; 900_000])).unwrap();
    let cid = Cid::of_block(&block);
    let named = |times| commit(vec![op("create", "io.atcr.tag/x", Some(cid)); times], car(&[(cid, &block)]));
    let twice = message("#commit", &Ipld::Map(named(2)));
    assert!(matches!(decode(&twice).unwrap().event, Event::Commit(commit) if commit.ops.len() == 2));
    for (commit, is_ours) in [(too_big, false), (many, true), (named(3), true)] {
        let bytes = message("#commit", &Ipld::Map(commit));
        let Event::Sync { did, ours } = decode(&bytes).unwrap().event else { panic!() };
        assert_eq!((&*did, ours), ("did:plc:a", is_ours));
    }
    let deletes = message("#commit", &Ipld::Map(commit(vec![op("delete", "io.atcr.tag/x:y", None); 200], Vec::new())));
    let Event::Commit(commit) = decode(&deletes).unwrap().event else { panic!() };
    assert_eq!((commit.ops.len(), &*commit.ops[0].rkey), (200, "x:y"));
    assert!(matches!(commit.ops[0].action, Action::Delete));
}

#[test]
fn other_frames() {
    let actor = |more: serde_json::Value| {
        let mut actor = json!({"seq": 8, "did": "did:plc:a", "time": TIME});
        actor.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        cbor(actor)
    };
    let told = |bytes: &[u8]| match decode(bytes) {
        Ok(frame) => format!("{} {:?}", frame.event.label(), frame.position.is_some()),
        Err(FrameError::Refused { name, .. }) => name,
        Err(FrameError::Envelope(_)) => "envelope".into(),
        Err(FrameError::Broken(_)) => "broken".into(),
    };
    let error = frame(cbor(json!({"op": -1})), &cbor(json!({"error": "FutureCursor", "message": "x"})));
    let header = serde_ipld_dagcbor::to_vec(&cbor(json!({"op": 1, "t": "#identity"}))).unwrap();
    let identity = message("#identity", &actor(json!({})));
    for (bytes, expected) in [
        (identity.clone(), "identity true"),
        (message("#identity", &actor(json!({"handle": "a.test"}))), "identity true"),
        (message("#account", &actor(json!({"active": false, "status": "on-holiday"}))), "account true"),
        (message("#account", &actor(json!({}))), "envelope"),
        (message("#sync", &actor(json!({"rev": "x", "blocks": []}))), "sync true"),
        (message("#info", &cbor(json!({"name": "OutdatedCursor"}))), "info false"),
        (message("#labels", &actor(json!({}))), "unknown false"),
        (frame(cbor(json!({"op": 2, "t": "#commit"})), &actor(json!({}))), "unknown false"),
        (message("#identity", &cbor(json!({"seq": "x"}))), "envelope"),
        (error, "FutureCursor"),
        (header.clone(), "envelope"),
        ([header, b"\xff".to_vec()].concat(), "envelope"),
        ([identity, b"\x01".to_vec()].concat(), "envelope"),
        (b"".to_vec(), "broken"),
        (vec![0x81; 10_000], "broken"),
    ] {
        assert_eq!(told(&bytes), expected, "{bytes:?}");
    }
}

#[test]
fn the_url_counts_in_sequence_numbers() {
    let base: Url = "wss://a.example/xrpc/com.atproto.sync.subscribeRepos".parse().unwrap();
    for (start, query) in [
        (Start::Live, None),
        (Start::Oldest, Some("cursor=0")),
        (Start::After(Position::Sequence(9)), Some("cursor=9")),
        (Start::After(Position::Time(9)), None),
    ] {
        assert_eq!(url(&base, start).query(), query, "{start:?}");
    }
}

/// Blocks that somebody else's repository wrote, in a CAR that somebody else's code wrote.
#[tokio::test]
async fn a_commit_of_a_real_repository() {
    let record = json!({"$type": "io.atcr.tag", "repository": "app", "tag": "latest",
        "manifest": "at://did:plc:a/io.atcr.manifest/x", "createdAt": TIME});
    let did = string::Did::new("did:plc:a".into()).unwrap();
    let builder = Repository::create(MemoryBlockStore::new(), did).await.unwrap();
    let mut repository = builder.finalize(vec![0; 64]).await.unwrap();
    let (update, cid) = repository.add_raw("io.atcr.tag/x", &record).await.unwrap();
    update.finalize(vec![0; 64]).await.unwrap();
    let mut bytes = Vec::new();
    let mut car = CarStore::create(std::io::Cursor::new(&mut bytes)).await.unwrap();
    repository.export_into(&mut car).await.unwrap();
    drop(car);
    let cid = Cid::from_bytes(&cid.to_bytes()).unwrap();
    assert_eq!(types::record_cid(&record).unwrap(), cid);
    let body: serde_json::Value = serde_json::from_str(&body_of(Some(cid), bytes)).unwrap();
    assert_eq!(body, record);
}
