use std::{fs::OpenOptions, io::Write as _};

use crowsnest_devnet::{Devnet, DevnetConfig, Error, Write};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Fixture, Stream};

/// Everything that a relay and Jetstream ever said: sequence numbers, times, commits, signatures.
async fn history(fixture: &Fixture) -> (Vec<Message>, Vec<Message>) {
    let manifest = fixture.devnet.manifest();
    let frames = Stream::open(&format!("{}?cursor=0", manifest.firehose)).await.drain().await;
    let texts = Stream::open(&format!("{}?cursor=1", manifest.jetstream_v1)).await.drain().await;
    (frames, texts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_changes_nothing() {
    let fixture = Fixture::full().await;
    let did = fixture.devnet.did("alice.test").unwrap();
    fixture.devnet.write(&did, vec![Write::create("io.atcr.tag", "x", json!({"$type": "io.atcr.tag"}))]).unwrap();
    fixture.devnet.set_handle(&did, "alice2.test").unwrap();
    fixture.devnet.set_account_status(&did, Some("deactivated")).unwrap();
    fixture.devnet.set_account_status(&did, None).unwrap();
    fixture.devnet.publish_raw_frame(b"\x00", Some("{}".into())).unwrap();
    let (before, manifest) = (history(&fixture).await, serde_json::to_value(fixture.devnet.manifest()).unwrap());
    let fixture = fixture.restart().await;
    assert_eq!(serde_json::to_value(fixture.devnet.manifest()).unwrap(), manifest);
    let after = history(&fixture).await;
    assert!(before == after, "{} and {} frames", before.0.len(), after.0.len());
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_line_is_cut_off() {
    let fixture = Fixture::bare().await;
    let did = fixture.devnet.create_account("torn.test", "x", 0).unwrap();
    let before = history(&fixture).await;
    let log = fixture.directory.path().join("devnet/operations.jsonl");
    OpenOptions::new().append(true).open(&log).unwrap().write_all(br#"{"op":"commit","did":"did:plc:"#).unwrap();
    let fixture = fixture.restart().await;
    assert!(before == history(&fixture).await);
    // What is written next begins on a line of its own.
    fixture.devnet.write(&did, vec![Write::create("a.b.c", "x", json!({}))]).unwrap();
    let before = history(&fixture).await;
    let fixture = fixture.restart().await;
    assert!(before == history(&fixture).await);
    fixture.devnet.shutdown().await;
}

/// The process was killed while it filled a new devnet: the next start begins again, and makes the very same commits.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_start_begins_again() {
    let fixture = Fixture::full().await;
    let before = history(&fixture).await;
    let log = fixture.directory.path().join("devnet/operations.jsonl");
    let Fixture { directory, devnet } = fixture;
    devnet.shutdown().await;
    let text = std::fs::read_to_string(&log).unwrap();
    let half: Vec<&str> = text.lines().take(text.lines().count() / 2).collect();
    std::fs::write(&log, half.join("\n")).unwrap();
    let devnet = Devnet::start(DevnetConfig::new(directory.path())).await.unwrap();
    let fixture = Fixture { directory, devnet };
    assert!(before == history(&fixture).await);
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why() {
    let fixture = Fixture::bare().await;
    let config = DevnetConfig::new(fixture.directory.path());
    assert!(matches!(Devnet::start(config.clone()).await, Err(Error::PortTaken { .. })));
    fixture.devnet.shutdown().await;
    let other = DevnetConfig { seed: 2, ..config };
    assert!(matches!(Devnet::start(other).await, Err(Error::OtherSeed { found: 1, wanted: 2 })));
}
