use types::Collection;

use crate::harness::{ALICE, BOB, Index, id, manifest, put, star, tag};

async fn seeded() -> Index {
    let mut index = Index::new().await;
    let mut changes = Vec::new();
    for (n, name) in (1u8..).zip(["hello", "hello-world", "helo", "postgres", "team/app"]) {
        changes.push(put(1, id(ALICE, Collection::Manifest, &format!("m{n}")), &manifest(name, n)));
        changes.push(put(
            1,
            id(ALICE, Collection::Tag, &format!("t{n}")),
            &tag(ALICE, name, "latest", &format!("m{n}"), n),
        ));
    }
    changes.push(put(1, id(BOB, Collection::Star, "s"), &star(ALICE, "postgres", false)));
    index.apply(changes).await;
    index
        .client
        .execute("UPDATE actor SET handle = 'alice.test', handle_checked_at = now() WHERE did = $1", &[&ALICE])
        .await
        .unwrap();
    index
}

#[tokio::test]
async fn hidden_accounts_are_not_shown() {
    let index = seeded().await;
    index.client.execute("UPDATE actor SET active = false WHERE did = $1", &[&ALICE]).await.unwrap();
    assert!(index.reader.repository(&ALICE.parse().unwrap(), &"hello".parse().unwrap()).await.unwrap().is_none());
    assert_eq!(index.reader.records_fingerprint().await.unwrap().1, 1, "only bob's star is left");
}

#[tokio::test]
async fn a_handle_that_was_not_checked_for_a_day_is_not_shown() {
    let index = seeded().await;
    let handle = "alice.test".parse().unwrap();
    assert!(index.reader.actor_by_handle(&handle).await.unwrap().is_some());
    index.client.execute("UPDATE actor SET handle_checked_at = now() - interval '25 hours'", &[]).await.unwrap();
    assert!(index.reader.actor_by_handle(&handle).await.unwrap().is_none());
    assert_eq!(index.reader.actor(&ALICE.parse().unwrap()).await.unwrap().unwrap().handle, None);
}

#[tokio::test]
async fn status_counts() {
    let index = seeded().await;
    let status = index.reader.status().await.unwrap();
    assert_eq!((status.counts.repositories, status.counts.tags, status.counts.stars), (5, 5, 1));
    assert_eq!((status.counts.records, status.counts.accounts), (11, 2));
    assert!(status.backfill.is_none());
}

#[tokio::test]
async fn tags_are_the_newest_first() {
    let mut index = seeded().await;
    index.apply(vec![put(2, id(ALICE, Collection::Tag, "v1"), &tag(ALICE, "hello", "v1", "m1", 20))]).await;
    let tags = index.reader.tags(&ALICE.parse().unwrap(), &"hello".parse().unwrap(), "", 10, 0).await.unwrap();
    let names: Vec<&str> = tags.iter().map(|tag| tag.tag.as_str()).collect();
    assert_eq!(names, ["v1", "latest"]);
    assert_eq!(tags[0].size, Some(42));
    let filtered = index.reader.tags(&ALICE.parse().unwrap(), &"hello".parse().unwrap(), "LAT", 10, 0).await.unwrap();
    assert_eq!(filtered.len(), 1);
}
