//! A deleted account leaves nothing but its name, its status and its floor.

use store::fingerprint;
use types::{Batch, Change, Collection, DropReason, Origin, Reject};

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

async fn purge(index: &mut Index, n: u64) {
    index.apply(vec![Change::Purge { did: BOB.parse().unwrap(), rev: rev(n) }]).await;
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
    let reject = Reject {
        did: Some(BOB.parse().unwrap()),
        reason: DropReason::BadName,
        detail: "x".into(),
        raw: b"bytes".as_slice().into(),
    };
    purged.writer.apply(Batch { rejects: vec![reject], ..Batch::new(Origin::Stream) }).await.unwrap();
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
    purge(&mut index, 9).await;
    let applied = index.apply(bob()).await;
    assert_eq!(applied.verdicts.get("below_floor"), Some(&8), "{applied:?}");
    // What came after the purge is archived like all that comes.
    let mut left = traces(&index).await;
    left.retain(|table| !table.starts_with("ops.archive"));
    assert_eq!(left, [""; 0]);
    index.apply(vec![put(10, id(BOB, Collection::Manifest, "m1"), &manifest("mine", 1))]).await;
    assert_eq!(index.count("SELECT count(*) FROM repository").await, 1);
    // The confirmation comes late: what is newer than it stays.
    purge(&mut index, 9).await;
    assert_eq!(index.count("SELECT count(*) FROM repository").await, 1);
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
