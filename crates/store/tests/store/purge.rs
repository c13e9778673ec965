//! A deleted account leaves nothing but its name, its status and its floor.

use std::time::Duration;

use store::{
    archive, fingerprint,
    jobs::{self, JobKind},
    observe::{self, ImageConfig, ManifestBytes},
};
use types::{Arrival, Batch, Change, Collection, Did, DropReason, Form, Hint, Origin, Reject};

use crate::harness::{ALICE, BOB, Index, delete, digest, id, manifest, page, put, rev, star, tag};

fn alice() -> Vec<Change> {
    vec![
        put(1, id(ALICE, Collection::Manifest, "m1"), &manifest("app", 1)),
        put(1, id(ALICE, Collection::Tag, "t"), &tag(ALICE, "app", "latest", "m1", 1)),
    ]
}

fn bob() -> Vec<Change> {
    vec![
        put(1, id(BOB, Collection::Manifest, "m1"), &manifest("mine", 1)),
        put(1, id(BOB, Collection::Manifest, "m3"), &manifest("mine", 3)),
        put(2, id(BOB, Collection::Tag, "t"), &tag(BOB, "mine", "latest", "m1", 1)),
        put(3, id(BOB, Collection::Tag, "t"), &tag(BOB, "mine", "latest", "m3", 2)),
        put(3, id(BOB, Collection::Page, "mine"), &page("mine", "Secrets.")),
        put(4, id(BOB, Collection::Star, "s1"), &star(ALICE, "app", false)),
        put(4, id(BOB, Collection::Star, "s2"), &star(ALICE, "nothing-else", false)),
        delete(5, id(BOB, Collection::Star, "gone")),
    ]
}

fn bobs() -> Did {
    BOB.parse().unwrap()
}

fn reject() -> Reject {
    let raw = b"bytes".as_slice().into();
    Reject { did: Some(bobs()), reason: DropReason::BadName, detail: "x".into(), raw }
}

/// A purge, and the job that it leaves behind.
async fn purge(index: &mut Index, n: u64) {
    index.apply(vec![Change::Purge { did: bobs(), rev: rev(n) }]).await;
    let jobs = jobs::claim(&index.client, &[JobKind::Scrub], 9).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.key.as_str()).collect::<Vec<_>>(), [BOB]);
    archive::scrub(&index.client, &bobs()).await.unwrap();
    jobs::finish(&index.client, &jobs[0]).await.unwrap();
}

async fn hide(index: &Index, active: bool) {
    let purged = "UPDATE actor SET active = $2, purged_at = CASE WHEN NOT $2 THEN purged_at END WHERE did = $1";
    index.client.execute(purged, &[&BOB, &active]).await.unwrap();
}

/// How many rows of any table speak of bob, but the account's own.
async fn traces(index: &Index) -> Vec<String> {
    let tables = "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
                  WHERE table_schema ~ '^(idx_1|obs|ops)$' AND table_name NOT IN ('change_log', 'actor', 'job')";
    let mut found = Vec::new();
    for row in index.client.query(tables, &[]).await.unwrap() {
        let table: &str = row.get(0);
        let sql = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%{BOB}%'");
        if index.count(&sql).await > 0 {
            found.push(table.to_owned());
        }
    }
    found
}

#[tokio::test]
async fn a_purged_account_is_as_one_that_was_never_seen() {
    let (mut without, mut purged) = (Index::new().await, Index::new().await);
    without.apply(alice()).await;
    purged.apply(alice()).await;
    for change in bob() {
        purged.apply(vec![change]).await;
    }
    purged.writer.apply(Batch { rejects: vec![reject()], ..Batch::new(Origin::Stream) }).await.unwrap();
    let pulled = [((BOB.to_owned(), "mine".to_owned(), "latest".to_owned()), 1)];
    store::pulls::add(&purged.client, &pulled.into()).await.unwrap();
    let seed = format!(
        "UPDATE actor SET handle = 'bob.test', pds = 'https://pds.example' WHERE did = '{BOB}';
         INSERT INTO manifest_bytes (digest, config_digest, bytes) VALUES ('{}', 'c', ''), ('{}', 'c', '')",
        digest(1),
        digest(3)
    );
    purged.client.batch_execute(&seed).await.unwrap();
    assert!(traces(&purged).await.len() > 7, "{:?}", traces(&purged).await);
    for _ in 0..2 {
        purge(&mut purged, 9).await;
        assert_eq!(traces(&purged).await, [""; 0]);
        let (one, other) = (
            fingerprint::take(&mut without.client).await.unwrap(),
            fingerprint::take(&mut purged.client).await.unwrap(),
        );
        assert_eq!(one, other);
        assert!(fingerprint::recount(&mut purged.client).await.unwrap().wrong.is_empty());
    }
    let row = "SELECT concat_ws(' ', handle, pds, floor_rev) FROM actor WHERE did = $1";
    let left: String = purged.client.query_one(row, &[&BOB]).await.unwrap().get(0);
    assert_eq!(left, rev(9).to_string());
    // The bytes that alice's record names too stay.
    assert_eq!(purged.count("SELECT count(*) FROM manifest_bytes").await, 1);
    assert_eq!(purged.count(&format!("SELECT count(*) FROM change_log WHERE 'did:{BOB}' = ANY(keys)")).await, 10);
}

#[tokio::test]
async fn who_comes_back_is_indexed_again_and_what_is_late_is_not() {
    let mut index = Index::new().await;
    index.apply(bob()).await;
    hide(&index, false).await;
    purge(&mut index, 9).await;
    for writers in 1..=2 {
        let applied = index.apply(bob()).await;
        assert_eq!(applied.verdicts.get("below_floor"), Some(&8), "{applied:?}");
        let mut batch = Batch::new(Origin::Stream);
        batch.changes = vec![Change::Look { did: bobs(), hint: Hint::Identity }];
        batch.rejects = vec![reject()];
        let (did, raw) = (Some(bobs()), bytes::Bytes::from_static(BOB.as_bytes()));
        let refused = vec![DropReason::BadName];
        batch.arrivals = vec![Arrival { did, changes: 0..1, refused, ..Arrival::new(Form::JetstreamV1, raw, 7) }];
        index.writer.apply(batch).await.unwrap();
        // Neither the index nor the archive nor the rejects have anything of it.
        assert_eq!(traces(&index).await, [""; 0], "writer {writers}");
        // Another writer knows it too.
        let client = index.writer.client();
        client.execute("SELECT pg_advisory_unlock_all()", &[]).await.unwrap();
        index.writer = store::Writer::try_acquire(index.database.url(), 1).await.unwrap().unwrap();
    }
    let events = "SELECT coalesce(sum(events), 0)::bigint FROM archive";
    // Whoever writes again is about to come back.
    index.apply(vec![put(10, id(BOB, Collection::Manifest, "m1"), &manifest("mine", 1))]).await;
    assert_eq!(index.count("SELECT count(*) FROM repository").await, 1);
    assert_eq!(index.count(events).await, 1);
    hide(&index, true).await;
    index.writer.apply(Batch { rejects: vec![reject()], ..Batch::new(Origin::Stream) }).await.unwrap();
    assert_eq!(index.count("SELECT count(*) FROM reject").await, 1);
    index.apply(bob()).await;
    assert_eq!(index.count(events).await, 9, "all that comes of an account that is back is archived");
    // The confirmation comes late: what is newer than it stays.
    purge(&mut index, 9).await;
    assert_eq!(index.count("SELECT count(*) FROM repository").await, 1);
}

#[tokio::test]
async fn what_a_purge_removed_is_not_put_back_by_who_was_under_way() {
    let mut index = Index::new().await;
    index.apply(bob()).await;
    let manifest = |n| ManifestBytes {
        digest: digest(n).parse().unwrap(),
        media_type: None,
        artifact_type: None,
        subject: None,
        references: vec![observe::Referenced {
            role: observe::BlobRole::Config,
            digest: digest(100 + n).parse().unwrap(),
            media_type: "x".into(),
            size: 1,
            platform: None,
            annotations: Default::default(),
        }],
        bytes: BOB.into(),
    };
    let config = |n: u8| ImageConfig {
        digest: digest(100 + n).parse().unwrap(),
        os: None,
        architecture: None,
        variant: None,
        created_at: None,
        bytes: BOB.into(),
    };
    let stored = "SELECT (SELECT count(*) FROM manifest_bytes) + (SELECT count(*) FROM image_config)";
    observe::manifest_bytes(&mut index.client, &manifest(1)).await.unwrap();
    observe::image_config(&index.client, &config(1)).await.unwrap();
    assert_eq!(index.count(stored).await, 2);
    purge(&mut index, 9).await;
    for n in [1, 3] {
        observe::manifest_bytes(&mut index.client, &manifest(n)).await.unwrap();
        observe::image_config(&index.client, &config(n)).await.unwrap();
    }
    assert_eq!((index.count(stored).await, index.count("SELECT count(*) FROM blob_ref").await), (0, 0));
    // Nor by one that comes while the purge is under way: it waits for its end.
    index.apply(vec![put(10, id(BOB, Collection::Manifest, "m1"), &crate::harness::manifest("mine", 1))]).await;
    let connect = async || store::connect(index.database.url(), Some(1)).await.unwrap().client;
    let (purging, mut late) = (connect().await, connect().await);
    purging.batch_execute("BEGIN; DELETE FROM manifest").await.unwrap();
    let storing = tokio::spawn(async move { observe::manifest_bytes(&mut late, &manifest(1)).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while index.count(waits).await == 0 {
        assert!(!storing.is_finished(), "it does not wait");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    purging.batch_execute("DELETE FROM manifest_bytes; COMMIT").await.unwrap();
    storing.await.unwrap().unwrap();
    assert_eq!(index.count(stored).await, 0);
}

#[tokio::test]
async fn an_account_that_a_snapshot_is_the_first_to_name_is_met() {
    let mut index = Index::new().await;
    let present = [(Collection::Tag, "t".parse().unwrap())].into();
    let snapshot = Change::Snapshot { did: BOB.parse().unwrap(), rev: rev(5), present };
    let applied =
        index.apply(vec![put(5, id(BOB, Collection::Tag, "t"), &tag(BOB, "app", "v1", "m", 1)), snapshot]).await;
    assert_eq!(applied.new_actors, [BOB]);
    assert_eq!(index.count("SELECT count(*) FROM job WHERE kind = 'actor'").await, 1);
}
