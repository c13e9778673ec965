use ipld_core::ipld::Ipld;
use serde_json::json;
use types::{Cid, records::MAX_VALUES};

use super::{CborError, Link, MAX_BLOCK, block_to_json, first, only};

fn json_of(ipld: &Ipld) -> Result<serde_json::Value, CborError> {
    let json = block_to_json(&serde_ipld_dagcbor::to_vec(ipld).unwrap())?;
    Ok(serde_json::from_slice(&json).unwrap())
}

fn map(key: &str, value: Ipld) -> Ipld {
    Ipld::Map([(key.to_owned(), value)].into())
}

#[test]
fn blocks_become_the_json_of_the_protocol() {
    let cid = Cid::of_blob(b"x");
    for (ipld, json) in [
        (map("a", Ipld::Null), json!({"a": null})),
        (map("a", Ipld::Integer(i64::MIN.into())), json!({"a": i64::MIN})),
        (map("a", Ipld::Integer(u64::MAX.into())), json!({"a": u64::MAX})),
        (map("a", Ipld::Bytes(vec![1, 2, 3, 4])), json!({"a": {"$bytes": "AQIDBA"}})),
        (map("a", Ipld::Link(cid.inner())), json!({"a": {"$link": cid.to_string()}})),
        (map("a", Ipld::List(vec![Ipld::Bool(true), Ipld::String("é".into())])), json!({"a": [true, "é"]})),
    ] {
        assert_eq!(json_of(&ipld).unwrap(), json);
    }
}

/// What we make of a block hashes back to the same block.
#[test]
fn json_of_a_block_has_the_blocks_cid() {
    let record = json!({"$type": "io.atcr.tag", "n": -1, "blob": {"$type": "blob", "ref": {"$link": Cid::of_blob(b"x").to_string()}},
        "key": {"$bytes": "AQIDBA"}, "list": [{"b": 1, "aa": 2, "a": null}]});
    let block = types::record_block(&record).unwrap();
    let back: serde_json::Value = serde_json::from_slice(&block_to_json(&block).unwrap()).unwrap();
    assert_eq!(back, record);
    assert_eq!(types::record_cid(&back).unwrap(), Cid::of_block(&block));
}

#[test]
fn only_canonical_blocks_are_taken() {
    for (bytes, why) in [
        (&b"\xa2\x61b\x01\x61a\x02"[..], "keys out of order"),
        (b"\xa2\x61a\x01\x61a\x02", "a key twice"),
        (b"\xa1\x61a\x18\x01", "an integer longer than needed"),
        (b"\xbf\x61a\x01\xff", "an indefinite length"),
        (b"\xa1\x61a\xf7", "undefined"),
        (b"\xa1\x61a\xf9\x3c\x00", "a short float"),
        (b"\xa1\x61a\xc1\x01", "another tag"),
        (b"\xa1\x61a\xd8\x2a\x41\x01", "a link without its prefix"),
        (b"\xa1\x01\x02", "a key that is no text"),
        (b"\xa1\x61a\x01\x00", "something behind it"),
        (b"\xa1\x61a", "an end too soon"),
        (b"", "nothing"),
    ] {
        assert!(block_to_json(bytes).is_err(), "{why}");
    }
    assert!(block_to_json(b"\xa1\x61a\x01").is_ok());
}

#[test]
fn depth_and_size_have_ends() {
    for lists in [1_000, 100_000] {
        assert!(only::<serde_cbor::Value>(&vec![0x81; lists]).is_err());
    }
    let mut fine = vec![0x81; 100];
    fine.push(0x01);
    assert!(only::<serde_cbor::Value>(&fine).is_ok());
    // A list that claims 2^60 entries.
    assert!(only::<serde_cbor::Value>(b"\x9b\x10\x00\x00\x00\x00\x00\x00\x00\x01").is_err());
    let large = serde_ipld_dagcbor::to_vec(&Ipld::Bytes(vec![0; MAX_BLOCK])).unwrap();
    assert!(matches!(block_to_json(&large), Err(CborError::Shape(_))));
}

/// A block of a million small numbers would take hundreds of megabytes to read.
#[test]
fn items_have_an_end() {
    let list = |items| serde_ipld_dagcbor::to_vec(&map("a", Ipld::List(vec![Ipld::Integer(1000); items]))).unwrap();
    // The map, its key and the list are items too.
    assert!(block_to_json(&list(MAX_VALUES - 3)).is_ok());
    assert_eq!(block_to_json(&list(MAX_VALUES - 2)), Err(CborError::Shape("more than 100000 values".into())));
    let text = serde_ipld_dagcbor::to_vec(&map("a", Ipld::String("\u{1}".repeat(MAX_VALUES)))).unwrap();
    assert!(block_to_json(&text).is_ok());
    // Found by fuzzing: each of these lists says that it is long.
    assert!(block_to_json(&[0x9a; 618]).unwrap_err().to_string().starts_with("more than"));
    for broken in [&b"\x9b\x00"[..], b"\x7b\x10\x00\x00\x00\x00\x00\x00\x00", b"\xff"] {
        let mut block = vec![0x80; MAX_VALUES];
        block.splice(0..0, broken.iter().copied());
        assert!(block_to_json(&block).is_err());
    }
}

#[test]
fn two_items_are_taken_apart() {
    assert_eq!(first::<u8>(b"\x01\x02").unwrap(), (1, &b"\x02"[..]));
    assert!(matches!(only::<u8>(b"\x01\x02"), Err(CborError::Syntax(_))));
    assert!(matches!(only::<String>(b"\x01"), Err(CborError::Shape(_))));
    assert!(matches!(only::<u8>(b"\xff"), Err(CborError::Syntax(_))));
}

#[test]
fn links_are_borrowed() {
    let cid = Cid::of_block(b"x");
    let bytes = serde_ipld_dagcbor::to_vec(&Ipld::Link(cid.inner())).unwrap();
    assert_eq!(only::<Link<'_>>(&bytes).unwrap().0, cid.to_bytes());
    assert_eq!(only::<Option<Link<'_>>>(&bytes).unwrap().map(|link| link.0.len()), Some(36));
    assert_eq!(only::<Option<Link<'_>>>(b"\xf6").unwrap(), None);
    for odd in [&b"\x41\x00"[..], b"\xc1\x41\x00", b"\xd8\x2a\x41\x01", b"\xd8\x2a\x61a"] {
        assert!(only::<Link<'_>>(odd).is_err(), "{odd:?}");
    }
}
