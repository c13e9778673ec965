//! Every repository in some order, page after page.

use store::{queries::SearchPage, search};
use types::{Collection, search::Sort};

use crate::{
    harness::{ALICE, BOB, id, put, tag},
    search::{ask, seeded},
};

#[tokio::test]
async fn every_order_is_paged_without_a_gap() {
    let index = seeded().await;
    index.client.batch_execute("UPDATE repository SET updated_at = NULL WHERE name = 'hello'").await.unwrap();
    let pulled = |did: &str, name: &str, n| ((did.to_owned(), name.to_owned(), String::new()), n);
    let pulls = [pulled(ALICE, "pgbackup", 7), pulled(ALICE, "testing", 5), pulled(BOB, "postgres", 5)];
    store::pulls::add(&index.client, &pulls.into()).await.unwrap();
    for query in ["", "license:mit", "-hello", "e"] {
        for sort in Sort::ALL {
            let whole = ask(&index, query, sort, None, 100).await;
            let names = |page: &SearchPage| {
                page.items.iter().map(|item| format!("{} {}", item.owner.did, item.name)).collect::<Vec<_>>()
            };
            let (mut paged, mut cursor) = (Vec::new(), None);
            loop {
                let page = ask(&index, query, sort, cursor, 2).await;
                assert_eq!(page.total, whole.total);
                if !paged.is_empty() {
                    // The way back is the page before, as it was, and there the way on is this page.
                    let back = page.previous.as_deref().unwrap().parse().unwrap();
                    let before = ask(&index, query, sort, Some(back), 2).await;
                    assert_eq!(names(&before), paged[paged.len() - 2..], "{query} {sort:?}");
                    assert_eq!(before.previous.is_none(), paged.len() == 2, "{query} {sort:?}");
                    let on = ask(&index, query, sort, Some(before.next.unwrap().parse().unwrap()), 2).await;
                    assert_eq!(names(&on), names(&page), "{query} {sort:?}");
                }
                assert_eq!(page.previous.is_none(), paged.is_empty(), "{query} {sort:?}");
                paged.extend(names(&page));
                match page.next {
                    Some(next) => cursor = Some(next.parse().unwrap()),
                    None => break,
                }
            }
            assert_eq!(paged, names(&whole), "{query} {sort:?}");
            assert_eq!(paged.len(), whole.total, "{query} {sort:?}");
            let first = whole.items.first().map(|item| item.name.as_str());
            match (query, sort) {
                ("", Sort::Stars) => assert_eq!(first, Some("postgres")),
                ("" | "license:mit", Sort::Pulls) => assert_eq!(first, Some("pgbackup")),
                ("", Sort::Name) => assert_eq!(first, Some("hello")),
                ("", Sort::Newest) => assert_eq!(whole.items.last().map(|item| item.name.as_str()), Some("hello")),
                _ => {}
            }
        }
    }
}

/// Nobody stays on top of what is newest by a clock that is years ahead.
#[tokio::test]
async fn a_time_to_come_is_none_in_a_search() {
    let mut index = seeded().await;
    let mut ahead = tag(ALICE, "hello", "next", "m1", 1);
    ahead["updatedAt"] = "2199-01-01T00:00:00Z".into();
    index.apply(vec![put(2, id(ALICE, Collection::Tag, "ahead"), &ahead)]).await;
    search::settle(&mut index.client).await.unwrap();
    let newest = async |query: &str| -> Vec<String> {
        let page = ask(&index, query, Sort::Newest, None, 50).await;
        page.items.into_iter().map(|item| item.name).collect()
    };
    assert_eq!(newest("hello").await, ["hello-world", "hello"]);
    assert_eq!(newest("hello updated:7d").await, Vec::<String>::new());
    assert!(!newest("").await.contains(&"hello".to_owned()));
}
