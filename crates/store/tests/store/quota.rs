//! How much is taken of one account in a day.

use store::{Caps, Writer};
use types::{Batch, Change, Collection, DropReason, Origin, Reject};

use crate::harness::{ALICE, BOB, Index, delete, id, put, star};

fn a_star(did: &str, n: u64) -> Change {
    put(n, id(did, Collection::Star, &format!("s{n}")), &star(ALICE, &format!("r{n}"), true))
}

fn caps() -> Caps {
    Caps { records: 32, record_bytes: 1 << 20, archive_bytes: 1 << 20, rejects: 3, all_rejects: 5 }
}

#[tokio::test]
async fn new_records_over_the_quota_wait_for_tomorrow() {
    let mut index = Index::new().await;
    index.writer.set_caps(caps());
    let applied = index.apply((0..40).map(|n| a_star(BOB, n)).chain([a_star(ALICE, 1)]).collect()).await;
    assert_eq!((applied.verdicts["applied"], applied.verdicts["quota"]), (33, 8));
    assert_eq!(applied.over_quota, [("records", 8)].into());
    let put_off =
        "SELECT count(*) FROM job WHERE kind = 'resync' AND key = 'did:plc:bob' AND run_at::date > now()::date";
    assert_eq!(index.count(put_off).await, 1);
    // What is known is still changed and deleted, and the repository itself may be read.
    let applied = index
        .apply(vec![
            put(50, id(BOB, Collection::Star, "s0"), &star(ALICE, "other", true)),
            delete(51, id(BOB, Collection::Star, "s1")),
            delete(51, id(BOB, Collection::Star, "s99")),
        ])
        .await;
    assert_eq!((applied.verdicts["applied"], applied.verdicts["quota"]), (2, 1));
    let batch = Batch { changes: vec![a_star(BOB, 39)], ..Batch::new(Origin::Backfill) };
    assert_eq!(index.writer.apply(batch).await.unwrap().verdicts, [("applied", 1)].into());
    // A successor goes on from there.
    assert_eq!(index.count("SELECT records FROM quota WHERE did = 'did:plc:bob'").await, 32);
    let Index { database, writer, client, .. } = index;
    drop(writer);
    let mut next = loop {
        match Writer::try_acquire(database.url(), 1).await.unwrap() {
            Some(next) => break next,
            None => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    };
    next.set_caps(caps());
    let again = |n| Batch { changes: vec![a_star(BOB, n)], ..Batch::new(Origin::Stream) };
    assert_eq!(next.apply(again(38)).await.unwrap().verdicts, [("quota", 1)].into());
    // What was counted yesterday is over.
    client.execute("UPDATE quota SET day = day - 1", &[]).await.unwrap();
    drop(next);
    let mut next = loop {
        match Writer::try_acquire(database.url(), 1).await.unwrap() {
            Some(next) => break next,
            None => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    };
    next.set_caps(caps());
    assert_eq!(next.apply(again(38)).await.unwrap().verdicts, [("applied", 1)].into());
}

#[tokio::test]
async fn rejects_and_the_archive_have_quotas_too() {
    let mut index = Index::new().await;
    index.writer.set_caps(Caps { archive_bytes: 600, ..caps() });
    let reject = |did: Option<&str>| Reject {
        did: did.map(|did| did.parse().unwrap()),
        reason: DropReason::BadName,
        detail: "x".into(),
        raw: (*b"{}").into(),
    };
    let whose = [Some(BOB); 5].into_iter().chain([None; 4]).chain([Some(ALICE)]);
    let batch = Batch { rejects: whose.map(reject).collect(), ..Batch::new(Origin::Stream) };
    let applied = index.writer.apply(batch).await.unwrap();
    assert_eq!(applied.over_quota, [("rejects", 5)].into());
    let kept: Vec<Option<String>> = index
        .client
        .query("SELECT did FROM reject ORDER BY id", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let bob = || Some(BOB.to_owned());
    assert_eq!(kept, [bob(), bob(), bob(), None, None], "three of one, five of all");
    let applied = index.apply((0..20).map(|n| a_star(ALICE, n)).collect()).await;
    let refused = applied.over_quota["archive_bytes"];
    assert!(refused > 0 && refused < 20, "{refused}");
    let newest = "SELECT events::bigint FROM archive ORDER BY seq DESC LIMIT 1";
    assert_eq!(index.count(newest).await, 20 - refused as i64);
    assert_eq!(index.count("SELECT count(*) FROM record").await, 20, "the ledger has them all");
}

#[tokio::test]
async fn bytes_over_the_quota_wait_for_tomorrow_too() {
    let mut index = Index::new().await;
    index.writer.set_caps(Caps { record_bytes: 4_000, ..caps() });
    let large = |n: u64| {
        let mut record = star(ALICE, "app", true);
        record["note"] = "x".repeat(1_500).into();
        put(n, id(BOB, Collection::Star, "s"), &record)
    };
    for (n, verdict) in [(1, "applied"), (2, "advanced")] {
        assert_eq!(index.apply(vec![large(n)]).await.verdicts, [(verdict, 1)].into());
    }
    index.apply(vec![put(3, id(BOB, Collection::Star, "s"), &star(ALICE, "app", true))]).await;
    assert_eq!(index.apply(vec![large(4)]).await.verdicts, [("applied", 1)].into());
    index.apply(vec![delete(5, id(BOB, Collection::Star, "s"))]).await;
    let applied = index.apply(vec![large(6)]).await;
    assert_eq!((applied.verdicts, applied.over_quota), ([("quota", 1)].into(), [("record_bytes", 1)].into()));
    assert_eq!(index.apply(vec![delete(7, id(BOB, Collection::Star, "s"))]).await.verdicts, [("advanced", 1)].into());
}

/// What was not applied is not counted.
#[tokio::test]
async fn a_batch_that_fails_uses_nothing_up() {
    let mut index = Index::new().await;
    index.writer.set_caps(caps());
    index.client.execute("UPDATE writer SET epoch = epoch + 1", &[]).await.unwrap();
    for _ in 0..3 {
        let batch = Batch { changes: (0..20).map(|n| a_star(BOB, n)).collect(), ..Batch::new(Origin::Stream) };
        assert!(index.writer.apply(batch).await.is_err());
    }
    index.client.execute("UPDATE writer SET epoch = epoch - 1", &[]).await.unwrap();
    assert_eq!(index.apply((0..32).map(|n| a_star(BOB, n)).collect()).await.verdicts["applied"], 32);
}
