use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use outbound::WebSocket;
use serde_json::json;
use service::postgres::testing::TestDatabase;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
use types::{Batch, Did, Origin};

use super::{AT_ONCE, BYTES_AT_ONCE, Follower, MAX_FRAME, Reading, own, stream_url};
use crate::{
    Timing,
    budget::WHOLE,
    event::{Action, Commit, Event, Op},
    jobs::tests::{applied, context},
    known::Known,
    tests::{holds::commit, network::Network, rev},
};

const HOLD: &str = "did:plc:hold";

/// A connection on which frames wait already, each with a record of its own and some padding.
async fn waiting(frames: usize, padding: usize) -> WebSocket {
    let (ours, theirs) = tokio::io::duplex(64 << 20);
    let ours: Pin<Box<dyn outbound::Transport>> = Box::pin(ours);
    let mut theirs = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
    for n in 1..=frames as i64 {
        let record = json!({"member": "did:plc:bob", "permissions": [], "padding": "x".repeat(padding)});
        theirs.send(commit(n, HOLD, rev(9), &format!("io.atcr.hold.crew/c{n}"), &record)).await.unwrap();
    }
    // It stays open.
    std::mem::forget(theirs);
    WebSocketStream::from_raw_socket(ours, Role::Client, None).await
}

/// Reads until so many frames were applied, and tells how many were in each batch.
async fn read(frames: usize, padding: usize) -> Vec<usize> {
    let (database, network) = (TestDatabase::create().await.unwrap(), Network::start().await);
    let (context, mut requests) = context(&database, &network).await;
    let budget = context.budget.clone();
    let (context, timing) = (Arc::new(context), Timing::default());
    let follower = Follower { context, timing, waiting: Arc::default(), readings: Arc::default() };
    let (hold, known): (Did, _) = (HOLD.parse().unwrap(), Known::default());
    known.extend([HOLD]);
    let (endpoint, batch) = ("http://hold.example".to_owned(), Batch::new(Origin::Stream));
    let mut reading = Reading {
        by: &follower,
        hold: &hold,
        known,
        endpoint,
        at: None,
        saved: None,
        foreign: 0,
        opened: Instant::now(),
        noted: None,
        batch,
    };
    let mut socket = waiting(frames, padding).await;
    let mut batches = Vec::new();
    while batches.iter().sum::<usize>() < frames {
        let message = timeout(Duration::from_secs(20), socket.next()).await.expect("a frame is lost");
        // Others leave room for one batch at a time, and no more.
        let others = budget.try_take(WHOLE - BYTES_AT_ONCE - MAX_FRAME).unwrap();
        let mut taking = Box::pin(reading.take_all(message, &mut socket));
        let batch = tokio::select! { batch = applied(&mut requests) => batch, _ = &mut taking => panic!("no batch") };
        assert!(budget.try_take(BYTES_AT_ONCE + MAX_FRAME).is_none(), "what waits for the writer counts");
        assert!(taking.await.is_ok());
        drop(others);
        batches.push(batch.changes.len());
    }
    assert!(budget.try_take(WHOLE).is_some());
    batches
}

#[tokio::test]
async fn what_waits_behind_a_batch_is_not_lost() {
    assert_eq!(read(AT_ONCE + 1, 0).await, [AT_ONCE, 1]);
}

#[tokio::test]
async fn a_batch_comes_from_so_many_bytes() {
    let batches = read(12, 300 << 10).await;
    assert_eq!(batches, [4, 4, 4]);
}

#[test]
fn only_a_holds_word_about_itself_counts() {
    let hold = "did:web:hold.example".parse().unwrap();
    let op = |collection: &'static str| Op { collection: collection.into(), rkey: "x".into(), action: Action::Delete };
    let commit = |did: &'static str| {
        let ops = vec![op("io.atcr.hold.captain"), op("io.atcr.tag"), op("io.atcr.hold"), op("io.atcr.hold.scan")];
        Event::Commit(Commit { did: did.into(), rev: "x".into(), ops })
    };
    let Some(Event::Commit(kept)) = own(commit("did:web:hold.example"), &hold) else { panic!() };
    let kept: Vec<&str> = kept.ops.iter().map(|op| &*op.collection).collect();
    assert_eq!(kept, ["io.atcr.hold.captain", "io.atcr.hold.scan"]);
    assert!(own(commit("did:plc:alice"), &hold).is_none());
    assert!(own(Event::Account { did: "did:plc:alice".into(), active: false }, &hold).is_none());
    assert!(own(Event::Account { did: "did:web:hold.example".into(), active: false }, &hold).is_some());
}

#[test]
fn streams_are_where_the_repository_is() {
    let at = |host: &str| stream_url(&host.parse().unwrap()).unwrap().to_string();
    assert_eq!(at("https://hold.example:8443/"), "wss://hold.example:8443/xrpc/com.atproto.sync.subscribeRepos");
    assert_eq!(at("http://127.0.0.1:3000/"), "ws://127.0.0.1:3000/xrpc/com.atproto.sync.subscribeRepos");
}
