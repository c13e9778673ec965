//! Unusable arguments and set-ups: one line that says what to do, exit code 2.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use service::postgres::testing::TestDatabase;
use tokio::time::timeout;

use crate::harness::crowsnest::{Crowsnest, command};
use crate::harness::scratch::Scratch;
use crate::harness::{free_port, passed};

/// A network where nobody answers: what is tested fails before, or needs none.
const NOWHERE: [&str; 7] = [
    "--source",
    "ws://127.0.0.1:9/subscribe",
    "--plc-url",
    "http://127.0.0.1:9",
    "--relay-url",
    "http://127.0.0.1:9",
    "--allow-private-network",
];

/// Runs crowsnest to its end, which must be a refusal; returns its one line.
async fn refusal(args: &[&str]) -> Result<String> {
    let mut command = command(args);
    // Standard error is for the log too; without it, the reason is all there is.
    let output = command.env("CROWSNEST_LOG", "off").stdin(Stdio::null()).output();
    let output = timeout(Duration::from_secs(60), output).await.context("it does not end")??;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    Ok(stderr)
}

#[tokio::test]
async fn an_unknown_flag_is_named() -> Result<()> {
    let line = refusal(&["up", "--lissten", "127.0.0.1:5000"]).await?;
    assert!(line.contains("--lissten"), "{line}");
    passed()
}

#[tokio::test]
async fn a_wrong_value_says_what_was_expected() -> Result<()> {
    let line = refusal(&["up", "--source", "https://jetstream.example/"]).await?;
    assert!(line.contains("--source") && line.contains("ws://"), "{line}");
    passed()
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_flag_that_changes_it() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let scratch = Scratch::new()?;
    let data = scratch.folder("data")?.display().to_string();
    let line = refusal(&[&["up", "--listen", &address, "--data-dir", &data], &NOWHERE[..]].concat()).await?;
    assert!(line.contains(&address) && line.contains("--listen"), "{line}");
    passed()
}

#[tokio::test]
async fn a_folder_that_another_uses_is_told_before_its_port() -> Result<()> {
    let scratch = Scratch::new()?;
    let folder = scratch.folder("data")?;
    let data = folder.display().to_string();
    let crowsnest = Crowsnest::up(&folder, &NOWHERE).await?;
    let address = crowsnest.url("").trim_start_matches("http://").to_owned();
    for listen in [address.as_str(), "127.0.0.1:0"] {
        let line =
            refusal(&[&["up", "--fresh", "--listen", listen, "--data-dir", &data], &NOWHERE[..]].concat()).await?;
        assert!(line.contains("another crowsnest (process ") && line.contains(&data), "{line}");
    }
    // It runs on, and what only looks is let in.
    let output = command(&["status", "--json", "--data-dir", &data]).output().await?;
    let status: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_ne!(status["sources"][0]["state"], "stopped", "{status}");
    assert!(crowsnest.interrupt().await?.success());
    let output = command(&["status", "--json", "--data-dir", &data]).output().await?;
    let status: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(status["sources"][0]["state"], "stopped", "{status}");
    passed()
}

#[tokio::test]
async fn an_unreachable_database_is_named_without_its_password() -> Result<()> {
    let scratch = Scratch::new()?;
    let data = scratch.folder("data")?.display().to_string();
    let port = free_port()?.to_string();
    let database = format!("postgres://me:hunter2@127.0.0.1:{port}/crowsnest");
    let given = ["up", "--listen", "127.0.0.1:0", "--data-dir", &data, "--database-url", &database];
    let line = refusal(&[&given, &NOWHERE[..]].concat()).await?;
    assert!(line.contains(&port) && !line.contains("hunter2"), "{line}");
    passed()
}

#[tokio::test]
async fn an_interrupt_ends_it_with_success() -> Result<()> {
    let scratch = Scratch::new()?;
    let crowsnest = Crowsnest::up(&scratch.folder("data")?, &NOWHERE).await?;
    let status = crowsnest.interrupt().await?;
    assert!(status.success(), "{status}");
    passed()
}

#[tokio::test]
async fn a_source_of_no_known_protocol_is_refused_before_anything_starts() -> Result<()> {
    let line = refusal(&["up", "--listen", "127.0.0.1:0", "--source", "ws://127.0.0.1:9/events"]).await?;
    assert!(line.contains("subscribeEvents (Jetstream v2)"), "{line}");
    passed()
}

#[tokio::test]
async fn a_taken_admin_port_is_told_before_ready() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let scratch = Scratch::new()?;
    let data = scratch.folder("data")?.display().to_string();
    let given = ["up", "--listen", "127.0.0.1:0", "--admin-listen", &address, "--data-dir", &data];
    let line = refusal(&[&given, &NOWHERE[..]].concat()).await?;
    assert!(line.contains(&address) && line.contains("--admin-listen"), "{line}");
    passed()
}

#[tokio::test]
async fn an_index_that_is_not_there_is_not_made_up() -> Result<()> {
    let scratch = Scratch::new()?;
    let data = scratch.folder("data")?;
    let line = refusal(&["fingerprint", "--data-dir", &data.display().to_string()]).await?;
    assert!(line.contains("--data-dir") && data.read_dir()?.next().is_none(), "{line}");
    passed()
}

/// Nor in a database that holds something else.
#[tokio::test]
async fn a_database_without_an_index_is_left_as_it_is() -> Result<()> {
    let database = TestDatabase::create().await?;
    for given in [&["status"][..], &["fingerprint"], &["fingerprint", "--full"], &["reconcile", "--dry-run"]] {
        let line = refusal(&[given, &["--database-url", database.url()]].concat()).await?;
        assert!(line.contains("there is no index in this database"), "{line}");
    }
    let client = store::connect(database.url(), None).await?.client;
    let ours = "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(obs|ops|ext|idx_.*)$'";
    assert_eq!(client.query_one(ours, &[]).await?.get::<_, i64>(0), 0);
    passed()
}

#[tokio::test]
async fn an_account_that_cannot_be_read_is_named_with_the_reason() -> Result<()> {
    let scratch = Scratch::new()?;
    let data = scratch.folder("data")?.display().to_string();
    let asked = ["backfill", "--json", "--did", "did:plc:nobody", "--data-dir", &data];
    let [_, _, network @ ..] = NOWHERE;
    let mut command = command(&[&asked, &network[..]].concat());
    let output = timeout(Duration::from_secs(60), command.env("CROWSNEST_LOG", "off").output()).await??;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("did:plc:nobody could not be read: cannot connect to"), "{stderr}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&answer["failed"], &answer["unread"][0]["did"]), (&1.into(), &"did:plc:nobody".into()), "{answer}");
    passed()
}

/// Root alone can hide the machine's Postgres; whoever is not has the other tests.
#[tokio::test]
async fn a_missing_postgres_is_named_with_what_to_do() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return passed();
    }
    let scratch = Scratch::new()?;
    let data = scratch.folder("data")?.display().to_string();
    let crowsnest = command(&[]);
    let hidden = "mount -t tmpfs none /usr/lib/postgresql && exec env PATH=/nowhere \"$0\" migrate --data-dir \"$1\"";
    // No network either: with one, Postgres would be downloaded.
    let mut command = tokio::process::Command::new("unshare");
    command.args(["--mount", "--net", "sh", "-c", hidden]).arg(crowsnest.as_std().get_program()).arg(&data);
    let output = timeout(Duration::from_secs(60), command.env("CROWSNEST_LOG", "off").output()).await??;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("Postgres") && stderr.contains("install"), "{stderr}");
    passed()
}
