//! What the two digests see, and what they do not.

use serde_json::json;
use store::fingerprint::{self, EXCLUDED_COLUMNS, EXCLUDED_TABLES, Fingerprint};
use tokio_postgres::Client;
use types::{Batch, Change, Collection, Origin};

use crate::harness::{ALICE, BOB, Index, delete, digest, id, manifest, page, put, rev, star, tag};

const CAROL: &str = "did:plc:carol";
const HOLD: &str = "did:web:hold.example";
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' ORDER BY 1, 2";

/// At least one row in every table of a generation.
fn everything() -> Vec<Change> {
    let index = json!({"repository": "multi", "digest": digest(9), "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json", "createdAt": "2026-01-01T00:00:00Z",
        "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(1), "size": 5,
                       "platform": {"os": "linux", "architecture": "amd64"}}]});
    let captain = json!({"owner": ALICE, "public": true, "allowAllCrew": false, "deployedAt": "2026-01-01T00:00:00Z"});
    let crew = json!({"member": BOB, "role": "write", "permissions": ["blob:read"], "addedAt": "2026-01-01T00:00:00Z"});
    let stats = json!({"ownerDid": ALICE, "repository": "app", "pullCount": 1, "pushCount": 1,
                       "lastPull": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"});
    let scan = json!({"manifest": format!("at://{ALICE}/io.atcr.manifest/m1"), "repository": "app", "userDid": ALICE,
        "critical": 1, "high": 2, "medium": 3, "low": 4, "total": 10, "scannerVersion": "x", "status": "ok",
        "scannedAt": "2026-01-01T00:00:00Z"});
    let scanned = digest(1).trim_start_matches("sha256:").to_owned();
    vec![
        put(1, id(ALICE, Collection::Manifest, "m1"), &manifest("app", 1)),
        put(1, id(ALICE, Collection::Manifest, "i"), &index),
        put(2, id(ALICE, Collection::Tag, "t"), &tag(ALICE, "app", "latest", "m1", 1)),
        put(3, id(ALICE, Collection::Page, "app"), &page("app", "Text.")),
        put(
            4,
            id(ALICE, Collection::Profile, "self"),
            &json!({"defaultHold": HOLD, "createdAt": "2026-01-01T00:00:00Z"}),
        ),
        put(4, id(ALICE, Collection::Tag, "bad"), &json!({"tag": "no repository"})),
        put(5, id(BOB, Collection::Star, "s"), &star(ALICE, "app", false)),
        put(6, id(HOLD, Collection::Captain, "self"), &captain),
        put(6, id(HOLD, Collection::Crew, "c"), &crew),
        put(6, id(HOLD, Collection::HoldStats, "s"), &stats),
        put(6, id(HOLD, Collection::Scan, &scanned), &scan),
    ]
}

async fn take(client: &mut Client) -> Fingerprint {
    fingerprint::take(client).await.unwrap()
}

/// An expression for another value of a column's type.
fn other(column: &str, kind: &str) -> String {
    match kind {
        "text" => format!("coalesce({column}, '') || 'x'"),
        "integer" | "bigint" => format!("coalesce({column}, 0) + 1"),
        "boolean" => format!("NOT coalesce({column}, false)"),
        "jsonb" => format!("{column} || '{{\"x\": \"y\"}}'"),
        "text[]" => format!("array_append({column}, 'x')"),
        "bytea" => format!("coalesce({column}, '') || '\\x00'::bytea"),
        "timestamp with time zone" => format!("coalesce({column}, now()) + interval '1 microsecond'"),
        _ => panic!("{column} is of the unknown type {kind}: teach the fingerprint and this test"),
    }
}

#[tokio::test]
async fn every_column_of_every_table_is_seen() {
    let mut index = Index::new().await;
    index.apply(everything()).await;
    let checks = "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
                  WHERE contype = 'c' AND connamespace = current_schema()::regnamespace";
    for row in index.client.query(checks, &[]).await.unwrap() {
        index.client.batch_execute(row.get(0)).await.unwrap();
    }
    let before = take(&mut index.client).await;
    let columns = index.client.query(COLUMNS, &[]).await.unwrap();
    assert!(columns.len() > 100, "{}", columns.len());
    for row in &columns {
        let (table, column, kind): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        if EXCLUDED_TABLES.contains(&table) {
            continue;
        }
        let change = format!(
            "CREATE TEMP TABLE kept AS SELECT * FROM {table};
             UPDATE {table} SET {column} = {} WHERE ctid = (SELECT min(ctid) FROM {table} WHERE did <> '')",
            other(column, kind)
        );
        index.client.batch_execute(&change).await.unwrap();
        let after = take(&mut index.client).await;
        let seen = after.view != before.view;
        assert_eq!(seen, !EXCLUDED_COLUMNS.contains(&(table, column)), "{table}.{column}");
        let differ: Vec<&String> =
            before.tables.keys().filter(|name| after.tables[*name] != before.tables[*name]).collect();
        assert_eq!(differ.as_slice(), if seen { std::slice::from_ref(&table) } else { &[] }, "{table}.{column}");
        let undo = format!("TRUNCATE {table}; INSERT INTO {table} SELECT * FROM kept; DROP TABLE kept");
        index.client.batch_execute(&undo).await.unwrap();
        assert_eq!(take(&mut index.client).await, before, "{table}.{column} was not put back");
    }
}

#[tokio::test]
async fn neither_order_nor_revisions_nor_the_session_matter() {
    let (mut one, mut other) = (Index::new().await, Index::new().await);
    one.apply(everything()).await;
    // One by one, backwards, at other revisions, with something that came and went.
    other.apply(vec![put(50, id(ALICE, Collection::Tag, "gone"), &tag(ALICE, "app", "old", "m1", 1))]).await;
    for change in everything().into_iter().rev() {
        let Change::Put(mut put) = change else { unreachable!() };
        put.rev = crate::harness::rev(60);
        other.apply(vec![Change::Put(put)]).await;
    }
    other.apply(vec![delete(70, id(ALICE, Collection::Tag, "gone"))]).await;
    let session = "SET TIME ZONE 'Asia/Kolkata'; SET DateStyle = 'German'; SET bytea_output = 'escape'";
    other.client.batch_execute(session).await.unwrap();
    let (one, other) = (take(&mut one.client).await, take(&mut other.client).await);
    assert_eq!(one, other);
    assert_eq!(one.records.rows, 11);
}

#[tokio::test]
async fn a_hidden_account_counts_as_one_that_was_never_seen() {
    let (mut without, mut hidden) = (Index::new().await, Index::new().await);
    without.apply(everything()).await;
    hidden.apply(everything()).await;
    hidden
        .apply(vec![
            put(1, id(CAROL, Collection::Manifest, "m1"), &manifest("app", 1)),
            put(1, id(CAROL, Collection::Star, "s1"), &star(ALICE, "app", false)),
            put(1, id(CAROL, Collection::Star, "s2"), &star(ALICE, "app", true)),
            put(1, id(CAROL, Collection::Star, "s3"), &star(BOB, "nothing-else", true)),
        ])
        .await;
    let shown = take(&mut hidden.client).await;
    hidden.client.execute("UPDATE actor SET active = false WHERE did = $1", &[&CAROL]).await.unwrap();
    let (without, gone) = (take(&mut without.client).await, take(&mut hidden.client).await);
    assert_eq!(without, gone);
    assert_ne!(shown.records, gone.records);
    assert_ne!(shown.view, gone.view);
    // What a hidden account does meanwhile shows when it is back.
    let more = put(9, id(CAROL, Collection::Star, "s9"), &star(BOB, "another", true));
    hidden.apply(vec![more, delete(9, id(CAROL, Collection::Star, "s3"))]).await;
    assert_eq!(take(&mut hidden.client).await, gone);
    assert_eq!(hidden.count("SELECT count(*) FROM repository WHERE name = 'nothing-else'").await, 0);
    hidden.apply(vec![put(10, id(CAROL, Collection::Star, "s3"), &star(BOB, "nothing-else", true))]).await;
    hidden.apply(vec![delete(10, id(CAROL, Collection::Star, "s9"))]).await;
    hidden.client.execute("UPDATE actor SET active = true WHERE did = $1", &[&CAROL]).await.unwrap();
    assert_eq!(take(&mut hidden.client).await, shown);
}

#[tokio::test]
async fn a_recount_finds_a_sum_that_is_wrong() {
    let mut index = Index::new().await;
    index.apply(everything()).await;
    let fine = fingerprint::recount(&mut index.client).await.unwrap();
    assert_eq!((fine.records, fine.wrong), (take(&mut index.client).await.records, vec![]));
    index.client.execute("DELETE FROM record WHERE did = $1 AND rkey = 't'", &[&ALICE]).await.unwrap();
    index.client.execute("DELETE FROM fingerprint WHERE did = $1", &[&BOB]).await.unwrap();
    let recount = fingerprint::recount(&mut index.client).await.unwrap();
    assert_eq!(recount.wrong, [ALICE, BOB]);
    assert_ne!(recount.records, take(&mut index.client).await.records);
}

/// Somebody has touched the database, or a disk was bad: a ledger row is gone, what was made of it and the kept sum are not.
#[tokio::test]
async fn a_reading_mends_what_was_lost() {
    let mut index = Index::new().await;
    let tag = tag(ALICE, "app", "latest", "m1", 1);
    let records = || {
        vec![
            put(1, id(ALICE, Collection::Manifest, "m1"), &manifest("app", 1)),
            put(2, id(ALICE, Collection::Tag, "t"), &tag),
        ]
    };
    index.apply(records()).await;
    let before = take(&mut index.client).await;
    index.client.batch_execute("DELETE FROM record WHERE collection = 'io.atcr.tag'").await.unwrap();
    assert_ne!(take(&mut index.client).await.view, before.view);
    let present = [(Collection::Manifest, "m1"), (Collection::Tag, "t")];
    let present = present.into_iter().map(|(collection, rkey)| (collection, rkey.parse().unwrap())).collect();
    let snapshot = Change::Snapshot { did: ALICE.parse().unwrap(), rev: rev(2), present };
    let changes = records().into_iter().chain([snapshot]).collect();
    let applied = index.writer.apply(Batch { changes, ..Batch::new(Origin::Backfill) }).await.unwrap();
    assert_eq!(applied.refused, 0, "{applied:?}");
    assert_eq!(take(&mut index.client).await, before);
    assert_eq!(fingerprint::recount(&mut index.client).await.unwrap().wrong, [""; 0]);
}
