use devnet::Write;
use service::postgres::testing::TestDatabase;
use types::{Did, Tid, record_cid};

use super::{Indexer, devnet, tag};
use crate::Verify;

const TAGS: &str = "SELECT tag FROM tag ORDER BY tag";

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
    let indexer = Indexer::start_on(&database, &devnet, all).await;
    // A PDS that is behind an event may lag: it is asked some times. What was never signed goes;
    // what the ledger lost comes again with the stream.
    indexer.execute("UPDATE job SET attempts = 10 WHERE kind = 'verify'", &[]).await;
    for _ in 0..50 {
        indexer
            .execute("UPDATE job SET attempts = 10, run_at = now() WHERE kind = 'verify' AND locked_until IS NULL", &[])
            .await;
        if indexer.rows(TAGS).await == honest {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(indexer.rows(TAGS).await, honest);
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
