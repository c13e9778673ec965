//! What must hold of any bytes, however hostile. `fuzz/` feeds these functions; they panic when it does not hold.

use ipld_core::ipld::Ipld;
use types::{Change, Collection, Did, Put, RecordId, Rkey, Verification, record_block, record_cid, records};

use crate::{
    event::{Frame, FrameError},
    known::Known,
    source::{car, cbor, firehose as stream, jetstream_v1 as v1},
    validate::{Outcome, validate},
};

/// Some moment of 2027, in microseconds since 1970.
const NOW: u64 = 1_800_000_000_000_000;

/// A text frame of a Jetstream, version 1.
pub fn jetstream_v1(data: &[u8]) {
    // What is not UTF-8 the WebSocket refuses.
    let Ok(text) = str::from_utf8(data) else { return };
    judge(v1::decode(text), data);
}

/// A binary frame of a raw firehose.
pub fn firehose(data: &[u8]) {
    judge(stream::decode(data), data);
}

/// A CAR, as a commit carries one.
pub fn car(data: &[u8]) {
    let Ok(blocks) = car::blocks(data, |_| true) else { return };
    for (cid, block) in blocks {
        assert!(!cid.is_empty() && cid.len() + block.len() < data.len());
    }
}

/// A record's block. The parser in use and the maintained codec must agree: what both take is equal, what only the former
/// takes is refused.
pub fn block(data: &[u8]) {
    if !cbor::is_bounded(data) {
        assert!(cbor::block_to_json(data).is_err());
        return;
    }
    let ours = cbor::ipld(data);
    let theirs: Option<Ipld> = serde_ipld_dagcbor::from_slice(data).ok();
    match (&ours, &theirs) {
        (Ok(ours), Some(theirs)) => assert!(same(ours, theirs), "{ours:?} is not {theirs:?}"),
        (Ok(ours), None) => assert!(cbor::block_to_json(data).is_err(), "taken: {ours:?}"),
        (Err(_), _) => assert!(cbor::block_to_json(data).is_err()),
    }
    let Ok(json) = cbor::block_to_json(data) else { return };
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{error}: {data:?}"));
    // A float has another form in JSON; a map that looks like a link becomes one.
    let exact = theirs.is_some_and(|ipld| !has_odd_parts(&ipld));
    assert!(!exact || record_block(&json).is_ok_and(|block| block == data), "{json}");
}

/// A record's JSON. The first byte says of which collection it is.
pub fn record(data: &[u8]) {
    let Some((first, raw)) = data.split_first() else { return };
    let collection = Collection::ALL[usize::from(*first) % Collection::ALL.len()];
    let (Ok(did), Ok(rkey)) = ("did:plc:author".parse::<Did>(), "self".parse::<Rkey>()) else { return };
    let decoded = records::decode(&RecordId { did, collection, rkey }, raw);
    if let Ok(record) = decoded {
        storable(raw, &record);
    }
}

fn judge(frame: Result<Frame<'_>, FrameError>, data: &[u8]) {
    let Ok(frame) = frame else { return };
    let known = Known::default();
    known.extend(["did:plc:known"]);
    let Outcome::Take { changes, rejects } = validate(frame.event, data, &known, NOW) else { return };
    assert!(!changes.is_empty() || !rejects.is_empty());
    changes.iter().for_each(|change| match change {
        Change::Put(put) => stands(put),
        Change::Delete { .. } | Change::Look { .. } => {}
        Change::Snapshot { .. } | Change::Purge { .. } => panic!("a stream tells of no {change:?}"),
    });
}

/// What is believed was hashed, and can be stored.
fn stands(put: &Put) {
    assert!(!put.rev.is_too_far_ahead(NOW));
    if let Ok(record) = &put.record {
        storable(&put.raw, record);
    }
    if put.verification != Verification::CidChecked {
        return;
    }
    let Ok(json) = serde_json::from_slice(&put.raw) else {
        assert!(put.record.is_err() && put.cid.matches(&put.raw));
        return;
    };
    // A block may hold what its JSON does not tell apart.
    if let Ok(cid) = record_cid(&json) {
        assert!(cid == put.cid || put.cid.matches(&put.raw) || looks_like_a_link(&json));
    }
}

/// Postgres stores no NUL in a text.
fn storable(raw: &[u8], record: &records::Record) {
    if raw.windows(6).any(|part| part == b"\\u0000") {
        let shown = format!("{record:?}");
        // Debug writes NUL as \0 and a backslash as two.
        assert!(!shown.replace("\\\\", "").contains("\\0"), "{shown}");
    }
}

fn same(a: &Ipld, b: &Ipld) -> bool {
    match (a, b) {
        // NaN is not equal to itself.
        (Ipld::Float(a), Ipld::Float(b)) => a.to_bits() == b.to_bits(),
        (Ipld::List(a), Ipld::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Ipld::Map(a), Ipld::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        (a, b) => a == b,
    }
}

fn has_odd_parts(ipld: &Ipld) -> bool {
    match ipld {
        Ipld::Float(_) => true,
        Ipld::List(items) => items.iter().any(has_odd_parts),
        Ipld::Map(entries) => {
            entries.contains_key("$link") || entries.contains_key("$bytes") || entries.values().any(has_odd_parts)
        }
        _ => false,
    }
}

fn looks_like_a_link(json: &serde_json::Value) -> bool {
    let text = json.to_string();
    text.contains("\"$link\"") || text.contains("\"$bytes\"")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    /// What fuzzing found stays mended, without a fuzzer.
    #[test]
    fn the_seeds_hold() {
        for (name, read) in [
            ("jetstream_v1", super::jetstream_v1 as fn(&[u8])),
            ("firehose", super::firehose),
            ("car", super::car),
            ("block", super::block),
            ("record", super::record),
        ] {
            let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../fuzz/corpus", name].iter().collect();
            let seeds: Vec<_> = fs::read_dir(folder).unwrap().collect();
            assert!(!seeds.is_empty());
            for seed in seeds {
                read(&fs::read(seed.unwrap().path()).unwrap());
            }
        }
    }
}
