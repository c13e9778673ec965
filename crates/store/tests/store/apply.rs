use serde_json::json;
use types::{Batch, Change, Collection, CursorMove, DropReason, Hint, Origin, Reject, Tag};

use crate::harness::{ALICE, BOB, Index, delete, digest, id, manifest, page, put, rev, star, tag};

#[tokio::test]
async fn a_push_becomes_a_repository() {
    let mut index = Index::new().await;
    index
        .apply(vec![
            put(1, id(ALICE, Collection::Manifest, "m1"), &manifest("app", 1)),
            put(2, id(ALICE, Collection::Tag, "t1"), &tag(ALICE, "app", "latest", "m1", 3)),
            put(3, id(ALICE, Collection::Page, "app"), &page("app", "# App\n\nIt does things.")),
            put(4, id(BOB, Collection::Star, "s1"), &star(ALICE, "app", false)),
        ])
        .await;
    let found = index.reader.repository(&ALICE.parse().unwrap(), &"app".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((found.manifests, found.tags, found.item.stars), (1, 1, 1));
    assert_eq!(found.item.description.as_deref(), Some("It does things."));
    assert_eq!(found.title.as_deref(), Some("Title 1"));
    assert_eq!(found.latest_digest, Some(digest(1)));
    assert_eq!(found.hold.as_deref(), Some("did:web:hold.example"));
    let actors = "SELECT count(*) FROM actor WHERE did IN ('did:plc:alice', 'did:plc:bob', 'did:web:hold.example')";
    assert_eq!(index.count(actors).await, 3);
    assert_eq!(index.count("SELECT count(*) FROM job WHERE kind = 'actor'").await, 3);
    assert_eq!(index.count("SELECT count(*) FROM job WHERE kind = 'manifest' AND key = 'did:plc:alice/m1'").await, 1);
    assert_eq!(index.count("SELECT count(*) FROM job WHERE kind = 'resync' AND key = 'did:web:hold.example'").await, 1);
}

#[tokio::test]
async fn a_re_tag_moves_and_a_delete_removes() {
    let mut index = Index::new().await;
    let (owner, app, latest) = (ALICE.parse().unwrap(), "app".parse().unwrap(), "latest".parse::<Tag>().unwrap());
    index
        .apply(vec![
            put(1, id(ALICE, Collection::Manifest, "m1"), &manifest("app", 1)),
            put(1, id(ALICE, Collection::Manifest, "m2"), &manifest("app", 2)),
            put(2, id(ALICE, Collection::Tag, "t"), &tag(ALICE, "app", "latest", "m1", 1)),
        ])
        .await;
    let found = index.reader.tag_digest(&owner, &app, &latest).await.unwrap();
    assert_eq!(found, store::queries::Asked::Found(digest(1).parse().unwrap()));
    index.apply(vec![put(3, id(ALICE, Collection::Tag, "t"), &tag(ALICE, "app", "latest", "m2", 2))]).await;
    let found = index.reader.tag_digest(&owner, &app, &latest).await.unwrap();
    assert_eq!(found, store::queries::Asked::Found(digest(2).parse().unwrap()));
    index.apply(vec![delete(4, id(ALICE, Collection::Tag, "t"))]).await;
    let found = index.reader.tag_digest(&owner, &app, &latest).await.unwrap();
    assert_eq!(found, store::queries::Asked::NotInRepository);
    index
        .apply(vec![delete(5, id(ALICE, Collection::Manifest, "m1")), delete(5, id(ALICE, Collection::Manifest, "m2"))])
        .await;
    assert_eq!(index.count("SELECT count(*) FROM repository").await, 0);
    let found = index.reader.tag_digest(&owner, &app, &latest).await.unwrap();
    assert_eq!(found, store::queries::Asked::NoRepository);
    assert_eq!(index.count("SELECT count(*) FROM record WHERE state = 'deleted'").await, 3);
}

#[tokio::test]
async fn what_is_deleted_before_it_is_created_stays_deleted() {
    let mut index = Index::new().await;
    let star_id = id(BOB, Collection::Star, "s");
    index.apply(vec![delete(5, star_id.clone())]).await;
    let applied = index.apply(vec![put(4, star_id, &star(ALICE, "app", true))]).await;
    assert_eq!(applied.verdicts.get("stale"), Some(&1));
    assert_eq!(index.count("SELECT count(*) FROM star_edge").await, 0);
}

#[tokio::test]
async fn an_update_that_does_not_decode_removes_what_was_shown() {
    let mut index = Index::new().await;
    let manifest_id = id(ALICE, Collection::Manifest, "m");
    index.apply(vec![put(1, manifest_id.clone(), &manifest("app", 1))]).await;
    index.apply(vec![put(2, manifest_id.clone(), &json!({"$type": "io.atcr.manifest", "repository": ""}))]).await;
    assert_eq!(index.count("SELECT count(*) FROM manifest").await, 0);
    assert_eq!(index.count("SELECT count(*) FROM layer").await, 0);
    let record = index.reader.record(&manifest_id).await.unwrap().unwrap();
    assert_eq!(record.state, "invalid");
    assert!(record.reason.unwrap().contains("repository"));
    // Undecodable records are live all the same: the fingerprint covers them.
    assert_eq!(index.reader.records_fingerprint().await.unwrap().1, 1);
}

#[tokio::test]
async fn forged_records_are_kept_and_count_for_nothing() {
    let mut index = Index::new().await;
    index
        .apply(vec![
            put(1, id(BOB, Collection::Tag, "t"), &tag(ALICE, "app", "latest", "m1", 1)),
            put(
                1,
                id(BOB, Collection::LegacyHold, "h"),
                &json!({"endpoint": "https://hold.example", "owner": ALICE, "public": true}),
            ),
        ])
        .await;
    assert_eq!(index.count("SELECT count(*) FROM tag").await + index.count("SELECT count(*) FROM hold").await, 0);
    assert_eq!(index.count("SELECT count(*) FROM record WHERE state = 'invalid' AND reason LIKE 'forged:%'").await, 2);
}

#[tokio::test]
async fn a_hold_counts_only_what_it_may_say() {
    let mut index = Index::new().await;
    let stats = |pulls: i64| json!({"ownerDid": ALICE, "repository": "app", "pullCount": pulls, "pushCount": 1});
    index
        .apply(vec![
            put(1, id(ALICE, Collection::Manifest, "m"), &manifest("app", 1)),
            put(1, id("did:web:hold.example", Collection::HoldStats, "a"), &stats(7)),
            put(1, id("did:web:mallory.example", Collection::HoldStats, "a"), &stats(1000)),
            put(
                1,
                id(BOB, Collection::LegacyHold, "h"),
                &json!({"endpoint": "https://hold.example", "owner": BOB, "public": true}),
            ),
        ])
        .await;
    let found = index.reader.repository(&ALICE.parse().unwrap(), &"app".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(found.item.claimed_pulls, 7);
    let hold = "did:web:hold.example".parse().unwrap();
    let claimed = index.reader.hold(&hold).await.unwrap().unwrap();
    assert_eq!((claimed.owner.as_deref(), claimed.captain), (Some(BOB), false));
    let captain = json!({"owner": ALICE, "public": false, "allowAllCrew": false});
    let other = json!({"endpoint": "https://hold.example", "owner": ALICE, "public": true});
    index.apply(vec![put(2, id(ALICE, Collection::LegacyHold, "h"), &other)]).await;
    let contested = index.reader.hold(&hold).await.unwrap().unwrap();
    assert_eq!((contested.owner, contested.public), (None, None), "two claimants: neither is trusted");
    index.apply(vec![put(2, id("did:web:hold.example", Collection::Captain, "self"), &captain)]).await;
    let spoken = index.reader.hold(&hold).await.unwrap().unwrap();
    assert_eq!((spoken.owner.as_deref(), spoken.captain, spoken.public), (Some(ALICE), true, Some(false)));
}

#[tokio::test]
async fn double_stars_count_once_and_go_with_the_last() {
    let mut index = Index::new().await;
    let (old, new) = (id(BOB, Collection::Star, "old"), id(BOB, Collection::Star, "new"));
    index
        .apply(vec![put(1, old.clone(), &star(ALICE, "app", true)), put(2, new.clone(), &star(ALICE, "app", false))])
        .await;
    let stars = "SELECT coalesce(sum(stars), 0)::bigint FROM repository";
    assert_eq!(index.count(stars).await, 1);
    index.apply(vec![delete(3, old)]).await;
    assert_eq!(index.count(stars).await, 1);
    index.apply(vec![delete(4, new.clone())]).await;
    assert_eq!(index.count(stars).await, 0);
    // Within one batch a star that is moved to another repository takes its count along.
    index.apply(vec![put(5, new.clone(), &star(ALICE, "app", true))]).await;
    index.apply(vec![put(6, new, &star(ALICE, "other", true))]).await;
    assert_eq!(index.count("SELECT count(*) FROM repository WHERE name = 'other' AND stars = 1").await, 1);
    assert_eq!(index.count("SELECT count(*) FROM repository").await, 1);
}

#[tokio::test]
async fn one_digest_in_two_repositories_is_served_under_both() {
    let mut index = Index::new().await;
    index
        .apply(vec![
            put(1, id(ALICE, Collection::Manifest, "m"), &manifest("one", 1)),
            put(1, id(ALICE, Collection::Tag, "t1"), &tag(ALICE, "one", "v1", "m", 1)),
            put(1, id(ALICE, Collection::Tag, "t2"), &tag(ALICE, "two", "v1", "m", 1)),
        ])
        .await;
    for (name, served) in [("one", true), ("two", true), ("three", false)] {
        let asked = index
            .reader
            .served_manifest(&ALICE.parse().unwrap(), &name.parse().unwrap(), &digest(1).parse().unwrap())
            .await
            .unwrap();
        assert_eq!(matches!(asked, store::queries::Asked::Found(_)), served, "{name}");
    }
}

#[tokio::test]
async fn a_snapshot_removes_what_is_gone_and_raises_the_floor() {
    let mut index = Index::new().await;
    let (kept, gone, newer) =
        (id(BOB, Collection::Star, "kept"), id(BOB, Collection::Star, "gone"), id(BOB, Collection::Star, "newer"));
    index
        .apply(vec![
            put(1, kept.clone(), &star(ALICE, "a", true)),
            put(1, gone.clone(), &star(ALICE, "b", true)),
            put(9, newer.clone(), &star(ALICE, "c", true)),
        ])
        .await;
    let present = [(Collection::Star, kept.rkey.clone())].into();
    index.apply(vec![Change::Snapshot { did: BOB.parse().unwrap(), rev: rev(5), present }]).await;
    let names: Vec<String> = index
        .client
        .query("SELECT name FROM repository ORDER BY 1", &[])
        .await
        .unwrap()
        .iter()
        .map(|r| r.get(0))
        .collect();
    assert_eq!(names, ["a", "c"]);
    let applied = index.apply(vec![put(4, id(BOB, Collection::Star, "late"), &star(ALICE, "d", true))]).await;
    assert_eq!(applied.verdicts.get("below_floor"), Some(&1));
    let applied = index.apply(vec![put(4, gone, &star(ALICE, "b", true))]).await;
    assert_eq!(applied.verdicts.get("stale"), Some(&1));
}

#[tokio::test]
async fn an_equal_rev_with_another_cid_queues_a_resync() {
    let mut index = Index::new().await;
    let star_id = id(BOB, Collection::Star, "s");
    index.apply(vec![put(1, star_id.clone(), &star(ALICE, "a", true))]).await;
    let applied = index.apply(vec![put(1, star_id, &star(ALICE, "b", true))]).await;
    assert_eq!(applied.verdicts.get("conflict"), Some(&1));
    assert_eq!(index.count("SELECT count(*) FROM job WHERE kind = 'resync' AND key = 'did:plc:bob'").await, 1);
    assert_eq!(index.count("SELECT count(*) FROM repository WHERE name = 'a'").await, 1);
}

#[tokio::test]
async fn the_cursor_the_rejects_and_the_log_go_with_the_data() {
    let mut index = Index::new().await;
    let mut batch = Batch::new(Origin::Stream);
    batch.changes.push(put(1, id(ALICE, Collection::Manifest, "m"), &manifest("app", 1)));
    batch.changes.push(Change::Look { did: BOB.parse().unwrap(), hint: Hint::Account { active: false } });
    batch.cursor = Some(CursorMove { source: "wss://x/subscribe".into(), to: 42, safe_time: Some(40) });
    batch.rejects.push(Reject {
        did: Some(ALICE.parse().unwrap()),
        reason: DropReason::BadName,
        detail: "nul \0 in it".into(),
        raw: (*b"{}").into(),
    });
    index.writer.apply(batch).await.unwrap();
    assert_eq!(index.count("SELECT position FROM cursor").await, 42);
    assert_eq!(index.count("SELECT count(*) FROM reject").await, 1);
    let keys: Vec<String> = index.client.query_one("SELECT keys FROM change_log", &[]).await.unwrap().get(0);
    assert_eq!(
        keys,
        [
            "did:did:plc:alice",
            "did:did:plc:bob",
            "hold:did:web:hold.example",
            "repository:did:plc:alice/app",
            "stars:did:plc:bob"
        ]
    );
    let mut older = Batch::new(Origin::Stream);
    older.cursor = Some(CursorMove { source: "wss://x/subscribe".into(), to: 41, safe_time: None });
    index.writer.apply(older).await.unwrap();
    assert_eq!(index.count("SELECT position FROM cursor").await, 42, "a cursor never goes back");
}

#[tokio::test]
async fn what_postgres_refuses_stands_alone_and_its_siblings_are_applied() {
    let mut index = Index::new().await;
    // An index entry holds at most 2,704 bytes: a hold's and an owner's name together can be longer.
    // Noise, since Postgres compresses what repeats.
    let noise: String = (0u8..32).map(|n| types::Digest::sha256(&[n]).hex().to_owned()).collect();
    let noise = &noise[..2000];
    let long = id(&format!("did:web:{}", &noise[..1900]), Collection::Manifest, "m");
    index.apply(vec![put(1, long.clone(), &manifest("app", 1))]).await;
    assert_eq!(index.count("SELECT count(*) FROM manifest").await, 1);
    let mut huge = manifest("app", 1);
    huge["holdDid"] = json!(format!("did:web:{noise}"));
    let changes = vec![
        put(2, id(ALICE, Collection::Manifest, "ok1"), &manifest("a", 2)),
        put(2, long.clone(), &huge),
        put(2, id(ALICE, Collection::Manifest, "ok2"), &manifest("b", 3)),
    ];
    let applied = index.apply(changes).await;
    assert_eq!(applied.refused, 1);
    assert_eq!(index.count("SELECT count(*) FROM manifest WHERE did = 'did:plc:alice'").await, 2);
    // The older version is not served in its stead.
    assert_eq!(index.count("SELECT count(*) FROM manifest").await, 2);
    let record = index.reader.record(&long).await.unwrap().unwrap();
    assert_eq!(record.state, "invalid");
    assert!(record.reason.unwrap().starts_with("unstorable"));
}
