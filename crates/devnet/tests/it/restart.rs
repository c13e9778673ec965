use std::{
    fs::OpenOptions,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use crowsnest_devnet::{Devnet, DevnetConfig, DevnetManifest, Error, Write};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Fixture, Stream, get, post};

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

/// The program by itself, killed when the test is over.
struct Program {
    process: Child,
    manifest: DevnetManifest,
}

impl Program {
    fn start(directory: &Path) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_crowsnest-devnet"));
        let mut process = program.arg(directory).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, manifest: serde_json::from_str(&line).unwrap() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// What a PDS has acknowledged, or a stream has told, is there after a `kill -9`.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path());
    let account = program.manifest.accounts[0].clone();
    let xrpc = |method: &str| format!("{}/xrpc/com.atproto.{method}", account.pds);
    let credentials = json!({"identifier": account.did, "password": account.password});
    let (_, session) = post(&xrpc("server.createSession"), None, credentials).await;
    let token = session["accessJwt"].as_str().unwrap().to_owned();
    let mut acknowledged = Vec::new();
    for n in 0..25 {
        let record =
            json!({"repo": account.did, "collection": "io.atcr.tag", "rkey": format!("kill-{n}"), "record": {"n": n}});
        acknowledged.push(post(&xrpc("repo.createRecord"), Some(&token), record).await.1);
    }
    let firehose = format!("{}?cursor=0", program.manifest.firehose);
    let before = Stream::open(&firehose).await.drain().await;
    drop(program);

    let program = Program::start(directory.path());
    assert_eq!(program.manifest.firehose, firehose.trim_end_matches("?cursor=0"));
    assert!(before == Stream::open(&firehose).await.drain().await);
    for (n, created) in acknowledged.iter().enumerate() {
        let at = format!("repo={}&collection=io.atcr.tag&rkey=kill-{n}", account.did);
        let (status, record) = get(&format!("{}?{at}", xrpc("repo.getRecord"))).await;
        assert_eq!((status, &record["cid"]), (200, &created["cid"]));
    }
    // Sessions hold too: their key follows from the seed.
    let key = json!({"repo": account.did, "collection": "io.atcr.tag", "rkey": "kill-0"});
    assert_eq!(post(&xrpc("repo.deleteRecord"), Some(&token), key).await.0, 200);
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
