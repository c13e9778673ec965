//! Which holds are read and followed, and who took over from whom.

use serde_json::{Value, json};
use types::Collection;

use crate::harness::{ALICE, Index, delete, id, manifest, put};

fn name(n: u8) -> String {
    format!("did:web:hold{n}.example")
}

fn captain(successor: Option<u8>) -> Value {
    json!({"owner": ALICE, "public": true, "successor": successor.map(name)})
}

/// A manifest on a hold.
fn on(n: u8) -> Value {
    let mut record = manifest("app", n);
    record["holdDid"] = json!(name(n));
    record
}

async fn depths(index: &Index) -> String {
    let rows = "SELECT coalesce(string_agg(did || ' ' || depth, ', ' ORDER BY did), '') FROM hold_stream";
    index.client.query_one(rows, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn successors_are_followed_three_deep_and_no_further() {
    let mut index = Index::new().await;
    index.apply(vec![put(1, id(ALICE, Collection::Manifest, "m"), &on(0))]).await;
    let to_read = "SELECT count(*) FROM job WHERE kind = 'resync'";
    for n in 0..4 {
        let read = index.count(to_read).await;
        assert_eq!(read, i64::from(n) + 1, "a hold that is new is read");
        index.apply(vec![put(1, id(&name(n), Collection::Captain, "self"), &captain(Some(n + 1)))]).await;
    }
    assert_eq!(index.count(to_read).await, 4, "the fourth successor is one too many");
    let deep = "did:web:hold0.example 0, did:web:hold1.example 1, did:web:hold2.example 2, did:web:hold3.example 3";
    assert_eq!(depths(&index).await, deep);
    // A manifest that names one of them makes it the first of its line.
    index.apply(vec![put(2, id(ALICE, Collection::Manifest, "m2"), &on(2))]).await;
    index.apply(vec![put(2, id(&name(2), Collection::Captain, "self"), &captain(Some(3)))]).await;
    assert_eq!(
        depths(&index).await,
        "did:web:hold0.example 0, did:web:hold1.example 1, did:web:hold2.example 0, did:web:hold3.example 3"
    );
    let profile = json!({"defaultHold": "https://hold9.example"});
    index.apply(vec![put(2, id(ALICE, Collection::Profile, "self"), &profile)]).await;
    assert!(depths(&index).await.ends_with("did:web:hold9.example 0"));
}

#[tokio::test]
async fn the_hold_in_charge_is_the_last_of_three_and_a_circle_ends() {
    let mut index = Index::new().await;
    let in_charge = async |index: &Index, n: u8| {
        let (did, view) = index.reader.hold_in_charge(&name(n).parse().unwrap()).await.unwrap();
        (did.to_string(), view.is_some_and(|view| view.captain))
    };
    assert_eq!(in_charge(&index, 0).await, (name(0), false));
    for n in 0..5 {
        index.apply(vec![put(1, id(&name(n), Collection::Captain, "self"), &captain(Some(n + 1)))]).await;
    }
    assert_eq!(in_charge(&index, 0).await, (name(3), true));
    assert_eq!(in_charge(&index, 3).await, (name(5), false));
    // One that points at itself, and two that point at each other.
    index.apply(vec![put(2, id(&name(5), Collection::Captain, "self"), &captain(Some(5)))]).await;
    assert_eq!(in_charge(&index, 5).await, (name(5), true));
    index.apply(vec![put(3, id(&name(5), Collection::Captain, "self"), &captain(Some(4)))]).await;
    assert_eq!((in_charge(&index, 5).await, in_charge(&index, 4).await), ((name(4), true), (name(5), true)));
}

#[tokio::test]
async fn a_declaration_that_comes_changes_or_goes_is_told_under_the_hold_it_speaks_of() {
    let mut index = Index::new().await;
    let legacy = json!({"endpoint": "https://hold1.example", "owner": ALICE, "public": true});
    let declared = id(ALICE, Collection::LegacyHold, "hold1.example");
    let own = id(&name(1), Collection::Captain, "self");
    let told = "SELECT count(*) FROM change_log
                WHERE seq > $1 AND ARRAY['captain:did:web:hold1.example', 'hold:did:web:hold1.example'] <@ keys";
    let last = "SELECT coalesce(max(seq), 0) FROM change_log";
    let changes = [
        put(1, declared.clone(), &legacy),
        delete(2, declared),
        put(3, own.clone(), &captain(None)),
        put(4, own.clone(), &captain(Some(2))),
        delete(5, own),
    ];
    for change in changes {
        let what = format!("{change:?}");
        let before = index.count(last).await;
        index.apply(vec![change]).await;
        let told: i64 = index.client.query_one(told, &[&before]).await.unwrap().get(0);
        assert_eq!(told, 1, "{what}");
    }
    let before = index.count(last).await;
    index.apply(vec![put(6, id(ALICE, Collection::Manifest, "m"), &on(1))]).await;
    let keys = "SELECT string_agg(key, ' ') FROM change_log, unnest(keys) key WHERE seq > $1";
    let keys: String = index.client.query_one(keys, &[&before]).await.unwrap().get(0);
    assert!(
        keys.contains("hold:did:web:hold1.example") && !keys.contains("captain:"),
        "a push changes no declaration: {keys}"
    );
}
