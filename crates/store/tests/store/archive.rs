//! Events as they came, with what became of them.

use chrono::{Days, Utc};
use futures::TryStreamExt as _;
use store::archive::{self, Found, Limits};
use types::{Arrival, Batch, Change, Collection, CursorMove, Did, DropReason, Form, Hint, Origin, Reject};

use crate::harness::{ALICE, BOB, Index, delete, id, manifest, put, star};

async fn all(index: &Index, did: Option<&str>) -> Vec<Found> {
    let today = Utc::now().date_naive();
    let did: Option<Did> = did.map(|did| did.parse().unwrap());
    archive::read(&index.client, today - Days::new(9)..=today + Days::new(1), did.as_ref()).try_collect().await.unwrap()
}

fn told(found: &[Found]) -> Vec<String> {
    let told = found.iter().map(|found| {
        let parts = found.entry.parts.iter().map(|part| {
            let rkey = part.rkey.as_ref().map_or("-", |rkey| rkey.as_str());
            format!("{rkey} {}", part.verdict)
        });
        format!("{} [{}]", String::from_utf8_lossy(&found.entry.raw), parts.collect::<Vec<_>>().join(", "))
    });
    told.collect()
}

fn arrival(did: &str, raw: &'static str, changes: std::ops::Range<usize>, refused: Vec<DropReason>) -> Arrival {
    let raw = bytes::Bytes::from_static(raw.as_bytes());
    let did = Some(did.parse().unwrap());
    Arrival { did, position: Some(41), changes, refused, ..Arrival::new(Form::JetstreamV1, raw, 7) }
}

#[tokio::test]
async fn events_are_kept_as_they_came_with_their_verdicts() {
    let mut index = Index::new().await;
    let (m, s) = (id(ALICE, Collection::Manifest, "m"), id(BOB, Collection::Star, "s"));
    let mut batch = Batch::new(Origin::Stream);
    batch.changes = vec![
        put(2, m.clone(), &manifest("app", 1)),
        put(1, m.clone(), &manifest("app", 2)),
        put(1, s.clone(), &star(ALICE, "app", true)),
        Change::Look { did: BOB.parse().unwrap(), hint: Hint::Identity },
    ];
    batch.arrivals = vec![
        arrival(ALICE, "one commit", 0..2, vec![DropReason::BadName]),
        arrival(BOB, "a star", 2..3, Vec::new()),
        arrival(BOB, "a new name", 3..4, Vec::new()),
    ];
    let reject = || {
        let (did, reason) = (Some(BOB.parse().unwrap()), DropReason::CidMismatch);
        Reject { did, reason, detail: "x".into(), raw: (*b"one").into() }
    };
    batch.rejects = vec![reject()];
    batch.cursor = Some(CursorMove { source: "wss://x/subscribe".into(), to: 42, safe_time: None });
    index.writer.apply(batch).await.unwrap();
    // A change of a record without an event is one; what is refused without one was never seen.
    let mut batch = Batch::new(Origin::Backfill);
    batch.changes = vec![delete(3, s)];
    batch.rejects = vec![reject()];
    let rev = "3jzfcijpj2z2a".parse().unwrap();
    let item = Arrival { rev: Some(rev), ..Arrival::new(Form::Listed, bytes::Bytes::from_static(b"{}"), 8) };
    batch.take(item, Vec::new(), vec![reject()]);
    index.writer.apply(batch).await.unwrap();
    let found = all(&index, None).await;
    assert_eq!(
        told(&found),
        [
            "one commit [m applied, m stale, - bad_name]",
            "a star [s applied]",
            "a new name [- look]",
            " [s applied]",
            "{} [- cid_mismatch]"
        ]
    );
    assert_eq!((found[0].origin.as_str(), found[0].source.as_deref()), ("stream", Some("wss://x/subscribe")));
    assert_eq!((found[0].entry.received_at, found[0].entry.position), (7, Some(41)));
    assert_eq!((found[4].entry.did.as_ref().unwrap().as_str(), found[4].entry.parts[0].rev), (BOB, Some(rev)));
    let forms: Vec<Option<Form>> = found.iter().map(|found| found.entry.form).collect();
    let frame = Some(Form::JetstreamV1);
    assert_eq!(forms, [frame, frame, frame, Some(Form::Record), Some(Form::Listed)]);
    assert_eq!((found[3].origin.as_str(), found[3].source.as_deref()), ("backfill", None));
    assert_eq!(told(&all(&index, Some(ALICE)).await), ["one commit [m applied, m stale, - bad_name]"]);
}

#[tokio::test]
async fn a_purge_takes_an_account_out_and_leaves_the_others() {
    let mut index = Index::new().await;
    let star_of = |did: &str, n| put(n, id(did, Collection::Star, "s"), &star(ALICE, "app", true));
    index.apply(vec![star_of(ALICE, 1), star_of(BOB, 1)]).await;
    index.apply(vec![star_of(ALICE, 2)]).await;
    assert_eq!(archive::scrub(&index.client, &ALICE.parse().unwrap()).await.unwrap(), 2);
    let found = all(&index, None).await;
    assert_eq!(found.iter().map(|found| found.entry.did.as_ref().unwrap().as_str()).collect::<Vec<_>>(), [BOB]);
    assert_eq!(found[0].entry.parts[0].verdict, "applied");
    assert_eq!(index.count("SELECT count(*) FROM archive WHERE 'did:plc:alice' = ANY (dids)").await, 0);
    assert_eq!(archive::scrub(&index.client, &ALICE.parse().unwrap()).await.unwrap(), 0);
}

/// Whatever it was, it can be served to nobody.
#[tokio::test]
async fn a_damaged_chunk_stops_neither_the_writer_nor_the_purge() {
    let mut index = Index::new().await;
    let star_of = |did: &str, n| put(n, id(did, Collection::Star, "s"), &star(ALICE, "app", true));
    for n in 0..3 {
        index.apply(vec![star_of(ALICE, n), star_of(BOB, n)]).await;
    }
    for damage in ["bytes = substr(bytes, 2)", "raw_size = 1 << 40"] {
        let some = "WHERE (day, seq) = (SELECT day, seq FROM archive ORDER BY raw_size, seq LIMIT 1)";
        index.client.batch_execute(&format!("UPDATE archive SET {damage}, dids = dids {some}")).await.unwrap();
    }
    let did: Did = ALICE.parse().unwrap();
    let purge = Change::Purge { did: did.clone(), rev: crate::harness::rev(9) };
    index.apply(vec![purge]).await;
    assert_eq!(index.count("SELECT count(*) FROM record WHERE did = 'did:plc:alice'").await, 0);
    archive::scrub(&index.client, &did).await.unwrap();
    let left = all(&index, None).await;
    assert!(left.iter().all(|found| found.entry.did.as_ref().unwrap().as_str() == BOB), "{left:?}");
    assert_eq!(index.count("SELECT count(*) FROM archive WHERE 'did:plc:alice' = ANY (dids)").await, 0);
}

/// Two accounts that are purged at once share their chunks.
#[tokio::test]
async fn purges_do_not_undo_each_other() {
    let mut index = Index::new().await;
    let dids: Vec<String> = (0..6).map(|n| format!("did:plc:gone{n}")).collect();
    for n in 0..8 {
        let events = dids.iter().map(|did| put(n, id(did, Collection::Star, "s"), &star(ALICE, "app", true)));
        index.apply(events.chain([put(n, id(BOB, Collection::Star, "s"), &star(ALICE, "app", true))]).collect()).await;
    }
    let scrubs = dids.iter().map(|did| {
        let (url, did): (String, Did) = (index.database.url().into(), did.parse().unwrap());
        tokio::spawn(async move {
            let client = store::connect(&url, Some(1)).await.unwrap().client;
            archive::scrub(&client, &did).await.unwrap()
        })
    });
    for scrub in scrubs.collect::<Vec<_>>() {
        assert_eq!(scrub.await.unwrap(), 8);
    }
    let left = all(&index, None).await;
    assert_eq!(left.iter().map(|found| found.entry.did.as_ref().unwrap().as_str()).collect::<Vec<_>>(), [BOB; 8]);
}

#[tokio::test]
async fn age_and_size_have_limits() {
    let mut index = Index::new().await;
    let today = Utc::now().date_naive();
    for n in 0..20 {
        // Noise, so that it does not compress.
        let text: String = (0u8..60).map(|part| types::Digest::sha256(&[part, n]).hex().to_owned()).collect();
        let mut record = star(ALICE, "app", true);
        record["note"] = text.into();
        index.apply(vec![put(n.into(), id(BOB, Collection::Star, "s"), &record)]).await;
    }
    for day in [today - Days::new(2), today - Days::new(40)] {
        let (name, next) = (day.format("archive_%Y%m%d"), day + Days::new(1));
        let make = format!("CREATE TABLE ops.{name} PARTITION OF ops.archive FOR VALUES FROM ('{day}') TO ('{next}')");
        index.client.batch_execute(&make).await.unwrap();
        let copy = "INSERT INTO archive SELECT $1, seq, origin, source, first_position, last_position, events, dids, verdict_names,
                                               verdicts, raw_size, bytes FROM archive WHERE day = $2";
        index.client.execute(copy, &[&day, &today]).await.unwrap();
    }
    let days = "SELECT count(DISTINCT day) FROM archive";
    let chunks = "SELECT count(*) FROM archive";
    assert_eq!(index.count(days).await, 3);
    archive::prune(&index.client, Limits { days: 30, bytes: 1 << 30 }).await.unwrap();
    assert_eq!((index.count(days).await, index.count(chunks).await), (2, 40));
    archive::prune(&index.client, Limits { days: 30, bytes: 20_000 }).await.unwrap();
    assert_eq!(index.count(days).await, 1, "older days go first");
    let left = index.count(chunks).await;
    assert!((1..20).contains(&left), "then what is oldest of today: {left}");
    assert_eq!(index.count("SELECT max(seq) - min(seq) + 1 FROM archive").await, left);
    let again = archive::prune(&index.client, Limits { days: 30, bytes: 20_000 }).await.unwrap();
    assert_eq!(again, archive::Pruned::default(), "what is within the limits stays");
    archive::prune(&index.client, Limits { days: 0, bytes: 1 << 30 }).await.unwrap();
    assert_eq!(index.count(chunks).await, 0);
    index.writer.set_archive(false);
    index.apply(vec![put(99, id(BOB, Collection::Star, "t"), &star(ALICE, "app", true))]).await;
    assert_eq!(index.count(chunks).await, 0);
}

#[tokio::test]
async fn a_backup_that_reads_over_midnight_does_not_hold_up_the_writer() {
    let mut index = Index::new().await;
    index.client.batch_execute("BEGIN; SELECT count(*) FROM ops.archive").await.unwrap();
    // The first batch of a tenure makes the partitions that are not there.
    let change = put(1, id(ALICE, Collection::Manifest, "m"), &manifest("app", 1));
    let applied = tokio::time::timeout(std::time::Duration::from_secs(30), index.apply(vec![change]));
    applied.await.expect("the writer waits for a reader");
    index.client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(all(&index, None).await.len(), 1);
}
