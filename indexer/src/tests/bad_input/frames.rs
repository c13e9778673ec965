//! Frames of a raw firehose, the CARs in them, and the blocks in those.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use types::{Cid, DropReason, record_block};

use super::{Fate, Row, records::account};
use crate::tests::{rev, tag};

const HEADER: &[u8] = b"\xa1gversion\x01";

fn cbor(value: &Ipld) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(value).unwrap()
}

fn map<const N: usize>(entries: [(&str, Ipld); N]) -> BTreeMap<String, Ipld> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn text(text: &str) -> Ipld {
    Ipld::String(text.into())
}

fn header(kind: &str) -> Vec<u8> {
    cbor(&Ipld::Map(map([("op", Ipld::Integer(1)), ("t", text(kind))])))
}

/// A block under a CID, with its length before it.
fn section(cid: &[u8], block: &[u8]) -> Vec<u8> {
    let length = cid.len() + block.len();
    let mut section: Vec<u8> = [length | 0x80, length >> 7 | 0x80, length >> 14].map(|byte| byte as u8).into();
    section.extend(cid);
    section.extend(block);
    section
}

fn car(header: &[u8], sections: &[Vec<u8>]) -> Vec<u8> {
    [vec![header.len() as u8], header.to_vec(), sections.concat()].concat()
}

fn commit(did: &str, ops: Vec<Ipld>, blocks: Vec<u8>) -> BTreeMap<String, Ipld> {
    map([
        ("seq", Ipld::Integer(chrono::Utc::now().timestamp_micros().into())),
        ("repo", text(did)),
        ("rev", text(&rev(1).to_string())),
        ("time", text("2026-05-25T14:23:29.807Z")),
        ("ops", Ipld::List(ops)),
        ("blocks", Ipld::Bytes(blocks)),
    ])
}

fn op(rkey: &str, cid: Ipld) -> Ipld {
    Ipld::Map(map([("action", text("create")), ("path", text(&format!("io.atcr.tag/{rkey}"))), ("cid", cid)]))
}

fn message(commit: BTreeMap<String, Ipld>) -> Vec<u8> {
    [header("#commit"), cbor(&Ipld::Map(commit))].concat()
}

/// A good frame.
pub fn sibling(did: &str, n: usize, record: &Value) -> Message {
    let block = record_block(record).unwrap();
    let cid = Cid::of_block(&block);
    let blocks = car(HEADER, &[section(&cid.to_bytes(), &block)]);
    let mut commit = commit(did, vec![op(&format!("t{n}"), Ipld::Link(cid.inner()))], blocks);
    commit.insert("rev".into(), text(&rev(n as u64 + 1).to_string()));
    Message::binary(message(commit))
}

fn frame(what: &'static str, bytes: impl Into<Vec<u8>>, fate: Fate) -> Row {
    let bytes: Vec<u8> = bytes.into();
    Row { part: "Frames of a raw firehose", what, message: Message::binary(bytes), fate, note: "" }
}

/// A commit of a good record, whose CAR is this.
fn blocks(what: &'static str, car: impl Fn(Cid, &[u8]) -> Vec<u8>, fate: Fate) -> Row {
    let block = record_block(&tag("latest")).unwrap();
    let cid = Cid::of_block(&block);
    let commit = commit(&account(what), vec![op("self", Ipld::Link(cid.inner()))], car(cid, &block));
    Row { part: "CARs of a commit", ..frame(what, message(commit), fate) }
}

/// A commit of a record that is these bytes, under their CID.
fn block(what: &'static str, block: &[u8], fate: Fate) -> Row {
    let cid = Cid::of_block(block);
    let blocks = car(HEADER, &[section(&cid.to_bytes(), block)]);
    let commit = commit(&account(what), vec![op("self", Ipld::Link(cid.inner()))], blocks);
    Row { part: "Blocks of records", ..frame(what, message(commit), fate) }
}

/// A good record with one more field, whose value is these bytes.
fn field(what: &'static str, value: &[u8], fate: Fate) -> Row {
    let good = record_block(&tag("latest")).unwrap();
    // One entry more than the record has; `x` is shorter than the other keys and so comes first.
    let bytes = [[good[0] + 1].as_slice(), b"\x61x".as_slice(), value, &good[1..]].concat();
    block(what, &bytes, fate)
}

pub fn rows() -> Vec<Row> {
    [frames(), payloads(), cars(), records()].into_iter().flatten().collect()
}

fn frames() -> Vec<Row> {
    let bad = Fate::Rejected(DropReason::BadEnvelope);
    let unknown = Fate::Dropped(DropReason::UnknownKind);
    let payload = cbor(&Ipld::Map(map([("seq", Ipld::Integer(1))])));
    let error = cbor(&Ipld::Map(map([("error", text("ConsumerTooSlow"))])));
    vec![
        frame("an unknown t", [header("#labels"), payload.clone()].concat(), unknown),
        frame("an unknown op", [b"\xa1\x62op\x02".to_vec(), payload.clone()].concat(), unknown),
        frame("no t", [b"\xa1\x62op\x01".to_vec(), payload].concat(), unknown),
        frame("a header alone", header("#commit"), bad),
        frame("a payload that is no CBOR", [header("#commit"), b"\xff".to_vec()].concat(), bad),
        frame("a payload that is cut off", [header("#commit"), b"\xa2\x63seq".to_vec()].concat(), bad),
        frame("an empty frame", b"", Fate::Disconnected),
        frame("a header that is cut off", &header("#commit")[..8], Fate::Disconnected),
        frame("text that is no UTF-8 in a header", b"\xa2\x61t\x61\xff\x62op\x01", Fate::Disconnected),
        frame("a header 10,000 deep", vec![0x81; 10_000], Fate::Disconnected),
        frame("an error of the server", [b"\xa1\x62op\x20".to_vec(), error].concat(), Fate::Disconnected),
    ]
}

fn payloads() -> Vec<Row> {
    let bad = Fate::Rejected(DropReason::BadEnvelope);
    let with = |what, field: &str, value| {
        let mut commit = commit(&account(what), vec![op("self", Ipld::Null)], Vec::new());
        commit.insert(field.to_owned(), value);
        message(commit)
    };
    let good = || message(commit("did:plc:a", vec![op("self", Ipld::Null)], Vec::new()));
    let tagged = |what, link: Ipld| message(commit(&account(what), vec![op("self", link)], Vec::new()));
    let many = (0..201).map(|n| op(&n.to_string(), Ipld::Null)).collect();
    vec![
        frame("bytes after the payload", [good(), b"\x01".to_vec()].concat(), bad),
        frame("a sequence number beyond 64 bits", with("a", "seq", Ipld::Integer(1i128 << 63)), bad),
        frame("a sequence number that is a float", with("b", "seq", Ipld::Float(1.0)), bad),
        frame("a list of operations that is none", with("c", "ops", Ipld::Null), bad),
        frame("a CID that is a text", tagged("d", text("bafy")), bad),
        frame("a CID that is bytes without tag 42", tagged("e", Ipld::Bytes(vec![0; 37])), bad),
        frame("no CID in a creation", tagged("f", Ipld::Null), Fate::Refetched(DropReason::BadEnvelope)),
        frame("201 operations", message(commit("did:plc:g", many, Vec::new())), Fate::Read),
        frame("a commit that is too big", with("h", "tooBig", Ipld::Bool(true)), Fate::Read),
    ]
}

fn cars() -> Vec<Row> {
    let bad = Fate::Refetched(DropReason::BadEnvelope);
    let sha512 = [&[1, 0x71, 0x13, 64][..], &[7; 64]].concat();
    let v0 = [&[0x12, 0x20][..], &[7; 32]].concat();
    vec![
        blocks("no CAR", |_, _| Vec::new(), bad),
        blocks("a CAR of version 2", |cid, block| car(b"\xa1gversion\x02", &[section(&cid.to_bytes(), block)]), bad),
        blocks(
            "a CAR that is cut off",
            |cid, block| car(HEADER, &[section(&cid.to_bytes(), block)[..60].to_vec()]),
            bad,
        ),
        blocks("a length that is cut off", |_, _| car(HEADER, &[vec![0x80]]), bad),
        blocks("a length of ten bytes", |_, _| car(HEADER, &[vec![0xff; 10]]), bad),
        blocks("a length of 2^62", |_, _| car(HEADER, &[[[0x80; 8].as_slice(), &[0x40]].concat()]), bad),
        blocks("a block without a CID", |_, _| car(HEADER, &[section(b"\xff\xff", b"")]), bad),
        blocks("the record's block is missing", |_, _| car(HEADER, &[]), bad),
        blocks(
            "a block that does not hash to its CID",
            |cid, _| car(HEADER, &[section(&cid.to_bytes(), b"\xa0")]),
            Fate::Mismatch,
        ),
        blocks(
            "blocks of version 0, SHA-512 and identity besides",
            move |cid, block| {
                let others = [section(&v0, b"x"), section(&sha512, b"x"), section(&[1, 0x55, 0, 1, 7], b"x")];
                car(HEADER, &[others.concat(), section(&cid.to_bytes(), block)])
            },
            Fate::Applied,
        ),
        blocks(
            "a block twice",
            |cid, block| car(HEADER, &[section(&cid.to_bytes(), block), section(&cid.to_bytes(), block)]),
            Fate::Applied,
        ),
    ]
}

fn records() -> Vec<Row> {
    let syntax = Fate::Invalid("undecodable: $: not CBOR");
    let shape = Fate::Invalid("undecodable: $: ");
    let v0 = [b"\xd8\x2a\x58\x23\x00\x12\x20".to_vec(), vec![7; 32]].concat();
    let itself = [b"\xd8\x2a\x58\x25\x00\x01\x71\x12\x20".to_vec(), vec![7; 32]].concat();
    vec![
        field("a link that leads nowhere, or in a circle", &itself, Fate::Applied).note("no link is followed"),
        field("a link of version 0", &v0, Fate::Applied),
        field("a float", b"\xfb\x3f\xf8\0\0\0\0\0\0", Fate::Applied),
        field("NaN", b"\xfb\x7f\xf8\0\0\0\0\0\0", shape),
        field("a float of two bytes", b"\xf9\x3c\x00", syntax),
        field("an integer of more bytes than it needs", b"\x18\x01", syntax),
        field("an integer below 64 bits", b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", shape),
        field("a list without a length", b"\x9f\x01\xff", syntax),
        field("a text without a length", b"\x7f\x61a\xff", syntax),
        field("a text that is no UTF-8", b"\x62\xc3\x28", syntax),
        field("undefined", b"\xf7", syntax),
        field("a tag other than 42", b"\xc1\x01", shape),
        field("tag 42 on a text", b"\xd8\x2a\x61a", shape),
        field("a link without its prefix", b"\xd8\x2a\x42\x01\x71", shape),
        field("a link to no CID", b"\xd8\x2a\x42\x00\xff", shape),
        field("a key that is a number", b"\xa1\x01\x02", shape),
        field("a key twice, in CBOR", b"\xa2\x61a\x01\x61a\x02", syntax),
        field("keys out of order", b"\xa2\x61b\x01\x61a\x02", syntax),
        field("lists in lists, 1,000 deep", &[0x81; 1000], syntax),
        field("lists that say that they are long", &[0x9a; 600], shape),
        block("bytes after a record", b"\xa0\x00", syntax),
        block("a record of more than 1 MB, in CBOR", &record_block(&json!({"x": "y".repeat(1 << 20)})).unwrap(), shape)
            .note("without its bytes"),
        block("a record that is a number", b"\x01", Fate::Invalid("undecodable: $: not an object")),
    ]
}
