//! The index beside the network, with and without an indexer.

use std::time::Duration;

use axum::http::StatusCode;
use outbound::{Outbound, OutboundConfig, Resolver, ResolverConfig};
use serde_json::json;
use service::postgres::testing::TestDatabase;
use store::{backfill::Progress, fingerprint};
use tokio::net::TcpListener;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use types::Did;

use super::{Indexer, delete, network::Network, put, rev, stream::Stream, tag};
use crate::{
    IndexerConfig, backfill,
    reconcile::{Kind, Reconciled, reconcile},
};

const ALICE: &str = "did:plc:alice";
const BOB: &str = "did:plc:bob";

fn config(database: &TestDatabase, network: &Network) -> IndexerConfig {
    let outbound = Outbound::new(&OutboundConfig { allow_private_network: true, contact: "test".into() }).unwrap();
    let who = ResolverConfig { plc_url: network.url.clone(), handle_resolver_url: Some(network.url.clone()) };
    let resolver = Resolver::new(outbound.clone(), &who).unwrap();
    IndexerConfig::new(database.url().into(), Vec::new(), outbound, resolver, network.url.clone())
}

async fn network() -> Network {
    let network = Network::start().await;
    for n in 0..3 {
        network.put(ALICE, rev(9), "io.atcr.tag", &format!("t{n}"), tag(&format!("v{n}")));
        network.put(BOB, rev(7), "io.atcr.tag", &format!("t{n}"), tag(&format!("v{n}")));
    }
    network.put(BOB, rev(7), "io.atcr.tag", "bad", json!({"tag": "no repository"}));
    network
}

async fn read(config: &IndexerConfig, dids: &[&str]) -> Progress {
    let dids: Vec<Did> = dids.iter().map(|did| did.parse().unwrap()).collect();
    let stop = CancellationToken::new();
    tokio::time::timeout(Duration::from_secs(60), backfill(config, &dids, &stop, |_| {})).await.unwrap().unwrap()
}

async fn compare(config: &IndexerConfig, dry_run: bool) -> Reconciled {
    let stop = CancellationToken::new();
    tokio::time::timeout(Duration::from_secs(60), reconcile(config, Vec::new(), dry_run, &stop)).await.unwrap().unwrap()
}

fn kinds(found: &Reconciled) -> Vec<(Kind, &str)> {
    let rkey = |uri: &'_ Option<String>| uri.as_deref().map_or(0, |uri| uri.rfind('/').unwrap() + 1);
    found.differences.iter().map(|of| (of.kind, of.uri.as_deref().map_or("", |uri| &uri[rkey(&of.uri)..]))).collect()
}

async fn client(database: &TestDatabase) -> Client {
    store::connect(database.url(), Some(1)).await.unwrap().client
}

#[tokio::test]
async fn what_was_planted_is_found_and_mended() {
    let (database, network) = (TestDatabase::create().await.unwrap(), network().await);
    let config = config(&database, &network);
    let progress = read(&config, &[]).await;
    assert_eq!((progress.total, progress.done, progress.failed, progress.finished), (Some(2), 2, 0, true));
    let equal = compare(&config, true).await;
    assert!(equal.is_equal(), "{equal:?}");
    assert_eq!((equal.accounts, equal.records), (2, 7));
    let mut db = client(&database).await;
    let before = fingerprint::take(&mut db).await.unwrap();
    db.batch_execute(
        "UPDATE record SET cid = '\\x01711220' || sha256('x') WHERE did = 'did:plc:alice' AND rkey = 't0';
         DELETE FROM record WHERE did = 'did:plc:alice' AND rkey = 't1';
         DELETE FROM tag WHERE did = 'did:plc:alice' AND rkey = 't1';
         INSERT INTO record (did, collection, rkey, rev, cid, state, decoder, raw)
         SELECT did, collection, 'extra', rev, cid, state, decoder, raw FROM record WHERE did = 'did:plc:bob' AND rkey = 't0';
         UPDATE record SET state = 'invalid', verification = 'signed' WHERE did = 'did:plc:bob' AND rkey = 't2';
         DELETE FROM tag WHERE did = 'did:plc:bob' AND rkey = 't2'",
    )
    .await
    .unwrap();
    let found = compare(&config, true).await;
    let planted = [(Kind::Different, "t0"), (Kind::Missing, "t1"), (Kind::Extra, "extra"), (Kind::Decoded, "t2")];
    assert_eq!(kinds(&found), planted, "{found:?}");
    let mended = compare(&config, false).await;
    assert!(mended.is_equal(), "{mended:?}");
    assert_eq!(mended.repaired.len(), 4);
    assert!(compare(&config, true).await.is_equal());
    assert_eq!(fingerprint::take(&mut db).await.unwrap().tables["tag"], before.tables["tag"]);
    let signed = "SELECT rkey FROM record WHERE verification = 'signed'";
    assert_eq!(db.query_one(signed, &[]).await.unwrap().get::<_, &str>(0), "t2", "a listing proves no less");
}

#[tokio::test]
async fn beside_a_running_indexer_it_leaves_the_mending_to_that() {
    let (database, network) = (TestDatabase::create().await.unwrap(), network().await);
    let stream = Stream::jetstream().await;
    let indexer = Indexer::start(&database, &stream, &network).await;
    let config = config(&database, &network);
    read(&config, &[]).await;
    // From here on the source has a cursor: before, each new connection has every repository read, which mends what is planted.
    stream.line(&put(ALICE, rev(90), "io.atcr.tag", "live", &tag("v9")));
    network.put(ALICE, rev(90), "io.atcr.tag", "live", tag("v9"));
    indexer.until("SELECT rkey FROM record WHERE rkey = 'live'", &["live"]).await;
    indexer.until("SELECT kind FROM job", &[]).await;
    indexer.db.batch_execute("DELETE FROM record WHERE rkey = 't1'").await.unwrap();
    assert_eq!(compare(&config, true).await.differences.len(), 2);
    let mended = compare(&config, false).await;
    assert!(mended.is_equal() && mended.repaired.len() == 2, "{mended:?}");
    assert!(indexer.status.is_writing());
    indexer.stop().await;
}

/// A source told of records that the account's host never had, at revisions that it has not come to.
#[tokio::test]
async fn what_its_host_never_had_is_told_and_in_the_end_removed() {
    let (database, network) = (TestDatabase::create().await.unwrap(), network().await);
    let stream = Stream::jetstream().await;
    let start = |patience| {
        let time = move |timing: &mut crate::Timing| timing.lag_patience = patience;
        Indexer::start_timed(&database, vec![stream.url.clone()], &network, time)
    };
    let indexer = start(Duration::from_secs(3600)).await;
    let config = config(&database, &network);
    read(&config, &[]).await;
    let before = fingerprint::take(&mut client(&database).await).await.unwrap();
    // One cannot be hashed; one replaces what is there; one removes it.
    let mut floaty = put(ALICE, rev(50), "io.atcr.tag", "floaty", &tag("lie"));
    floaty["commit"]["record"]["x"] = json!(1.5);
    stream.line(&floaty);
    stream.line(&put(ALICE, rev(51), "io.atcr.tag", "t0", &tag("lie")));
    stream.line(&delete(ALICE, rev(52), "io.atcr.tag", "t1"));
    indexer
        .until(
            "SELECT state FROM record WHERE did = 'did:plc:alice' AND rkey IN ('floaty', 't0', 't1') ORDER BY rkey",
            &["ok", "ok", "deleted"],
        )
        .await;
    let told = [(Kind::Ahead, "floaty"), (Kind::Ahead, "t0"), (Kind::Ahead, "t1")];
    for dry_run in [true, false] {
        let found = compare(&config, dry_run).await;
        assert!(kinds(&found) == told && found.repaired.is_empty() && !found.is_equal(), "{found:?}");
        assert!(found.differences[0].detail.starts_with("not comparable"), "{found:?}");
    }
    // It was read, and says so; the host has time to follow.
    let progress = read(&config, &[ALICE]).await;
    assert_eq!((progress.done, progress.failed, progress.put_off, progress.ahead), (1, 0, 0, 1));
    indexer.until("SELECT tag FROM tag WHERE did = 'did:plc:alice' ORDER BY tag", &["lie", "lie", "v2"]).await;
    indexer
        .until(
            "SELECT error FROM job WHERE kind = 'resync'",
            &[&format!("3 records are newer here than their host, which is at {}", rev(9))],
        )
        .await;
    indexer.stop().await;
    let indexer = start(Duration::ZERO).await;
    let progress = read(&config, &[ALICE]).await;
    assert_eq!((progress.done, progress.ahead), (1, 0));
    indexer.until("SELECT tag FROM tag WHERE did = 'did:plc:alice' ORDER BY tag", &["v0", "v1", "v2"]).await;
    indexer.until("SELECT count(*) FROM reject WHERE reason = 'cid_mismatch'", &["3"]).await;
    let found = compare(&config, true).await;
    assert!(found.is_equal(), "{found:?}");
    let after = fingerprint::take(&mut client(&database).await).await.unwrap();
    assert_eq!((after.records, after.view), (before.records, before.view));
    // What is written from now on is news.
    network.put(ALICE, rev(90), "io.atcr.tag", "floaty", tag("real"));
    stream.line(&put(ALICE, rev(90), "io.atcr.tag", "floaty", &tag("real")));
    indexer.until("SELECT tag FROM tag WHERE rkey = 'floaty'", &["real"]).await;
    indexer.stop().await;
}

#[tokio::test]
async fn an_account_that_is_gone_differs_until_it_is_looked_at() {
    let (database, network) = (TestDatabase::create().await.unwrap(), network().await);
    let config = config(&database, &network);
    read(&config, &[BOB]).await;
    let db = client(&database).await;
    db.execute("UPDATE actor SET active = false WHERE did = $1", &[&BOB]).await.unwrap();
    let found = reconcile(&config, vec![BOB.parse().unwrap()], true, &CancellationToken::new()).await.unwrap();
    assert_eq!(kinds(&found), [(Kind::Status, "")]);
}

/// Somebody asked for it, and has to hear what is wrong.
#[tokio::test]
async fn what_is_wrong_with_an_account_that_was_asked_for_is_told() {
    let (database, network) = (TestDatabase::create().await.unwrap(), network().await);
    let config = config(&database, &network);
    for (did, status) in [("did:plc:nobody", StatusCode::NOT_FOUND), ("did:plc:deleted", StatusCode::GONE)] {
        network.refuse_document(did, status);
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    network.move_to("did:plc:down", &format!("http://{closed}").parse().unwrap());
    for (did, reason) in [
        ("did:plc:nobody", "did:plc:nobody does not exist"),
        ("did:plc:deleted", "did:plc:deleted was deleted"),
        ("did:plc:elsewhere", "did:plc:elsewhere is not on this PDS"),
        ("did:plc:down", "cannot connect to http://127.0.0.1"),
    ] {
        let progress = read(&config, &[did]).await;
        assert_eq!((progress.done, progress.failed, progress.finished), (0, 1, true), "{did}");
        let [unread] = progress.unread.as_slice() else { panic!("{progress:?}") };
        assert!(unread.did == did && unread.reason.starts_with(reason), "{unread:?}");
    }
    // It is not remembered against those who came back.
    network.put("did:plc:elsewhere", rev(1), "io.atcr.tag", "t", tag("v"));
    let progress = read(&config, &["did:plc:elsewhere", ALICE, ALICE]).await;
    assert_eq!((progress.total, progress.done, progress.failed, progress.finished), (Some(2), 2, 0, true));
}

#[tokio::test]
async fn a_writer_that_fails_for_good_ends_the_waiting() {
    let (database, network) = (TestDatabase::create().await.unwrap(), network().await);
    let config = config(&database, &network);
    store::prepare(database.url()).await.unwrap();
    client(&database).await.batch_execute("ALTER TABLE ops.writer RENAME TO unwriter").await.unwrap();
    let stop = CancellationToken::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), backfill(&config, &[], &stop, |_| {})).await;
    assert!(ended.unwrap().is_err());
}

/// Some repositories are read, then the process is gone; the next one goes on.
#[tokio::test]
async fn a_backfill_that_was_interrupted_is_gone_on_with() {
    let (database, network) = (TestDatabase::create().await.unwrap(), network().await);
    let config = config(&database, &network);
    network.stick(BOB);
    let stop = CancellationToken::new();
    let interrupted = backfill(&config, &[], &stop, |progress| {
        if progress.done == 1 {
            stop.cancel();
        }
    });
    let interrupted = tokio::time::timeout(Duration::from_secs(60), interrupted).await.unwrap().unwrap();
    assert!(!interrupted.finished, "{interrupted:?}");
    let db = client(&database).await;
    let read_first: String = db.query_one("SELECT min(did) FROM record", &[]).await.unwrap().get(0);
    assert_eq!(read_first, ALICE);
    network.unstick(BOB);
    let (listed, asked) =
        ("com.atproto.sync.listReposByCollection", network.asked("com.atproto.sync.listReposByCollection"));
    let progress = read(&config, &[]).await;
    assert_eq!((progress.total, progress.done, progress.finished), (Some(2), 2, true));
    assert_eq!(network.asked(listed), asked, "what was listed is not listed again");
    assert!(compare(&config, true).await.is_equal());
}
