//! Every path by which records come, in the archive: as they came, and so that they can be read again.

use outbound::pds::RecordEntry;
use serde_json::{Value, json};
use service::{config::SourceKind, postgres::testing::TestDatabase};
use store::archive::{Entry, Found};
use tokio_tungstenite::tungstenite::Message;
use types::{Change, Cid, Form, Put, RecordId, Verification, record_block, record_cid};

use super::{Indexer, holds, network::Network, put, rev, stream::Stream, tag};
use crate::{
    known::Known,
    source::{Wire, car, cbor, decode},
    validate::{Outcome, validate},
};

const ALICE: &str = "did:plc:alice";
const BOB: &str = "did:plc:bob";
const HOLD: &str = "did:plc:hold";
const TAG: &str = "io.atcr.tag";
const CAPTAIN: &str = "io.atcr.hold.captain";

fn listed(did: &str, rkey: &str, record: &Value) -> Value {
    json!({"uri": format!("at://{did}/{TAG}/{rkey}"), "cid": record_cid(record).unwrap(), "value": record})
}

/// The records that an event's bytes hold: keys (where the bytes have them) and CIDs of what is there.
fn read_again(found: &Found) -> Vec<(Option<String>, Cid)> {
    let Entry { form, raw, parts, .. } = &found.entry;
    let of_block = |block: &[u8]| record_cid(&serde_json::from_slice(&cbor::block_to_json(block).unwrap()).unwrap());
    match form.unwrap() {
        Form::JetstreamV1 => frame(SourceKind::JetstreamV1, Wire::Text(std::str::from_utf8(raw).unwrap())),
        Form::JetstreamV2 => frame(SourceKind::JetstreamV2, Wire::Text(std::str::from_utf8(raw).unwrap())),
        Form::Firehose => frame(SourceKind::Firehose, Wire::Binary(raw)),
        Form::Listed => {
            let item = RecordEntry::read(raw.clone()).unwrap();
            let cid = record_cid(&serde_json::from_str(item.value()).unwrap()).unwrap();
            vec![(Some(item.rkey().to_owned()), cid)]
        }
        Form::Proof => {
            let wanted = parts[0].cid.unwrap().to_bytes();
            let blocks = car::blocks(raw, |cid| cid == &wanted[..]).unwrap();
            vec![(None, of_block(blocks[&wanted[..]]).unwrap())]
        }
        Form::Block => vec![(None, of_block(raw).unwrap())],
        Form::Record => vec![(None, record_cid(&serde_json::from_slice(raw).unwrap()).unwrap())],
    }
}

fn frame(kind: SourceKind, wire: Wire<'_>) -> Vec<(Option<String>, Cid)> {
    let event = decode(kind, wire).unwrap().unwrap().event;
    let Outcome::Take { changes, .. } = validate(event, wire.bytes(), &Known::default(), u64::MAX >> 1) else {
        return Vec::new();
    };
    let puts = changes.iter().filter_map(|change| match change {
        Change::Put(put) => Some((Some(put.id.rkey.to_string()), put.cid)),
        _ => None,
    });
    puts.collect()
}

fn told(found: &Found) -> String {
    let Entry { did, form, parts, .. } = &found.entry;
    let parts: Vec<String> = parts
        .iter()
        .map(|part| {
            let key = part.rkey.as_ref().map_or("-", |rkey| rkey.as_str());
            let at = if part.rev.is_some() { "" } else { " without a rev" };
            format!("{key} {}{at}", part.verdict)
        })
        .collect();
    let (did, form) = (did.as_ref().map_or("-", |did| did.as_str()), form.map_or("-", |form| form.as_str()));
    format!("{} {form} {did}: {}", found.origin, parts.join(", "))
}

#[tokio::test]
async fn what_comes_by_any_path_is_kept_as_it_came_and_can_be_read_again() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let (good, nonsense, proved) = (tag("good"), json!({"$type": TAG, "tag": 7}), tag("proved"));
    network.put(BOB, rev(9), TAG, "good", good.clone());
    network.put(BOB, rev(9), TAG, "nonsense", nonsense.clone());
    let odd = [
        json!({"url": "not a record", "value": {}}),
        listed(BOB, "..", &good),
        json!({"uri": format!("at://{BOB}/{TAG}/nameless"), "cid": "none", "value": {"float": 0.5}}),
        json!({"uri": format!("at://{BOB}/{TAG}/lie"), "cid": record_cid(&good).unwrap(), "value": proved}),
    ];
    odd.iter().for_each(|item| network.list_too(BOB, TAG, item.clone()));
    let captain = |public: bool| json!({"$type": CAPTAIN, "owner": ALICE, "public": public, "allowAllCrew": false});
    network.put(HOLD, rev(3), CAPTAIN, "self", captain(true));
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;

    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "m", &holds::manifest(HOLD)));
    stream.message(i64::MAX, Message::text("{"));
    indexer.until("SELECT public FROM hold", &["true"]).await;
    let told_by_hold = holds::commit(1, HOLD, rev(9), &format!("{CAPTAIN}/self"), &captain(false));
    network.stream.message(1, told_by_hold.clone());
    network.stream.message(2, holds::no_event());
    indexer.until("SELECT public FROM hold", &["false"]).await;
    indexer.until("SELECT position FROM hold_stream", &["1"]).await;

    let block = record_block(&proved).unwrap();
    let (cid, raw) = (Cid::of_block(&block), proved.to_string().into_bytes());
    let proof = holds::car(cid, block);
    for (rkey, event) in [("proved", Some((Form::Proof, &*proof))), ("own", None)] {
        let id = RecordId { did: BOB.parse().unwrap(), collection: TAG.parse().unwrap(), rkey: rkey.parse().unwrap() };
        let put = Put::decode(id, rev(11), cid, raw.clone().into(), Verification::Signed);
        store::inbox::leave(&indexer.db, &put, event).await.unwrap();
    }
    indexer.until("SELECT rkey FROM record WHERE rkey IN ('own', 'proved') ORDER BY rkey", &["own", "proved"]).await;

    let found = indexer.archived().await;
    let mut all: Vec<String> = found.iter().map(told).collect();
    all.sort();
    all.dedup();
    let expected = [
        "backfill listed did:plc:bob: - bad_envelope",
        "backfill listed did:plc:bob: - bad_name",
        "backfill listed did:plc:bob: good applied",
        "backfill listed did:plc:bob: lie applied, - cid_mismatch",
        "backfill listed did:plc:bob: nonsense applied",
        "backfill listed did:plc:hold: self applied",
        "hold firehose did:plc:hold: - bad_envelope without a rev",
        "hold firehose did:plc:hold: self applied",
        "read-through proof did:plc:bob: proved applied",
        "read-through record did:plc:bob: own applied",
        "stream jetstream-v1 -: - bad_envelope without a rev",
        "stream jetstream-v1 did:plc:alice: m applied",
    ];
    // A repository may be read more than once.
    all.retain(|told| !told.contains(" duplicate"));
    assert_eq!(all, expected);
    let raws: Vec<String> = found.iter().map(|found| String::from_utf8_lossy(&found.entry.raw).into_owned()).collect();
    for item in odd.iter().chain([&listed(BOB, "good", &good), &listed(BOB, "nonsense", &nonsense)]) {
        assert!(raws.contains(&item.to_string()), "not as it came: {item}");
    }
    assert!(found.iter().any(|found| found.entry.raw == told_by_hold.clone().into_data()));
    assert!(found.iter().any(|found| found.entry.raw == proof));
    for found in found.iter().filter(|found| found.entry.parts.iter().all(|part| part.cid.is_some())) {
        let again = read_again(found);
        let parts = &found.entry.parts;
        assert_eq!(again.len(), parts.len(), "{found:?}");
        for ((rkey, cid), part) in again.into_iter().zip(parts) {
            assert!(rkey.is_none_or(|rkey| rkey == part.rkey.as_ref().unwrap().as_str()), "{found:?}");
            assert_eq!(Some(cid), part.cid, "{found:?}");
        }
    }
    // They are counted too, but for what somebody else is asked about.
    let counted = "SELECT DISTINCT reason FROM reject WHERE did = 'did:plc:bob' ORDER BY 1";
    indexer.until(counted, &["bad_envelope", "bad_name", "cid_mismatch"]).await;
    indexer.stop().await;
}

/// What cannot be read may be anything that is known.
#[tokio::test]
async fn a_list_with_items_that_are_no_records_removes_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    stream.line(&put(BOB, rev(1), TAG, "kept", &tag("kept")));
    indexer.until("SELECT tag FROM tag", &["kept"]).await;
    network.put(BOB, rev(9), TAG, "listed", tag("listed"));
    network.list_too(BOB, TAG, json!({"key": "kept"}));
    store::jobs::enqueue(&indexer.db, store::jobs::JobKind::Resync, &[BOB.into()]).await.unwrap();
    indexer.until("SELECT tag FROM tag ORDER BY tag", &["kept", "listed"]).await;
    indexer.until("SELECT kind FROM job", &[]).await;
    assert_eq!(indexer.rows("SELECT tag FROM tag ORDER BY tag").await, ["kept", "listed"]);
    indexer.stop().await;
}

#[tokio::test]
async fn a_large_repository_is_not_held_whole() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let readme = "x".repeat(600_000);
    for n in 0..20 {
        let page = json!({"repository": "app", "description": readme, "createdAt": "2026-01-10T12:00:00Z", "n": n});
        network.put(BOB, rev(9), "io.atcr.repo.page", &format!("p{n:02}"), page);
    }
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT count(*) FROM record WHERE state = 'ok'", &["20"]).await;
    indexer.until("SELECT count(*) > 1 FROM archive", &["true"]).await;
    let most = indexer.rows("SELECT max(raw_size) < 10000000 FROM archive").await;
    assert_eq!(most, ["true"]);
    indexer.stop().await;
}
