use devnet::Write;
use serde_json::{Value, json};
use service::postgres::testing::TestDatabase;
use store::jobs::{JobKind, enqueue};
use types::{Did, Tid, record_cid};

use super::{Indexer, delete, devnet, put, tag};
use crate::Verify;

const TAGS: &str = "SELECT tag FROM tag ORDER BY tag";
const NO_VERIFYING: &str = "SELECT key FROM job WHERE kind = 'verify'";

fn write(rkey: &str) -> Vec<Write> {
    vec![Write::create("io.atcr.tag", rkey, tag(rkey))]
}

async fn falsify(indexer: &Indexer, rkey: &str, to: &str, rev: Option<&str>) {
    let record = tag(to);
    let (cid, raw) = (record_cid(&record).unwrap().to_bytes(), record.to_string().into_bytes());
    let ledger =
        "UPDATE record SET cid = $2, raw = $3, rev = coalesce($4, rev), verification = 'cid-checked' WHERE rkey = $1";
    indexer.execute(ledger, &[&rkey, &cid, &raw, &rev]).await;
    indexer.execute("UPDATE tag SET tag = $2 WHERE rkey = $1", &[&rkey, &to]).await;
}

/// By their proofs where they are few, by the whole repository where they are many.
#[tokio::test(flavor = "multi_thread")]
async fn what_its_account_signed_is_found_and_put_in_the_place_of_anything_else() {
    let database = TestDatabase::create().await.unwrap();
    let (_directory, devnet) = devnet().await;
    let did: Did = devnet.create_account("alice.test", "secret", 0).unwrap();
    for n in 0..12 {
        devnet.write(&did, write(&format!("t{n:02}"))).unwrap();
    }
    let all = |config: &mut crate::IndexerConfig| config.verify = Verify::Signed(1.0);
    let indexer = Indexer::start_on(&database, &devnet, all).await;
    let checked = format!("SELECT DISTINCT verification || ' ' || count(*) OVER () FROM record WHERE did = '{did}'");
    indexer.until(&checked, &["signed 12"]).await;
    // More comes alone.
    devnet.write(&did, write("t12")).unwrap();
    indexer.until(&checked, &["signed 13"]).await;
    indexer.until("SELECT key FROM job", &[]).await;
    let honest = indexer.rows(TAGS).await;
    // Lies, as a stream without proofs could have told them: of an older commit, of the newest one, of one to come.
    falsify(&indexer, "t03", "older", None).await;
    falsify(&indexer, "t12", "newest", None).await;
    let now = Tid::from_micros(chrono::Utc::now().timestamp_micros().unsigned_abs(), 0).to_string();
    falsify(&indexer, "t05", "future", Some(&now)).await;
    indexer.execute("UPDATE record SET rkey = 'never' WHERE rkey = 't07'", &[]).await;
    indexer.execute("UPDATE tag SET rkey = 'never' WHERE rkey = 't07'", &[]).await;
    indexer.execute("UPDATE record SET verification = 'cid-checked' WHERE rkey = 'never'", &[]).await;
    let db = indexer.stop().await;
    drop(db);
    // The PDS may be slow to follow: for some minutes nothing is wrong with what is newer, however often it was asked.
    let indexer = Indexer::start_on(&database, &devnet, all).await;
    let waiting = "SELECT error FROM job WHERE kind = 'verify' AND waits_since IS NOT NULL AND locked_until IS NULL";
    for asked in 0..3 {
        indexer.until(&waiting.replace("error", "error LIKE 'the repository is behind %'"), &["true"]).await;
        let soon =
            "UPDATE job SET attempts = 9, error = NULL, run_at = now() WHERE kind = 'verify' AND locked_until IS NULL";
        indexer.execute(soon, &[]).await;
        indexer.execute("NOTIFY crowsnest_jobs", &[]).await;
        assert_eq!(indexer.rows("SELECT tag FROM tag WHERE rkey = 't05'").await, ["future"], "asked {asked} times");
    }
    indexer.until(waiting, &[&format!("the repository is behind {now}")]).await;
    indexer.stop().await;
    // What was never signed goes; what the ledger lost comes again with the stream.
    let indexer = Indexer::start_on(&database, &devnet, |config| {
        all(config);
        config.timing.lag_patience = std::time::Duration::ZERO;
    })
    .await;
    let soon: Vec<&str> = honest.iter().map(String::as_str).collect();
    indexer.until(TAGS, &soon).await;
    indexer.until("SELECT state FROM record WHERE rkey = 'never'", &["deleted"]).await;
    indexer.until("SELECT DISTINCT reason FROM reject", &["cid_mismatch"]).await;
    // The stream, read again from a little before, contradicts some of the lies by itself; of the one to come it says nothing.
    indexer.until("SELECT count(*) FROM reject WHERE detail LIKE '%/t05 at %'", &["1"]).await;
    // What was put in their place is archived as it was signed: the records' blocks.
    let found = indexer.archived().await;
    let blocks = found.iter().filter(|found| found.entry.form == Some(types::Form::Block));
    let named = blocks.map(|found| found.entry.parts[0].cid == Some(types::Cid::of_block(&found.entry.raw)));
    let named: Vec<bool> = named.collect();
    assert!(named.len() >= 2 && named.iter().all(|named| *named), "{named:?}");
    indexer.stop().await;
    devnet.shutdown().await;
}

/// Told by a source of whose lies the repository's later commits say nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_signed_does_not_outlive_the_next_commit() {
    let database = TestDatabase::create().await.unwrap();
    let (_directory, devnet) = devnet().await;
    let did: Did = devnet.create_account("alice.test", "secret", 0).unwrap();
    for n in 0..4 {
        devnet.write(&did, write(&format!("t{n}"))).unwrap();
    }
    let all = |config: &mut crate::IndexerConfig| config.verify = Verify::Signed(1.0);
    let indexer = Indexer::start_on(&database, &devnet, all).await;
    let checked =
        format!("SELECT state || ' ' || coalesce(verification, '-') FROM record WHERE did = '{did}' ORDER BY rkey");
    indexer.until(&checked, &["ok signed"; 4]).await;
    // What is deleted is signed not to be there.
    devnet.write(&did, vec![Write::delete("io.atcr.tag", "t3")]).unwrap();
    indexer.until(&checked, &["ok signed", "ok signed", "ok signed", "deleted signed"]).await;
    indexer.until(NO_VERIFYING, &[]).await;
    assert_eq!(indexer.rows("SELECT detail FROM reject").await, [""; 0]);
    let now = || Tid::from_micros(chrono::Utc::now().timestamp_micros().unsigned_abs(), 0);
    let lie = |line: Value| devnet.publish_raw_frame(b"", Some(line.to_string())).unwrap();
    let did_text = did.as_str();
    lie(delete(did_text, now(), "io.atcr.tag", "t0"));
    lie(delete(did_text, now(), "io.atcr.tag", "t1"));
    lie(put(did_text, now(), "io.atcr.tag", "lie", &tag("lie")));
    indexer.until(TAGS, &["lie", "t2"]).await;
    devnet.write(&did, write("t4")).unwrap();
    indexer.until(TAGS, &["t0", "t1", "t2", "t4"]).await;
    indexer.until("SELECT count(*) FROM reject WHERE reason = 'cid_mismatch'", &["3"]).await;
    indexer.until(NO_VERIFYING, &[]).await;
    let signed = ["deleted signed", "ok signed", "ok signed", "ok signed", "deleted signed", "ok signed"];
    indexer.until(&checked, &signed).await;
    indexer.stop().await;
    devnet.shutdown().await;
}

/// One has a number that is none of the data model's, one is too deep for any parser of JSON.
#[tokio::test(flavor = "multi_thread")]
async fn what_json_cannot_tell_stands_in_nobody_s_way() {
    let database = TestDatabase::create().await.unwrap();
    let (_directory, devnet) = devnet().await;
    let did: Did = devnet.create_account("alice.test", "secret", 0).unwrap();
    let odd = |rkey: &str, value: Value| {
        let mut record = tag(rkey);
        record["odd"] = value;
        devnet.write(&did, vec![Write::create("io.atcr.tag", rkey, record)]).unwrap();
    };
    for n in 0..9 {
        devnet.write(&did, write(&format!("t{n}"))).unwrap();
    }
    odd("big", u64::MAX.into());
    odd("deep", (0..200).fold(Value::Null, |inner, _| json!([inner])));
    let all = |config: &mut crate::IndexerConfig| config.verify = Verify::Signed(1.0);
    let indexer = Indexer::start_on(&database, &devnet, all).await;
    let checked = format!("SELECT DISTINCT verification || ' ' || count(*) OVER () FROM record WHERE did = '{did}'");
    indexer.until(&checked, &["signed 11"]).await;
    indexer.until(NO_VERIFYING, &[]).await;
    // Among few and among many: what was signed is put in the place of something else.
    for lies in [2, 10] {
        let some = "SELECT rkey FROM record ORDER BY rkey IN ('big', 'deep') DESC, rkey LIMIT $1";
        let rkeys = indexer.db.query(some, &[&i64::from(lies)]).await.unwrap();
        for row in rkeys {
            falsify(&indexer, row.get(0), "lie", None).await;
        }
        enqueue(&indexer.db, JobKind::Verify, &[did.to_string()]).await.unwrap();
        indexer.until(&checked, &["signed 11"]).await;
        indexer.until(NO_VERIFYING, &[]).await;
        indexer.until("SELECT rkey FROM record WHERE state = 'invalid'", &["deep"]).await;
        indexer.until("SELECT count(DISTINCT tag) FROM tag WHERE tag <> 'lie'", &["10"]).await;
    }
    indexer.until("SELECT count(*) FROM reject WHERE reason = 'wrong_bytes'", &["0"]).await;
    indexer.stop().await;
    devnet.shutdown().await;
}

/// Nothing is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_flag_a_hash_is_enough() {
    let database = TestDatabase::create().await.unwrap();
    let (_directory, devnet) = devnet().await;
    let did = devnet.create_account("alice.test", "secret", 0).unwrap();
    devnet.write(&did, write("t")).unwrap();
    let indexer = Indexer::start_on(&database, &devnet, |_| ()).await;
    indexer.until(&format!("SELECT verification FROM record WHERE did = '{did}'"), &["cid-checked"]).await;
    assert_eq!(indexer.rows("SELECT kind FROM job WHERE kind = 'verify'").await, [""; 0]);
    indexer.stop().await;
    devnet.shutdown().await;
}
