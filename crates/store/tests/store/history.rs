//! What a tag pointed at, when, until when.

use store::queries::TagHistoryView;
use types::{Change, Collection};

use crate::harness::{ALICE, Index, delete, digest, id, manifest, put, rev, tag};

async fn history(index: &Index, name: &str) -> Vec<TagHistoryView> {
    let (did, app, name) = (ALICE.parse().unwrap(), "app".parse().unwrap(), name.parse().unwrap());
    index.reader.tag_history(&did, &app, &name, 100, 0).await.unwrap()
}

/// The digest, since when, and until when: `r<n>` is the time of the n-th revision, anything else a day of the owner's clock.
async fn told(index: &Index, name: &str) -> Vec<(Option<String>, String, String)> {
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
        let Some(at) = at else { return "-".to_owned() };
        let n = at.timestamp_micros() - rev(0).micros().cast_signed();
        if (0..100).contains(&n) { format!("r{n}") } else { at.format("%m-%d").to_string() }
    };
    history(index, name).await.into_iter().map(|view| (view.digest, time(view.since), time(view.until))).collect()
}

/// Said before its revision, as by a clock that is right.
fn said(name: &str, manifest_rkey: &str, day: u8) -> serde_json::Value {
    let mut tag = tag(ALICE, "app", name, manifest_rkey, day);
    tag["updatedAt"] = format!("2022-02-{day:02}T12:00:00Z").into();
    tag
}

fn latest(n: u64, manifest_rkey: &str, day: u8) -> Change {
    put(n, id(ALICE, Collection::Tag, "t"), &said("latest", manifest_rkey, day))
}

fn row(content: u8, since: &str, until: &str) -> (Option<String>, String, String) {
    (Some(digest(content)), since.into(), until.into())
}

fn pushed() -> Vec<Change> {
    vec![
        put(1, id(ALICE, Collection::Manifest, "m1"), &manifest("app", 1)),
        put(1, id(ALICE, Collection::Manifest, "m2"), &manifest("app", 2)),
        latest(2, "m1", 1),
    ]
}

#[tokio::test]
async fn a_tag_remembers_what_it_pointed_at() {
    let mut index = Index::new().await;
    index.apply(pushed()).await;
    assert_eq!(told(&index, "latest").await, [row(1, "02-01", "-")]);
    index.apply(vec![latest(4, "m2", 3)]).await;
    let moved = [row(2, "r4", "-"), row(1, "02-01", "r4")];
    assert_eq!(told(&index, "latest").await, moved);
    // Said again, at a newer revision and another time, it points at the same thing.
    index.apply(vec![latest(5, "m2", 4)]).await;
    // What was seen once more, or too late, changes nothing.
    index.apply(vec![latest(4, "m2", 3), latest(3, "m1", 2)]).await;
    assert_eq!(told(&index, "latest").await, moved);
    index.apply(vec![latest(6, "m1", 5)]).await;
    index.apply(vec![delete(7, id(ALICE, Collection::Tag, "t"))]).await;
    let gone = [row(1, "r6", "r7"), row(2, "r4", "r6"), row(1, "02-01", "r4")];
    assert_eq!(told(&index, "latest").await, gone);
    let open = "SELECT count(*) FROM tag_history WHERE until IS NULL";
    assert_eq!(index.count(open).await, 0);
    // What is made anew did not begin before it was removed, whatever its owner says of it.
    index.apply(vec![latest(9, "m2", 6)]).await;
    assert_eq!(told(&index, "latest").await[0], row(2, "r7", "-"));
    index.apply(vec![latest(10, "m1", 7)]).await;
    assert_eq!(told(&index, "latest").await[1], row(2, "r7", "r10"));
    // Between the removal and the revision the owner is believed.
    index.apply(vec![delete(11, id(ALICE, Collection::Tag, "t"))]).await;
    let mut later = said("latest", "m2", 1);
    let hour = chrono::TimeDelta::hours(1);
    let at = chrono::DateTime::from_timestamp_micros(rev(11).micros().cast_signed()).unwrap() + hour;
    later["updatedAt"] = at.to_rfc3339().into();
    index
        .apply(vec![put(2 * hour.num_microseconds().unwrap().cast_unsigned(), id(ALICE, Collection::Tag, "t"), &later)])
        .await;
    assert_eq!(history(&index, "latest").await[0].since, Some(at));
}

/// A clock that is wrong, or says what it likes, moves nothing beyond the revision.
#[tokio::test]
async fn an_owners_clock_is_not_believed_beyond_the_revision() {
    let mut index = Index::new().await;
    let at = |n, rkey, day| put(n, id(ALICE, Collection::Tag, "t"), &tag(ALICE, "app", "latest", rkey, day));
    index.apply(pushed()[..2].to_vec()).await;
    index.apply(vec![at(2, "m1", 20)]).await;
    assert_eq!(told(&index, "latest").await, [row(1, "r2", "-")]);
    index.apply(vec![at(4, "m2", 3)]).await;
    assert_eq!(told(&index, "latest").await, [row(2, "r4", "-"), row(1, "r4", "r4")]);
}

/// The database counts a revision's time as the code does.
#[tokio::test]
async fn a_revisions_time_is_the_same_everywhere() {
    let index = Index::new().await;
    for rev in [rev(0), rev(12_345_678_901), "3jzfcijpj2z2a".parse().unwrap(), "2222222222222".parse().unwrap()] {
        let micros = format!("SELECT (extract(epoch FROM tid_time('{rev}')) * 1000000)::bigint");
        assert_eq!(index.count(&micros).await, rev.micros().cast_signed(), "{rev}");
    }
}

#[tokio::test]
async fn a_record_that_becomes_another_tag_ends_the_first() {
    let mut index = Index::new().await;
    index.apply(pushed()).await;
    index.apply(vec![put(3, id(ALICE, Collection::Tag, "t"), &said("stable", "m1", 5))]).await;
    assert_eq!(told(&index, "latest").await, [row(1, "02-01", "r3")]);
    // It began where the other ended, then and in the end.
    assert_eq!(told(&index, "stable").await, [row(1, "r3", "-")]);
    index.apply(vec![latest(5, "m2", 6)]).await;
    assert_eq!(told(&index, "stable").await, [row(1, "r3", "r5")]);
    assert_eq!(told(&index, "latest").await, [row(2, "r5", "-"), row(1, "02-01", "r3")]);
}

#[tokio::test]
async fn several_moves_in_one_batch_leave_what_was_seen() {
    let mut index = Index::new().await;
    index.apply(pushed()).await;
    index.apply(vec![latest(3, "m2", 2), latest(4, "m1", 3), latest(5, "m2", 4)]).await;
    assert_eq!(told(&index, "latest").await, [row(2, "r5", "-"), row(1, "02-01", "r5")]);
}

/// Its record may go long before the tag does.
#[tokio::test]
async fn a_manifest_that_went_before_its_tag_is_remembered_by_its_digest() {
    for end in [delete(5, id(ALICE, Collection::Tag, "t")), latest(5, "m2", 3)] {
        let mut index = Index::new().await;
        index.apply(pushed()).await;
        index.apply(vec![delete(3, id(ALICE, Collection::Manifest, "m1"))]).await;
        assert_eq!(told(&index, "latest").await, [row(1, "02-01", "-")]);
        index.apply(vec![end]).await;
        assert_eq!(told(&index, "latest").await.pop().unwrap(), row(1, "02-01", "r5"));
    }
    // Nobody pointed at it: there is nothing to remember.
    let mut index = Index::new().await;
    index.apply(pushed()).await;
    index.apply(vec![delete(3, id(ALICE, Collection::Manifest, "m2"))]).await;
    assert_eq!(index.count("SELECT count(*) FROM gone_manifest").await, 0);
}

/// What it points at may come late, and may go or become something else with it.
#[tokio::test]
async fn a_manifest_of_the_same_batch_is_remembered_by_its_digest() {
    let m = |n, rkey, content| put(n, id(ALICE, Collection::Manifest, rkey), &manifest("app", content));
    let gone = |n, collection, rkey| delete(n, id(ALICE, collection, rkey));
    for (batch, digest) in [
        (vec![gone(3, Collection::Tag, "t"), gone(3, Collection::Manifest, "m1")], 1),
        (vec![gone(3, Collection::Manifest, "m1"), latest(4, "m2", 3)], 1),
        (vec![m(3, "m1", 9), latest(4, "m2", 3)], 1),
    ] {
        let mut index = Index::new().await;
        index.apply(pushed()).await;
        index.apply(batch.clone()).await;
        let ended = history(&index, "latest").await.pop().unwrap();
        assert_eq!((ended.digest, ended.manifest), (Some(self::digest(digest)), Some("m1".into())), "{batch:?}");
    }
    let mut index = Index::new().await;
    index.apply(vec![latest(2, "m1", 1)]).await;
    index.apply(vec![latest(3, "m2", 2), m(3, "m1", 1)]).await;
    assert_eq!(history(&index, "latest").await.pop().unwrap().digest, Some(digest(1)));
}
