//! Small histories that went wrong somewhere: each way to come to the same records gives the same index.

use serde_json::{Value, json};
use types::{Change, Collection};

use crate::harness::{ALICE, BOB, Index, delete, id, manifest, put, star, tag};

/// Applies changes one by one, and gives the whole index.
async fn after(changes: &[Change]) -> String {
    let mut index = Index::new().await;
    for change in changes {
        index.apply(vec![change.clone()]).await;
    }
    index.dump().await
}

#[tokio::test]
async fn stars_of_both_generations_are_undone_in_any_order() {
    let (old, new) = (id(BOB, Collection::Star, "old"), id(BOB, Collection::Star, "new"));
    for first_gone in [&old, &new] {
        let second_gone = if *first_gone == old { &new } else { &old };
        let mut index = Index::new().await;
        index
            .apply(vec![
                put(1, old.clone(), &star(ALICE, "app", true)),
                put(2, new.clone(), &star(ALICE, "app", false)),
            ])
            .await;
        let stars = "SELECT coalesce(sum(stars), 0)::bigint FROM repository";
        for (gone, left) in [(first_gone, 1), (second_gone, 0)] {
            index.apply(vec![delete(3, gone.clone())]).await;
            assert_eq!(index.count(stars).await, left, "{gone}");
        }
        assert_eq!(index.count("SELECT count(*) FROM star_edge").await, 0);
        // Late and twice: nothing more happens.
        index.apply(vec![delete(3, (*first_gone).clone()), put(2, new.clone(), &star(ALICE, "app", false))]).await;
        assert_eq!(index.count(stars).await, 0);
    }
}

#[tokio::test]
async fn crew_of_both_generations_stand_side_by_side() {
    let v1 = |pattern: &str| json!({"hold": format!("at://{BOB}/io.atcr.hold/h"), "memberPattern": pattern, "role": "write"});
    let v2 = json!({"member": ALICE, "role": "member", "permissions": ["blob:read"]});
    let address = id(BOB, Collection::Crew, "x");
    let mut index = Index::new().await;
    let crew = async |index: &Index| -> String {
        let rows =
            "SELECT coalesce(string_agg(concat_ws(' ', hold, declaration_rkey, member, pattern, permissions), ', '
                                               ORDER BY rkey), '') FROM crew";
        index.client.query_one(rows, &[]).await.unwrap().get(0)
    };
    index.apply(vec![put(1, address.clone(), &v1("*")), put(1, id("did:web:h", Collection::Crew, "y"), &v2)]).await;
    assert_eq!(crew(&index).await, "h * {blob:read,blob:write}, did:web:h did:plc:alice {blob:read}");
    // One record may become one of the other generation.
    index.apply(vec![put(2, address.clone(), &v2)]).await;
    assert_eq!(crew(&index).await, "did:plc:bob did:plc:alice {blob:read}, did:web:h did:plc:alice {blob:read}");
    index.apply(vec![delete(3, address)]).await;
    assert_eq!(crew(&index).await, "did:web:h did:plc:alice {blob:read}");
}

/// Each history beside the shorter one that it amounts to.
#[tokio::test]
async fn detours_end_where_the_straight_way_does() {
    let (m, t) = (id(ALICE, Collection::Manifest, "m"), id(ALICE, Collection::Tag, "t"));
    let record = |repository: &str| manifest(repository, 1);
    let tagged = |n: u64, to: &str, day| put(n, t.clone(), &tag(ALICE, "app", "latest", to, day));
    let other = || put(1, id(ALICE, Collection::Manifest, "m2"), &manifest("app", 2));
    let cases: Vec<(&str, Vec<Change>, Vec<Change>)> = vec![
        (
            "a record that moves to another repository",
            vec![put(1, m.clone(), &record("app")), put(2, m.clone(), &record("other"))],
            vec![put(2, m.clone(), &record("other"))],
        ),
        (
            "a re-tag",
            vec![put(1, m.clone(), &record("app")), other(), tagged(2, "m", 1), tagged(3, "m2", 2)],
            vec![put(1, m.clone(), &record("app")), other(), tagged(3, "m2", 2)],
        ),
        (
            "deleted before it was created",
            vec![delete(5, m.clone()), put(4, m.clone(), &record("app"))],
            vec![delete(5, m.clone())],
        ),
        (
            "updated before it was created",
            vec![put(5, m.clone(), &record("other")), put(4, m.clone(), &record("app"))],
            vec![put(4, m.clone(), &record("app")), put(5, m.clone(), &record("other"))],
        ),
        (
            "a tag before its manifest",
            vec![tagged(2, "m", 1), put(1, m.clone(), &record("app"))],
            vec![put(1, m.clone(), &record("app")), tagged(2, "m", 1)],
        ),
        (
            "created again after it was deleted",
            vec![put(1, m.clone(), &record("app")), delete(2, m.clone()), put(3, m.clone(), &record("app"))],
            vec![put(3, m.clone(), &record("app"))],
        ),
        (
            "an update that is no record, and one that is",
            vec![put(1, m.clone(), &json!({"repository": 7})), put(2, m.clone(), &record("app"))],
            vec![put(2, m, &record("app"))],
        ),
    ];
    for (name, detour, straight) in cases {
        assert_eq!(after(&detour).await, after(&straight).await, "{name}");
    }
}

/// The first one stands until the repository is read: who is right cannot be told.
#[tokio::test]
async fn an_equal_rev_with_another_cid_changes_nothing_but_is_looked_into() {
    let mut index = Index::new().await;
    let address = id(ALICE, Collection::Tag, "t");
    let say = |text: &str| -> Value { tag(ALICE, "app", text, "m", 1) };
    index.apply(vec![put(1, address.clone(), &say("first"))]).await;
    let applied = index.apply(vec![put(1, address.clone(), &say("second")), delete(1, address)]).await;
    assert_eq!(applied.verdicts.get("conflict"), Some(&2));
    assert_eq!(index.count("SELECT count(*) FROM tag WHERE tag = 'first'").await, 1);
    assert_eq!(index.count("SELECT count(*) FROM job WHERE kind = 'resync' AND key = 'did:plc:alice'").await, 1);
}
