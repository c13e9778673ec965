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

async fn found(index: &Index, query: &str) -> Vec<String> {
    index.reader.search(query, 20, 0).await.unwrap().items.into_iter().map(|item| item.name).collect()
}

#[tokio::test]
async fn search_ranks_the_exact_name_first() {
    let index = seeded().await;
    assert_eq!(found(&index, "hello").await[..2], ["hello", "hello-world"]);
    assert_eq!(found(&index, "HELLO").await[0], "hello");
    assert_eq!(found(&index, "postgers").await, ["postgres"], "a typo");
    assert_eq!(found(&index, "alice.test team").await, ["team/app"], "owner and name together");
    assert_eq!(found(&index, "%").await, Vec::<String>::new(), "LIKE's own characters mean nothing");
    assert_eq!(found(&index, "").await.len(), 5);
}

#[tokio::test]
async fn search_pages_and_counts() {
    let index = seeded().await;
    let first = index.reader.search("", 2, 0).await.unwrap();
    assert_eq!((first.total, first.items.len(), first.next.as_deref()), (5, 2, Some("2")));
    let last = index.reader.search("", 2, 4).await.unwrap();
    assert_eq!((last.items.len(), last.next), (1, None));
}

/// A clock that is years ahead, or an owner who wants to stay on top.
#[tokio::test]
async fn a_time_to_come_is_none_until_it_has_come() {
    let mut index = seeded().await;
    let newest = found(&index, "").await;
    let mut ahead = tag(ALICE, "helo", "next", "m3", 1);
    ahead["updatedAt"] = "2199-01-01T00:00:00Z".into();
    index.apply(vec![put(2, id(ALICE, Collection::Tag, "ahead"), &ahead)]).await;
    let others: Vec<String> = newest.into_iter().filter(|name| name != "helo").collect();
    let last = [&others[..], &["helo".to_owned()]].concat();
    assert_eq!(found(&index, "").await, last);
    let alice = ALICE.parse().unwrap();
    let hers = index.reader.repositories_of(&alice, 20).await.unwrap();
    assert_eq!(hers.iter().map(|item| item.name.clone()).collect::<Vec<_>>(), last);
    assert_eq!(hers.last().unwrap().updated_at, None);
    let page = index.reader.search("", 2, 4).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].name.as_str()), (1, "helo"));
    assert!(index.reader.newest_repositories(20).await.unwrap().iter().all(|item| item.name != "helo"));
    // The index keeps what the record says; only who looks judges.
    let kept = "SELECT count(*) FROM repository WHERE updated_at = '2199-01-01'";
    assert_eq!(index.count(kept).await, 1);
    let come = "UPDATE repository SET updated_at = now() WHERE name = 'helo'";
    index.client.execute(come, &[]).await.unwrap();
    assert_eq!(found(&index, "").await[0], "helo");
}

#[tokio::test]
async fn hidden_accounts_are_not_shown() {
    let index = seeded().await;
    index.client.execute("UPDATE actor SET active = false WHERE did = $1", &[&ALICE]).await.unwrap();
    assert!(found(&index, "hello").await.is_empty());
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
