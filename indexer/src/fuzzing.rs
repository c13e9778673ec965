//! What must hold of any bytes, however hostile. `fuzz/` feeds these functions; they panic when it does not hold.

use std::cell::RefCell;

use ipld_core::ipld::Ipld;
use types::{Change, Collection, Did, Put, RecordId, Rkey, Verification, record_block, record_cid, records};

use crate::{
    event::{Frame, FrameError},
    known::Known,
    source::{car, cbor, firehose as stream, inflate::Inflater, jetstream_v1 as v1, jetstream_v2 as v2},
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

/// A frame of a Jetstream, version 2, packed or not. The first byte says how the rest is sent: as text, as what comes over the
/// wire, packed, or packed and then one byte of it changed.
pub fn jetstream_v2(data: &[u8]) {
    let Some((way, rest)) = data.split_first() else { return };
    match way % 4 {
        0 => text(rest),
        1 => PACKING.with_borrow_mut(|packing| {
            if let Some(unpacked) = packing.unpack(rest) {
                text(&unpacked);
            }
        }),
        2 => PACKING.with_borrow_mut(|packing| {
            let packed = packing.pack(rest);
            let unpacked = packing.unpack(&packed);
            // Only text comes out.
            assert!(unpacked.as_deref() == str::from_utf8(rest).ok().map(str::as_bytes), "{rest:?}");
            text(rest);
        }),
        _ => PACKING.with_borrow_mut(|packing| {
            let Some((&[high, low, change], rest)) = rest.split_first_chunk() else { return };
            let packed = packing.pack(rest);
            let mut spoilt = packed.clone();
            let at = usize::from(u16::from_be_bytes([high, low])) % spoilt.len().max(1);
            spoilt[at] ^= change;
            if let Some(unpacked) = packing.unpack(&spoilt) {
                text(&unpacked);
            }
            // What went wrong before leaves nothing behind.
            let unpacked = packing.unpack(&packed);
            assert!(unpacked.as_deref() == str::from_utf8(rest).ok().map(str::as_bytes), "{rest:?}");
        }),
    }
}

fn text(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        judge(v2::decode(text), data);
    }
}

/// Both sides of a stream that is packed.
struct Packing {
    inflater: Inflater,
    compressor: zstd::bulk::Compressor<'static>,
}

thread_local! {
    static PACKING: RefCell<Packing> = RefCell::new(Packing::new());
}

impl Packing {
    #[expect(clippy::expect_used, reason = "the dictionary is a file of ours")]
    fn new() -> Self {
        let dictionary = include_bytes!("../../fuzz/jetstream_v2.dict");
        let inflater = Inflater::new(dictionary).expect("a dictionary");
        let compressor = zstd::bulk::Compressor::with_dictionary(1, dictionary).expect("a dictionary");
        Self { inflater, compressor }
    }

    #[expect(clippy::expect_used, reason = "whatever bytes there are can be packed")]
    fn pack(&mut self, data: &[u8]) -> Vec<u8> {
        self.compressor.compress(data).expect("packed bytes")
    }

    fn unpack(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let text = self.inflater.text(data).ok()?;
        assert!(text.len() <= v2::MAX_FRAME);
        Some(text.as_bytes().to_vec())
    }
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
            ("jetstream_v2", super::jetstream_v2),
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
