use std::time::Duration;

use axum::http::StatusCode;
use chrono::Utc;
use serde_json::{Value, json};
use service::postgres::testing::TestDatabase;
use store::jobs::{JobKind, enqueue};
use types::{Cid, Digest};

use super::{Indexer, eventually, network::Network, put, rev, stream::Stream};

const ALICE: &str = "did:plc:alice";
const IMAGE_CONFIG: &[u8] = br#"{"os":"linux","architecture":"arm64"}"#;

/// A manifest's bytes and the record that names them.
fn manifest(annotation: &str) -> (Vec<u8>, Value) {
    let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "size": IMAGE_CONFIG.len(),
        "digest": Digest::sha256(IMAGE_CONFIG)});
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let bytes = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [],
        "annotations": {"a": annotation}})
    .to_string()
    .into_bytes();
    let record = json!({"repository": "app", "digest": Digest::sha256(&bytes), "mediaType": media_type,
        "holdDid": "did:plc:hold", "config": config, "createdAt": "2026-01-10T12:00:00Z", "manifestBlob": {
        "$type": "blob", "ref": {"$link": Cid::of_blob(&bytes).to_string()}, "mimeType": media_type, "size": bytes.len()}});
    (bytes, record)
}

#[tokio::test]
async fn bytes_are_fetched_hashed_and_kept() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    let (bytes, record) = manifest("right");
    network.blob(Cid::of_blob(&bytes), &bytes);
    network.blob(Digest::sha256(IMAGE_CONFIG), IMAGE_CONFIG);
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "m", &record));
    let digest = Digest::sha256(&bytes);
    indexer.until("SELECT digest FROM manifest_bytes", &[digest.as_str()]).await;
    indexer.until("SELECT os || '/' || architecture FROM image_config", &["linux/arm64"]).await;
    indexer.until("SELECT did || ' ' || reachable FROM hold_health", &["did:plc:hold true"]).await;
    indexer
        .until(
            "SELECT handle FROM actor WHERE active AND pds IS NOT NULL ORDER BY handle",
            &["alice.test", "hold.test"],
        )
        .await;
    indexer.until("SELECT key FROM job", &[]).await;
    let stored = indexer.db.query_one("SELECT bytes FROM manifest_bytes", &[]).await.unwrap();
    assert_eq!(stored.get::<_, Vec<u8>>(0), bytes);
    indexer.stop().await;
}

#[tokio::test]
async fn wrong_bytes_are_never_stored() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    // The PDS serves other bytes than the CID's.
    let (bytes, record) = manifest("swapped");
    network.blob(Cid::of_blob(&bytes), b"{}");
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "swapped", &record));
    // The blob is what its CID says, but not what the digest says.
    let (_, mut contradiction) = manifest("contradiction");
    let (other, _) = manifest("other");
    contradiction["manifestBlob"]["ref"]["$link"] = json!(Cid::of_blob(&other).to_string());
    network.blob(Cid::of_blob(&other), &other);
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "contradiction", &contradiction));
    // The right bytes of an image whose configuration is wrong.
    let (right, record) = manifest("right");
    network.blob(Cid::of_blob(&right), &right);
    network.blob(Digest::sha256(IMAGE_CONFIG), b"{\"os\":\"plan9\"}");
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "right", &record));
    indexer.until("SELECT reason FROM reject", &["wrong_bytes"; 3]).await;
    indexer.until("SELECT key FROM job", &[]).await;
    assert_eq!(indexer.rows("SELECT digest FROM manifest_bytes").await, [Digest::sha256(&right).as_str()]);
    assert_eq!(indexer.rows("SELECT digest FROM image_config").await, [""; 0]);
    indexer.stop().await;
}

#[tokio::test]
async fn a_blob_that_is_missing_is_asked_for_again() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    let (bytes, record) = manifest("late");
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "m", &record));
    indexer.until("SELECT error IS NOT NULL FROM job WHERE kind = 'manifest'", &["true"]).await;
    network.blob(Cid::of_blob(&bytes), &bytes);
    network.blob(Digest::sha256(IMAGE_CONFIG), IMAGE_CONFIG);
    indexer.until("SELECT count(*) FROM manifest_bytes", &["1"]).await;
    indexer.until("SELECT kind FROM job", &[]).await;
    indexer.stop().await;
}

#[tokio::test]
async fn an_account_is_hidden_and_comes_back() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "x", &super::tag("a")));
    indexer.until("SELECT handle || ' ' || active FROM actor", &["alice.test true"]).await;
    let account = |active: bool| {
        let time = Utc::now().timestamp_micros();
        json!({"did": ALICE, "time_us": time, "kind": "account", "account": {"active": active, "status": "on-holiday"}})
    };
    network.status(ALICE, Some("deactivated"));
    stream.line(&account(false));
    indexer.until("SELECT active || ' ' || status FROM actor", &["false deactivated"]).await;
    // What it did meanwhile is read when it is back.
    network.status(ALICE, None);
    network.put(ALICE, rev(5), "io.atcr.tag", "meanwhile", super::tag("b"));
    stream.line(&account(true));
    indexer.until("SELECT active || ' ' || status FROM actor", &["true active"]).await;
    indexer.until("SELECT rkey FROM tag", &["meanwhile"]).await;
    indexer.stop().await;
}

/// Neither the workers nor the turns with their host are all theirs.
#[tokio::test]
async fn readings_that_do_not_end_leave_workers_for_manifests() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    let stuck: Vec<String> = (0..12).map(|n| format!("did:plc:stuck{n}")).collect();
    stuck.iter().for_each(|did| network.stick(did));
    enqueue(&indexer.db, JobKind::Resync, &stuck).await.unwrap();
    eventually("the readings", || network.asked("com.atproto.sync.getLatestCommit") >= 2).await;
    let (bytes, record) = manifest("urgent");
    network.blob(Cid::of_blob(&bytes), &bytes);
    stream.line(&put(ALICE, rev(1), "io.atcr.manifest", "m", &record));
    indexer.until("SELECT count(*) FROM manifest_bytes", &["1"]).await;
    indexer.until("SELECT count(*) FROM job WHERE kind = 'resync' AND attempts > 1", &["0"]).await;
    indexer.stop().await;
}

/// Nor is its identity, by an account that is not looked at in the end.
#[tokio::test]
async fn while_a_host_is_busy_nobody_else_is_asked_in_vain() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "x", &super::tag("a")));
    indexer.until("SELECT active || ' ' || handle FROM actor WHERE pds IS NOT NULL", &["true alice.test"]).await;
    indexer.until("SELECT key FROM job", &[]).await;
    let status = "com.atproto.sync.getRepoStatus";
    let (statuses, stuck) = (network.asked(status), (0..4).map(|n| format!("did:plc:stuck{n}")));
    let stuck: Vec<String> = stuck.collect();
    stuck.iter().for_each(|did| network.stick(did));
    enqueue(&indexer.db, JobKind::Actor, &stuck).await.unwrap();
    eventually("all turns are taken", || network.asked(status) == statuses + 4).await;
    let documents = network.asked(ALICE);
    for _ in 0..3 {
        enqueue(&indexer.db, JobKind::Actor, &[ALICE.into()]).await.unwrap();
        // It was tried, and waits for its host.
        let put_off =
            format!("SELECT attempts FROM job WHERE key = '{ALICE}' AND locked_until IS NULL AND run_at > now()");
        indexer.until(&put_off, &["0"]).await;
    }
    assert_eq!(network.asked(ALICE), documents);
    indexer.stop().await;
}

#[tokio::test]
async fn only_an_answer_takes_a_handle_away() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start_timed(&database, vec![stream.url.clone()], &network, |timing| {
        timing.missing_after = Duration::ZERO;
    })
    .await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "x", &super::tag("a")));
    indexer.until("SELECT handle FROM actor", &["alice.test"]).await;
    for status in [StatusCode::FORBIDDEN, StatusCode::BAD_GATEWAY] {
        indexer.until("SELECT key FROM job", &[]).await;
        network.refuse_document(ALICE, status);
        enqueue(&indexer.db, JobKind::Actor, &[ALICE.into()]).await.unwrap();
        indexer.until("SELECT error IS NOT NULL FROM job", &["true"]).await;
        assert_eq!(indexer.rows("SELECT handle FROM actor").await, ["alice.test"]);
        indexer.execute("DELETE FROM job", &[]).await;
    }
    network.refuse_document(ALICE, StatusCode::NOT_FOUND);
    enqueue(&indexer.db, JobKind::Actor, &[ALICE.into()]).await.unwrap();
    indexer.until("SELECT handle IS NULL FROM actor", &["true"]).await;
    indexer.stop().await;
}

/// Each kind has its own: what somebody waits for is given up sooner than a reading.
#[tokio::test]
async fn a_job_that_does_not_end_is_put_off_at_its_deadline() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start_timed(&database, vec![stream.url.clone()], &network, |timing| {
        (timing.short_job, timing.long_job) = (Duration::from_millis(300), Duration::from_millis(900));
    })
    .await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    network.stick(ALICE);
    enqueue(&indexer.db, JobKind::Actor, &[ALICE.into()]).await.unwrap();
    enqueue(&indexer.db, JobKind::Resync, &[ALICE.into()]).await.unwrap();
    let expected = ["actor it is not done after 300ms", "resync it is not done after 900ms"];
    indexer.until("SELECT kind || ' ' || error FROM job WHERE error IS NOT NULL ORDER BY kind", &expected).await;
    indexer.stop().await;
}

/// A reading begins with nothing each time: as long as it brings records it goes on.
#[tokio::test]
async fn a_reading_that_brings_records_has_more_time() {
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start_timed(&database, vec![stream.url.clone()], &network, |timing| {
        // Its pages alone take longer, and there are two records on each.
        (timing.long_job, timing.record) = (Duration::from_millis(1_000), Duration::from_millis(500));
    })
    .await;
    indexer.until("SELECT finished_at IS NOT NULL FROM backfill", &["true"]).await;
    network.slow_pages(Duration::from_millis(100));
    for n in 0..8 {
        network.put(ALICE, rev(9), "io.atcr.tag", &format!("t{n}"), super::tag("a"));
    }
    enqueue(&indexer.db, JobKind::Resync, &[ALICE.into()]).await.unwrap();
    indexer
        .until(
            "SELECT rev FROM fingerprint f JOIN record USING (did) WHERE rkey = 't0' AND live = 8",
            &[&rev(9).to_string()],
        )
        .await;
    indexer.until("SELECT kind FROM job WHERE kind = 'resync'", &[]).await;
    indexer.stop().await;
}
