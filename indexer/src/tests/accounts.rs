use std::time::Duration;

use axum::http::StatusCode;
use chrono::Utc;
use serde_json::{Value, json};
use service::postgres::testing::TestDatabase;
use store::jobs::{JobKind, enqueue};
use types::Tid;

use super::{Indexer, network::Network, put, rev, stream::Stream, tag};

const ALICE: &str = "did:plc:alice";
const BOB: &str = "did:plc:bob";
const STATES: &str = "SELECT did || ' ' || active || ' ' || status FROM actor ORDER BY did";

fn account(did: &str, active: bool) -> Value {
    json!({"did": did, "time_us": Utc::now().timestamp_micros(), "kind": "account", "account": {"active": active}})
}

fn identity(did: &str) -> Value {
    json!({"did": did, "time_us": Utc::now().timestamp_micros(), "kind": "identity", "identity": {}})
}

/// An indexer that knows Alice, with a tag of hers.
async fn with_alice(database: &TestDatabase, network: &Network, purge_after: Duration) -> (Indexer, Stream) {
    let stream = Stream::jetstream().await;
    let indexer = Indexer::start_timed(database, vec![stream.url.clone()], network, |timing| {
        timing.purge_after = purge_after;
    })
    .await;
    stream.line(&put(ALICE, rev(1), "io.atcr.tag", "x", &tag("a")));
    indexer.until("SELECT handle || ' ' || active FROM actor", &["alice.test true"]).await;
    (indexer, stream)
}

/// Has an account looked at, and waits until it was.
async fn look(indexer: &Indexer, did: &str) {
    indexer.until("SELECT kind FROM job WHERE kind = 'actor'", &[]).await;
    indexer.execute("UPDATE actor SET handle_checked_at = NULL", &[]).await;
    enqueue(&indexer.db, JobKind::Actor, &[did.into()]).await.unwrap();
    indexer.until(&format!("SELECT handle_checked_at IS NOT NULL FROM actor WHERE did = '{did}'"), &["true"]).await;
    indexer.until("SELECT kind FROM job WHERE kind = 'actor'", &[]).await;
}

#[tokio::test]
async fn whatever_an_inactive_account_is_called_it_is_hidden_and_comes_back() {
    let database = TestDatabase::create().await.unwrap();
    let network = Network::start().await;
    let (indexer, stream) = with_alice(&database, &network, Duration::from_secs(3600)).await;
    for status in ["takendown", "suspended", "deactivated", "deleted", "desynchronized", "throttled", "on-holiday"] {
        network.status(ALICE, Some(status));
        stream.line(&account(ALICE, false));
        indexer.until(STATES, &[&format!("{ALICE} false {status}")]).await;
        network.status(ALICE, None);
        stream.line(&account(ALICE, true));
        indexer.until(STATES, &[&format!("{ALICE} true active")]).await;
    }
    assert_eq!(indexer.rows("SELECT gone_at FROM actor").await, [""], "who is back was never gone");
    assert_eq!(indexer.rows("SELECT tag FROM tag").await, ["a"]);
    indexer.stop().await;
}

/// The event says that it is inactive; whoever could say why does not answer.
#[tokio::test]
async fn an_account_is_hidden_before_anybody_was_asked() {
    let database = TestDatabase::create().await.unwrap();
    let network = Network::start().await;
    let (indexer, stream) = with_alice(&database, &network, Duration::ZERO).await;
    network.stick(ALICE);
    stream.line(&account(ALICE, false));
    indexer.until("SELECT active FROM actor", &["false"]).await;
    assert_eq!(indexer.rows("SELECT gone_at FROM actor").await, [""]);
    indexer.stop().await;
}

#[tokio::test]
async fn a_directory_that_buried_a_did_hides_it() {
    let database = TestDatabase::create().await.unwrap();
    let network = Network::start().await;
    let (indexer, stream) = with_alice(&database, &network, Duration::from_secs(3600)).await;
    network.refuse_document(ALICE, StatusCode::GONE);
    stream.line(&identity(ALICE));
    indexer.until(STATES, &[&format!("{ALICE} false deleted")]).await;
    assert_eq!(indexer.rows("SELECT gone_at IS NOT NULL FROM actor").await, ["true"]);
    assert_eq!(indexer.rows("SELECT tag FROM tag").await, ["a"], "hidden, not removed");
    indexer.stop().await;
}

/// It may have been set up anew, or be a proxy's answer: the second look, an hour later, is believed.
#[tokio::test]
async fn a_directory_that_lost_an_account_is_not_believed_at_once() {
    let database = TestDatabase::create().await.unwrap();
    let network = Network::start().await;
    let (indexer, stream) = with_alice(&database, &network, Duration::from_secs(3600)).await;
    let pds = network.url.origin().ascii_serialization();
    let stands = "SELECT concat_ws(' ', handle, pds, active::text) FROM actor";
    let waits = "SELECT error FROM job WHERE kind = 'actor' AND waits_since IS NOT NULL AND attempts = 0";
    indexer.until("SELECT kind FROM job WHERE kind = 'actor'", &[]).await;
    network.refuse_document(ALICE, StatusCode::NOT_FOUND);
    stream.line(&identity(ALICE));
    indexer.until(waits, &["did:plc:alice does not exist"]).await;
    assert_eq!(indexer.rows(stands).await, [format!("alice.test {pds} true")]);
    // It is back: nothing has happened.
    network.serve_document(ALICE);
    indexer.execute("UPDATE job SET run_at = now()", &[]).await;
    indexer.until("SELECT kind FROM job WHERE kind = 'actor'", &[]).await;
    assert_eq!(indexer.rows(stands).await, [format!("alice.test {pds} true")]);
    network.refuse_document(ALICE, StatusCode::NOT_FOUND);
    stream.line(&identity(ALICE));
    indexer.until(waits, &["did:plc:alice does not exist"]).await;
    indexer.execute("UPDATE job SET run_at = now(), waits_since = now() - interval '2 hours'", &[]).await;
    indexer.until(stands, &[&format!("{pds} true")]).await;
    indexer.until("SELECT kind FROM job WHERE kind = 'actor'", &[]).await;
    indexer.stop().await;
}

/// Neither silence nor any other state leads there, nor does one answer alone.
#[tokio::test]
async fn what_a_deleted_account_left_is_removed_when_that_was_said_twice() {
    let database = TestDatabase::create().await.unwrap();
    let network = Network::start().await;
    let (indexer, stream) = with_alice(&database, &network, Duration::from_secs(3600)).await;
    let long_ago = "UPDATE actor SET gone_at = gone_at - interval '2 hours'";
    for status in ["deactivated", "takendown", "suspended", "RepoNotFound"] {
        network.status(ALICE, Some(status));
        look(&indexer, ALICE).await;
        indexer.execute(long_ago, &[]).await;
        look(&indexer, ALICE).await;
        let name = if status == "RepoNotFound" { "not-found" } else { status };
        assert_eq!(indexer.rows(STATES).await, [format!("{ALICE} false {name}")]);
    }
    network.status(ALICE, Some("deleted"));
    look(&indexer, ALICE).await;
    look(&indexer, ALICE).await;
    assert_eq!(indexer.rows("SELECT tag FROM tag").await, ["a"], "an hour has not passed");
    // Said long ago, but by now it is another answer.
    indexer.execute(long_ago, &[]).await;
    network.status(ALICE, Some("deactivated"));
    look(&indexer, ALICE).await;
    assert_eq!(indexer.rows("SELECT gone_at FROM actor").await, [""]);
    network.status(ALICE, Some("deleted"));
    look(&indexer, ALICE).await;
    indexer.execute(long_ago, &[]).await;
    look(&indexer, ALICE).await;
    assert_eq!(indexer.rows("SELECT rkey FROM record").await, [""; 0]);
    let stands = "SELECT concat_ws(' ', did, handle, pds, purged_at IS NOT NULL) FROM actor";
    assert_eq!(indexer.rows(stands).await, [format!("{ALICE} t")]);
    // Nor does the archive have anything of it, nor what is late; and a look gives nothing back.
    indexer.until("SELECT kind FROM job", &[]).await;
    stream.line(&put(ALICE, rev(2), "io.atcr.tag", "x", &tag("a")));
    look(&indexer, ALICE).await;
    assert_eq!(indexer.rows("SELECT dids FROM archive").await, [""; 0]);
    assert_eq!(indexer.rows(stands).await, [format!("{ALICE} t")]);
    // Even so it may return.
    network.status(ALICE, None);
    network.put(ALICE, Tid::from_micros(Utc::now().timestamp_micros().unsigned_abs(), 0), "io.atcr.tag", "y", tag("b"));
    stream.line(&account(ALICE, true));
    indexer.until("SELECT tag FROM tag", &["b"]).await;
    assert_eq!(indexer.rows("SELECT coalesce(gone_at, purged_at) FROM actor").await, [""]);
    indexer.stop().await;
}

#[tokio::test]
async fn who_moves_to_another_pds_is_read_there() {
    let database = TestDatabase::create().await.unwrap();
    let (network, elsewhere) = (Network::start().await, Network::start().await);
    let (indexer, stream) = with_alice(&database, &network, Duration::from_secs(3600)).await;
    elsewhere.put(ALICE, rev(5), "io.atcr.tag", "y", tag("b"));
    network.move_to(ALICE, &elsewhere.url);
    stream.line(&identity(ALICE));
    indexer.until("SELECT tag FROM tag", &["b"]).await;
    indexer.until("SELECT pds FROM actor", &[&elsewhere.url.origin().ascii_serialization()]).await;
    indexer.stop().await;
}

const HANDLES: &str = "SELECT did || ' ' || coalesce(handle, '-') FROM actor ORDER BY did";

#[tokio::test]
async fn a_handle_that_moves_is_never_shown_twice() {
    let database = TestDatabase::create().await.unwrap();
    let network = Network::start().await;
    let (indexer, stream) = with_alice(&database, &network, Duration::from_secs(3600)).await;
    stream.line(&put(BOB, rev(1), "io.atcr.tag", "x", &tag("b")));
    indexer.until(HANDLES, &["did:plc:alice alice.test", "did:plc:bob bob.test"]).await;
    // Bob takes Alice's name over; no event tells of Alice.
    network.set_handle("alice.test", BOB);
    network.claim(BOB, "alice.test");
    stream.line(&identity(BOB));
    indexer.until(HANDLES, &["did:plc:alice -", "did:plc:bob alice.test"]).await;
    // She still claims it.
    look(&indexer, ALICE).await;
    assert_eq!(indexer.rows(HANDLES).await, ["did:plc:alice -", "did:plc:bob alice.test"]);
    // He gives it back, and claims it a little longer.
    network.set_handle("alice.test", ALICE);
    look(&indexer, ALICE).await;
    assert_eq!(indexer.rows(HANDLES).await, ["did:plc:alice alice.test", "did:plc:bob -"]);
    look(&indexer, BOB).await;
    assert_eq!(indexer.rows(HANDLES).await, ["did:plc:alice alice.test", "did:plc:bob -"]);
    indexer.stop().await;
}

#[tokio::test]
async fn a_handle_that_is_sold_without_an_event_is_found_out() {
    let database = TestDatabase::create().await.unwrap();
    let network = Network::start().await;
    let (indexer, _stream) = with_alice(&database, &network, Duration::from_secs(3600)).await;
    network.set_handle("alice.test", "did:plc:stranger");
    // As if ten minutes had passed: the house-keeper finds that the check is old.
    indexer.execute("UPDATE actor SET handle_checked_at = now() - interval '11 minutes'", &[]).await;
    indexer.until(HANDLES, &["did:plc:alice -"]).await;
    indexer.stop().await;
}

#[tokio::test]
async fn an_actor_of_its_own_domain_is_known_by_its_document() {
    let database = TestDatabase::create().await.unwrap();
    let network = Network::start().await;
    let stream = Stream::jetstream().await;
    let indexer = Indexer::start_timed(&database, vec![stream.url.clone()], &network, |timing| {
        timing.missing_after = Duration::ZERO;
    })
    .await;
    let did = network.did();
    network.set_handle("web.test", &did);
    stream.line(&put(&did, rev(1), "io.atcr.tag", "x", &tag("w")));
    let seen = format!("SELECT handle || ' ' || pds FROM actor WHERE did = '{did}'");
    let pds = network.url.origin().ascii_serialization();
    indexer.until(&seen, &[&format!("web.test {pds}")]).await;
    // A document that is gone takes its handle along, and says nothing of the records.
    network.refuse_document(&did, StatusCode::NOT_FOUND);
    look(&indexer, &did).await;
    assert_eq!(
        indexer.rows(&format!("SELECT handle IS NULL AND active FROM actor WHERE did = '{did}'")).await,
        ["true"]
    );
    // Nor does a host that is in trouble: then the handle stays for a day.
    indexer.stop().await;
}
