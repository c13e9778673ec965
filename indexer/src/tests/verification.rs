//! What a stream cannot prove is asked of the repository.

use chrono::{Days, Utc};
use futures::TryStreamExt as _;
use serde_json::json;
use service::postgres::testing::TestDatabase;
use store::archive;

use super::{Indexer, network::Network, put, rev, stream::Stream, tag};

const ALICE: &str = "did:plc:alice";
const LEDGER: &str = "SELECT state || ' ' || verification FROM record WHERE rkey = 'x'";

#[tokio::test]
async fn a_mismatch_is_not_served_until_the_repository_is_read() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "x", &tag("old")));
    indexer.until("SELECT tag FROM tag", &["old"]).await;
    let mut lie = put(ALICE, rev(2), "io.atcr.tag", "x", &tag("new"));
    lie["commit"]["record"]["tag"] = json!("forged");
    stream.line(&lie);
    indexer.until(LEDGER, &["invalid mismatch"]).await;
    indexer.until("SELECT tag FROM tag", &[]).await;
    network.put(ALICE, rev(2), "io.atcr.tag", "x", tag("new"));
    indexer.execute("INSERT INTO job (kind, key) VALUES ('resync', $1) ON CONFLICT DO NOTHING", &[&ALICE]).await;
    indexer.execute("NOTIFY crowsnest_jobs", &[]).await;
    indexer.until("SELECT tag FROM tag", &["new"]).await;
    indexer.until(LEDGER, &["ok cid-checked"]).await;
    // Both are in the archive: the forgery as it came, and the record as it was read.
    let today = Utc::now().date_naive();
    let did = ALICE.parse().unwrap();
    let found: Vec<archive::Found> =
        archive::read(&indexer.db, today - Days::new(1)..=today, Some(&did)).try_collect().await.unwrap();
    let told = found.iter().map(|found| {
        let verdicts: Vec<&str> = found.entry.parts.iter().map(|part| part.verdict.as_str()).collect();
        (found.origin.as_str(), verdicts.join(" "))
    });
    let told: Vec<(&str, String)> = told.collect();
    let expected = [("stream", "applied"), ("stream", "applied cid_mismatch"), ("backfill", "applied")];
    assert_eq!(told, expected.map(|(origin, verdicts)| (origin, verdicts.to_owned())));
    assert_eq!(found[1].entry.raw, lie.to_string().as_bytes());
    assert_eq!(found[1].entry.position, lie["time_us"].as_i64());
    indexer.stop().await;
}

#[tokio::test]
async fn what_cannot_be_hashed_is_served_and_then_proved() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    // A float has no form in DAG-CBOR as repositories use it.
    let mut line = put(ALICE, rev(1), "io.atcr.tag", "x", &tag("a"));
    line["commit"]["record"]["weight"] = json!(1.5);
    stream.line(&line);
    indexer.until(LEDGER, &["ok unverifiable"]).await;
    indexer.until("SELECT tag FROM tag", &["a"]).await;
    indexer.until("SELECT key FROM job WHERE kind = 'resync' AND run_at > now()", &[ALICE]).await;
    // Only now, so that no earlier reading proves it.
    network.put(ALICE, rev(1), "io.atcr.tag", "x", tag("a"));
    indexer.execute("UPDATE job SET run_at = now()", &[]).await;
    indexer.execute("NOTIFY crowsnest_jobs", &[]).await;
    indexer.until(LEDGER, &["ok cid-checked"]).await;
    indexer.until("SELECT key FROM job WHERE kind = 'resync'", &[]).await;
    indexer.stop().await;
}
