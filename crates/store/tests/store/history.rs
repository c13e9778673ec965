//! What a tag pointed at, when, until when.

use store::queries::TagHistoryView;
use types::{Change, Collection};

use crate::harness::{ALICE, Index, delete, digest, id, manifest, put, tag};

async fn history(index: &Index, name: &str) -> Vec<TagHistoryView> {
    let (did, app, name) = (ALICE.parse().unwrap(), "app".parse().unwrap(), name.parse().unwrap());
    index.reader.tag_history(&did, &app, &name, 100, 0).await.unwrap()
}

/// Digest, day of the month since when, and until when.
async fn told(index: &Index, name: &str) -> Vec<(Option<String>, String, String)> {
    let day = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or("-".into(), |at| at.format("%m-%d").to_string());
    history(index, name).await.into_iter().map(|view| (view.digest, day(view.since), day(view.until))).collect()
}

fn latest(n: u64, manifest_rkey: &str, day: u8) -> Change {
    put(n, id(ALICE, Collection::Tag, "t"), &tag(ALICE, "app", "latest", manifest_rkey, day))
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
    assert_eq!(told(&index, "latest").await, [row(1, "02-02", "-")]);
    // Said again, at a newer revision and another time, it points at the same thing.
    index.apply(vec![latest(3, "m1", 2)]).await;
    assert_eq!(told(&index, "latest").await, [row(1, "02-03", "-")]);
    index.apply(vec![latest(4, "m2", 3)]).await;
    let moved = [row(2, "02-04", "-"), row(1, "02-03", "02-04")];
    assert_eq!(told(&index, "latest").await, moved);
    // What was seen once more, or too late, changes nothing.
    index.apply(vec![latest(4, "m2", 3), latest(3, "m1", 2)]).await;
    assert_eq!(told(&index, "latest").await, moved);
    index.apply(vec![delete(5, id(ALICE, Collection::Tag, "t"))]).await;
    // The time of the revision that removed it.
    assert_eq!(told(&index, "latest").await, [row(2, "02-04", "11-14"), row(1, "02-03", "02-04")]);
}

#[tokio::test]
async fn a_record_that_becomes_another_tag_ends_the_first() {
    let mut index = Index::new().await;
    index.apply(pushed()).await;
    index.apply(vec![put(3, id(ALICE, Collection::Tag, "t"), &tag(ALICE, "app", "stable", "m1", 5))]).await;
    assert_eq!(told(&index, "latest").await, [row(1, "02-02", "11-14")]);
    assert_eq!(told(&index, "stable").await, [row(1, "02-06", "-")]);
}

#[tokio::test]
async fn several_moves_in_one_batch_leave_what_was_seen() {
    let mut index = Index::new().await;
    index.apply(pushed()).await;
    index.apply(vec![latest(3, "m2", 2), latest(4, "m1", 3), latest(5, "m2", 4)]).await;
    assert_eq!(told(&index, "latest").await, [row(2, "02-05", "-"), row(1, "02-02", "02-05")]);
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
