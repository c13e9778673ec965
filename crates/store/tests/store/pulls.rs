//! Pulls are added up by tag, by repository and by day.

use std::collections::BTreeMap;

use store::{
    pulls::{self, Pulled},
    queries::TagsAsked,
};
use types::{Change, Collection, Hint};

use crate::harness::{ALICE, BOB, Index, id, manifest, put, tag};

fn pulled(did: &str, repository: &str, tag: &str) -> Pulled {
    (did.to_owned(), repository.to_owned(), tag.to_owned())
}

async fn index() -> Index {
    let mut index = Index::new().await;
    index
        .apply(vec![
            put(1, id(ALICE, Collection::Manifest, "m"), &manifest("app", 1)),
            put(1, id(ALICE, Collection::Tag, "v1"), &tag(ALICE, "app", "v1", "m", 1)),
            put(1, id(ALICE, Collection::Tag, "v2"), &tag(ALICE, "app", "v2", "m", 2)),
            put(1, id(BOB, Collection::Manifest, "m"), &manifest("tool", 2)),
        ])
        .await;
    index
}

#[tokio::test]
async fn pulls_add_up_and_are_shown_beside_what_holds_claim() {
    let index = index().await;
    let first = [(pulled(ALICE, "app", "v1"), 2), (pulled(ALICE, "app", ""), 1), (pulled(BOB, "tool", ""), 5)];
    let second = [(pulled(ALICE, "app", "v1"), 1), (pulled(ALICE, "app", "v2"), 1)];
    for pulls in [BTreeMap::from(first), BTreeMap::from(second)] {
        pulls::add(&index.client, &pulls).await.unwrap();
    }
    let (alice, app) = (ALICE.parse().unwrap(), "app".parse().unwrap());
    let view = index.reader.repository(&alice, &app).await.unwrap().unwrap();
    assert_eq!((view.item.pulls, view.item.claimed_pulls), (5, 0));
    let tags = index.reader.tags(&alice, &app, &TagsAsked { limit: 9, ..TagsAsked::default() }).await.unwrap().items;
    let tags: Vec<_> = tags.iter().map(|tag| (tag.tag.as_str(), tag.pulls)).collect();
    assert_eq!(tags, [("v2", 1), ("v1", 3)]);
    let today = "SELECT sum(pulls)::bigint FROM pull_day WHERE day = current_date";
    assert_eq!(index.count(today).await, 10);
}

#[tokio::test]
async fn an_account_that_may_not_be_shown_is_not_counted() {
    let mut index = index().await;
    index.apply(vec![Change::Look { did: BOB.parse().unwrap(), hint: Hint::Account { active: false } }]).await;
    let pulls = [(pulled(ALICE, "app", ""), 1), (pulled(BOB, "tool", ""), 5), (pulled("did:plc:x", "x", ""), 1)];
    pulls::add(&index.client, &BTreeMap::from(pulls)).await.unwrap();
    assert_eq!(index.count("SELECT sum(pulls)::bigint FROM pull_count").await, 1);
}
