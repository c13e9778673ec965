//! How far each record was checked, and what follows from it.

use types::{Batch, Change, Collection, Origin, RecordId, Verification};

use crate::harness::{ALICE, BOB, Index, checked, id, manifest, star};

const RESYNCS: &str = "SELECT count(*) FROM job WHERE kind = 'resync' AND key = 'did:plc:bob'";

async fn state(index: &Index, id: &RecordId) -> (String, Option<String>) {
    let record = index.reader.record(id).await.unwrap().unwrap();
    (record.state, record.verification)
}

async fn read(index: &mut Index, origin: Origin, change: Change) -> store::Applied {
    index.writer.apply(Batch { changes: vec![change], ..Batch::new(origin) }).await.unwrap()
}

#[tokio::test]
async fn a_better_check_of_the_same_content_is_kept_and_nothing_is_projected() {
    let mut index = Index::new().await;
    let m = id(ALICE, Collection::Manifest, "m");
    index.apply(vec![checked(1, m.clone(), &manifest("app", 1), Verification::Unverifiable)]).await;
    let dump = index.dump().await;
    let changes = "SELECT count(*) FROM change_log";
    let before = index.count(changes).await;
    for (verification, n, verdict, stands) in [
        (Verification::CidChecked, 1, "verified", "cid-checked"),
        (Verification::Unverifiable, 2, "advanced", "cid-checked"),
        (Verification::Signed, 3, "verified", "signed"),
        (Verification::CidChecked, 3, "duplicate", "signed"),
        (Verification::Mismatch, 4, "advanced", "signed"),
    ] {
        let change = checked(n, m.clone(), &manifest("app", 1), verification);
        let applied = read(&mut index, Origin::ReadThrough, change).await;
        assert_eq!(applied.verdicts, [(verdict, 1)].into(), "{verification:?}");
        assert_eq!(state(&index, &m).await, ("ok".into(), Some(stands.into())));
    }
    assert_eq!(index.dump().await, dump);
    assert_eq!(index.count(changes).await, before, "nobody has to read anything again");
    assert_eq!(index.reader.record(&m).await.unwrap().unwrap().rev, crate::harness::rev(4).to_string());
}

#[tokio::test]
async fn what_does_not_hash_to_its_cid_hides_what_it_replaces_until_it_is_read() {
    let mut index = Index::new().await;
    let s = id(BOB, Collection::Star, "s");
    let stars = "SELECT coalesce(sum(stars), 0)::bigint FROM repository";
    index.apply(vec![checked(1, s.clone(), &star(ALICE, "a", true), Verification::CidChecked)]).await;
    let forged = checked(2, s.clone(), &star(ALICE, "b", true), Verification::Mismatch);
    index.apply(vec![forged.clone()]).await;
    assert_eq!(state(&index, &s).await, ("invalid".into(), Some("mismatch".into())));
    assert_eq!((index.count(stars).await, index.count(RESYNCS).await), (0, 1));
    // Its CID is live all the same.
    assert_eq!(index.reader.records_fingerprint().await.unwrap().1, 1);
    index.client.execute("DELETE FROM job", &[]).await.unwrap();
    let fetched = checked(2, s.clone(), &star(ALICE, "b", true), Verification::CidChecked);
    assert_eq!(read(&mut index, Origin::Backfill, fetched).await.verdicts, [("applied", 1)].into());
    assert_eq!(state(&index, &s).await, ("ok".into(), Some("cid-checked".into())));
    assert_eq!(index.count("SELECT stars::bigint FROM repository WHERE name = 'b'").await, 1);
    // Told again, it changes nothing and asks for nothing.
    index.apply(vec![forged]).await;
    assert_eq!((index.count(stars).await, index.count(RESYNCS).await), (1, 0));
    // Another content at the same revision settles it too.
    index.apply(vec![checked(3, s.clone(), &star(ALICE, "c", true), Verification::Mismatch)]).await;
    let other = checked(3, s.clone(), &star(ALICE, "d", true), Verification::Signed);
    assert_eq!(read(&mut index, Origin::ReadThrough, other).await.verdicts, [("applied", 1)].into());
    assert_eq!(index.count("SELECT stars::bigint FROM repository WHERE name = 'd'").await, 1);
}

#[tokio::test]
async fn what_cannot_be_hashed_is_served_and_asked_for_once() {
    let mut index = Index::new().await;
    let s = id(BOB, Collection::Star, "s");
    let unsure = |n| checked(n, s.clone(), &star(ALICE, "a", true), Verification::Unverifiable);
    index.apply(vec![unsure(1)]).await;
    assert_eq!(state(&index, &s).await, ("ok".into(), Some("unverifiable".into())));
    assert_eq!(index.count("SELECT stars::bigint FROM repository WHERE name = 'a'").await, 1);
    let due_later = "SELECT count(*) FROM job WHERE kind = 'resync' AND run_at > now() + interval '10 seconds'";
    assert_eq!((index.count(RESYNCS).await, index.count(due_later).await), (1, 1));
    index.client.execute("DELETE FROM job", &[]).await.unwrap();
    // The repository cannot say it better, and is not asked again; not when the stream repeats itself either.
    for (origin, change) in [(Origin::Backfill, unsure(2)), (Origin::Stream, unsure(2)), (Origin::Stream, unsure(3))] {
        read(&mut index, origin, change).await;
    }
    assert_eq!(state(&index, &s).await, ("ok".into(), Some("unverifiable".into())));
    assert_eq!(index.count(RESYNCS).await, 0);
}

/// By a reconcile that distrusts it, or by a version before this one.
#[tokio::test]
async fn what_an_older_decoder_read_is_projected_anew_from_what_was_checked_less() {
    let stars = "SELECT coalesce(string_agg(name, ' '), '') FROM repository WHERE stars = 1";
    let stands =
        "SELECT concat_ws(' ', verification, decoder > 0, convert_from(raw, 'UTF8')::jsonb #>> '{subject,repository}')
                  FROM record";
    for (known, came, repository, left) in [
        (Verification::Signed, Verification::CidChecked, "a", "signed t a"),
        (Verification::CidChecked, Verification::CidChecked, "a", "cid-checked t a"),
        // What was not hashed may say anything: the bytes that were are read again.
        (Verification::Signed, Verification::Unverifiable, "lie", "signed t a"),
        (Verification::CidChecked, Verification::Unverifiable, "lie", "cid-checked t a"),
    ] {
        let mut index = Index::new().await;
        let s = id(BOB, Collection::Star, "s");
        let truth = checked(1, s.clone(), &star(ALICE, "a", true), known);
        index.apply(vec![truth.clone()]).await;
        let dump = index.dump().await;
        let distrust = "UPDATE record SET decoder = 0, state = 'invalid'; DELETE FROM star; DELETE FROM star_edge;
                        DELETE FROM repository";
        index.client.batch_execute(distrust).await.unwrap();
        let Change::Put(truth) = truth else { unreachable!() };
        let Change::Put(read_now) = checked(1, s, &star(ALICE, repository, true), came) else { unreachable!() };
        let change = Change::Put(Box::new(types::Put { cid: truth.cid, ..*read_now }));
        assert_eq!(read(&mut index, Origin::Backfill, change.clone()).await.verdicts, [("applied", 1)].into());
        let one = async |sql| index.client.query_one(sql, &[]).await.unwrap().get::<_, String>(0);
        assert_eq!((one(stars).await, one(stands).await), ("a".into(), left.into()), "{known:?} {came:?}");
        assert_eq!(index.dump().await, dump);
        assert_eq!(read(&mut index, Origin::Backfill, change).await.verdicts, [("duplicate", 1)].into());
    }
}
