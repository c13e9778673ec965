//! Who writes beside the writer: nothing is missed between them, and nobody waits for ever.

use std::time::Duration;

use store::{
    jobs::{self, JobKind},
    observe::{self, ActorSeen, Status},
    records, signatures,
};
use tokio::{task::JoinHandle, time::sleep};
use tokio_postgres::Client;
use types::{Change, Collection, Hint};

use crate::harness::{ALICE, BOB, Index, id, manifest, put, star, tag};

const CAROL: &str = "did:plc:carol";

async fn connect(index: &Index) -> Client {
    store::connect(index.database.url(), Some(1)).await.unwrap().client
}

/// Waits until somebody waits for a lock, and `who` has not gone on without it.
async fn until_waiting<T>(index: &Index, who: &JoinHandle<T>) {
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while index.count(waits).await == 0 {
        assert!(!who.is_finished(), "it waits for nobody");
        sleep(Duration::from_millis(5)).await;
    }
}

fn seen(did: &str, handle: &str, active: Option<bool>) -> ActorSeen {
    ActorSeen {
        did: did.parse().unwrap(),
        handle: Some(handle.parse().unwrap()),
        pds: None,
        hold_endpoint: None,
        status: active.map(|active| Status { active, name: "x".into() }),
    }
}

/// The giver has no row when the star is applied; whoever makes it hides it at once.
#[tokio::test]
async fn stars_of_a_giver_whom_somebody_else_meets_hidden_do_not_count() {
    let index = Index::new().await;
    let client = connect(&index).await;
    client.batch_execute(&format!("BEGIN; INSERT INTO actor (did, active) VALUES ('{BOB}', false)")).await.unwrap();
    let Index { database, mut writer, reader, client: looking } = index;
    let given = tokio::spawn(async move {
        let changes = vec![put(1, id(BOB, Collection::Star, "s"), &star(ALICE, "app", true))];
        writer.apply(types::Batch { changes, ..types::Batch::new(types::Origin::Stream) }).await.unwrap();
        writer
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while looking.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    client.batch_execute("COMMIT").await.unwrap();
    let writer = given.await.unwrap();
    let mut index = Index { database, writer, reader, client: looking };
    let counts = "SELECT stars * 10 + hidden_stars::bigint FROM repository WHERE name = 'app'";
    assert_eq!(index.count(counts).await, 1);
    index.client.execute("UPDATE actor SET active = true WHERE did = $1", &[&BOB]).await.unwrap();
    assert_eq!(index.count(counts).await, 10);
    // Nor those of one whom a batch names for the first time, and hides.
    let hint = Hint::Account { active: false };
    let look = Change::Look { did: CAROL.parse().unwrap(), hint };
    index.apply(vec![put(1, id(CAROL, Collection::Star, "s"), &star(ALICE, "app", true)), look]).await;
    assert_eq!(index.count(counts).await, 11);
}

#[tokio::test]
async fn who_moves_stars_or_takes_a_handle_waits_for_the_batch_and_holds_nothing() {
    let mut index = Index::new().await;
    index.apply(vec![put(1, id(BOB, Collection::Star, "s"), &star(ALICE, "app", true))]).await;
    let mut client = connect(&index).await;
    observe::actor(&mut client, &seen(ALICE, "alice.test", Some(true)), 1).await.unwrap();
    let batch = connect(&index).await;
    for (look, handle) in [
        (seen(BOB, "bob.test", Some(false)), "bob.test"),
        (seen(BOB, "bob.test", Some(true)), "bob.test"),
        (seen(BOB, "alice.test", None), "alice.test"),
    ] {
        batch.batch_execute("BEGIN; SELECT epoch FROM writer FOR UPDATE").await.unwrap();
        let mut own = connect(&index).await;
        let looking = tokio::spawn(async move { observe::actor(&mut own, &look, 1).await });
        until_waiting(&index, &looking).await;
        batch.batch_execute("SELECT FROM actor FOR UPDATE NOWAIT; COMMIT").await.unwrap();
        looking.await.unwrap().unwrap();
        let who = "SELECT did FROM actor WHERE handle = $1";
        assert_eq!(index.client.query_one(who, &[&handle]).await.unwrap().get::<_, &str>(0), BOB);
    }
    // Most looks change nothing else than their own row, and wait for nobody.
    batch.batch_execute("BEGIN; SELECT epoch FROM writer FOR UPDATE").await.unwrap();
    for look in [seen(BOB, "bob.test", Some(true)), seen(CAROL, "carol.test", Some(true)), seen(BOB, "b.test", None)] {
        tokio::time::timeout(Duration::from_secs(20), observe::actor(&mut client, &look, 1)).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn who_marks_many_records_waits_for_the_batch_and_holds_nothing() {
    let mut index = Index::new().await;
    let did = ALICE.parse().unwrap();
    let tags = ["a", "b", "c"].map(|rkey| put(1, id(ALICE, Collection::Tag, rkey), &tag(ALICE, "app", rkey, "m", 1)));
    index.apply(tags.into()).await;
    let standing = signatures::unsigned(&index.client, &did, 9).await.unwrap();
    let batch = connect(&index).await;
    let begin = "BEGIN; SELECT epoch FROM writer FOR UPDATE";
    let end = "SELECT FROM record FOR UPDATE NOWAIT; COMMIT";
    let own = connect(&index).await;
    batch.batch_execute(begin).await.unwrap();
    let marking = tokio::spawn(async move {
        signatures::signed(&own, &standing.iter().collect::<Vec<_>>()).await.unwrap();
        own
    });
    until_waiting(&index, &marking).await;
    batch.batch_execute(end).await.unwrap();
    let own = marking.await.unwrap();
    assert_eq!(index.count("SELECT count(*) FROM record WHERE verification = 'signed'").await, 3);
    batch.batch_execute(begin).await.unwrap();
    let marking = tokio::spawn(async move { records::distrust(&own, &[ALICE.into()]).await.unwrap() });
    until_waiting(&index, &marking).await;
    batch.batch_execute(end).await.unwrap();
    marking.await.unwrap();
    assert_eq!(index.count("SELECT count(*) FROM record WHERE decoder = 0").await, 3);
}

/// In whatever order they are named.
#[tokio::test]
async fn jobs_are_locked_in_the_order_of_their_keys() {
    let index = Index::new().await;
    let keys: Vec<String> = (0..40).map(|n| format!("did:plc:a{:02}", n * 27 % 40)).collect();
    jobs::enqueue(&index.client, JobKind::Resync, &keys).await.unwrap();
    let middle = connect(&index).await;
    let lock = "BEGIN; SELECT FROM job WHERE key = 'did:plc:a20' FOR UPDATE";
    let free = "SELECT coalesce(string_agg(key, ' ' ORDER BY key), '') FROM (
                    SELECT key FROM job WHERE key <> 'did:plc:a20' AND kind = 'resync' FOR UPDATE SKIP LOCKED) free";
    let after: Vec<String> = (21..40).map(|n| format!("did:plc:a{n:02}")).collect();
    let own = connect(&index).await;
    middle.batch_execute(lock).await.unwrap();
    let wanted = keys.clone();
    let queuing = tokio::spawn(async move { jobs::enqueue(&own, JobKind::Resync, &wanted).await.unwrap() });
    until_waiting(&index, &queuing).await;
    assert_eq!(index.client.query_one(free, &[]).await.unwrap().get::<_, String>(0), after.join(" "));
    middle.batch_execute("COMMIT").await.unwrap();
    queuing.await.unwrap();
    // The writer queues some to be done at once and some later: all of them in one go.
    index.client.execute("DELETE FROM job WHERE key >= 'did:plc:a30'", &[]).await.unwrap();
    let later = keys.iter().step_by(2).map(|did| {
        let weight = crate::harness::checked(
            1,
            id(did, Collection::Manifest, "m"),
            &manifest("app", 1),
            types::Verification::Unverifiable,
        );
        vec![weight]
    });
    let now =
        keys.iter().skip(1).step_by(2).map(|did| vec![Change::Look { did: did.parse().unwrap(), hint: Hint::Sync }]);
    let changes: Vec<Change> = later.chain(now).flatten().collect();
    middle.batch_execute(lock).await.unwrap();
    let mut writer = index.writer;
    let applying = tokio::spawn(async move {
        writer.apply(types::Batch { changes, ..types::Batch::new(types::Origin::Stream) }).await.unwrap();
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while index.client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(!applying.is_finished(), "it waits for nobody");
        sleep(Duration::from_millis(5)).await;
    }
    let left: Vec<String> = (21..30).map(|n| format!("did:plc:a{n:02}")).collect();
    assert_eq!(index.client.query_one(free, &[]).await.unwrap().get::<_, String>(0), left.join(" "));
    middle.batch_execute("COMMIT").await.unwrap();
    applying.await.unwrap();
    assert_eq!(
        index
            .client
            .query_one("SELECT count(*) FROM job WHERE kind = 'resync' AND key LIKE 'did:plc:a%'", &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        40
    );
}
