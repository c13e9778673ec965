//! An index that never saw the stream, and is filled by `crowsnest backfill` alone, is the one that the stream makes.
//! The PDS stands in for the relay, and has no `listReposByCollection`: all whom it hosts are read.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use service::{Postgres, config::DatabaseArgs};

use super::{PATIENCE, World};
use crate::harness::crowsnest::command;
use crate::harness::images::Image;
use crate::harness::{eventually, passed, publish};

const STARS: &str = "io.atcr.sailor.star";
const PAGES: &str = "io.atcr.repo.page";
const PROFILES: &str = "io.atcr.sailor.profile";
const WHEN: &str = "2026-01-10T12:00:00Z";
/// More than a page of `listRecords`.
const MANY: u64 = 103;

#[tokio::test]
async fn a_backfill_makes_the_index_that_the_stream_makes() -> Result<()> {
    let world = World::start().await?;
    write(&world).await?;
    let filled = Index { world: &world, folder: world.scratch.path("filled") };
    let (code, told) = filled.run(&["backfill"], true).await?;
    assert_eq!((code, told.trim_end()), (0, "2 repositories read"));
    // Running from here on: each command would start and stop it.
    let (postgres, client) = filled.open().await?;
    let (code, told) = filled.run(&["reconcile", "--dry-run"], true).await?;
    assert_eq!((code, told.contains(" 0 differences, 0 repaired, 0 accounts not compared")), (0, true), "{told}");
    is_what_the_stream_makes(&filled).await?;

    // A row that is lost is noticed, and not once it is back.
    let lost = "collection = 'io.atcr.tag' AND rkey = 'app_latest'";
    let lose = format!("CREATE TABLE lost AS SELECT * FROM record WHERE {lost}; DELETE FROM record WHERE {lost}");
    client.batch_execute(&lose).await?;
    let (code, told) = filled.run(&["reconcile", "--dry-run"], true).await?;
    assert_eq!(
        (code, told.contains("/io.atcr.tag/app_latest"), told.contains(" 1 difference,")),
        (1, true, true),
        "{told}"
    );
    client.batch_execute("INSERT INTO record SELECT * FROM lost; DROP TABLE lost").await?;
    assert_eq!(filled.run(&["reconcile", "--dry-run"], true).await?.0, 0);

    // What the network says meanwhile is mended, and then both are equal again.
    world.alice.delete_record(publish::TAGS, "app_v1").await?;
    world.alice.put_record(PAGES, "app", &page("Read me once more")).await?;
    let (code, told) = filled.run(&["reconcile", "--dry-run"], true).await?;
    assert_eq!((code, told.contains(" 2 differences")), (1, true), "{told}");
    let (code, told) = filled.run(&["reconcile"], true).await?;
    assert_eq!((code, told.contains(" 0 differences, 2 repaired")), (0, true), "{told}");
    is_what_the_stream_makes(&filled).await?;
    postgres.stop().await?;
    passed()
}

/// Two people's records, of every sort: some are replaced, some deleted, one does not decode, and there are many of one kind.
async fn write(world: &World) -> Result<()> {
    let bob = world.pds.create_account("bob.test").await?;
    let (first, second) = (Image::saying("number 1")?, Image::saying("number 2")?);
    for (tag, image) in [("v1", &first), ("latest", &first), ("latest", &second), ("gone", &second)] {
        world.publish("app", tag, image).await?;
    }
    world.alice.delete_record(publish::TAGS, "app_gone").await?;
    let nonsense = json!({"$type": publish::MANIFESTS, "repository": 7, "digest": "sha256:no", "layers": "none"});
    world.alice.put_record(publish::MANIFESTS, "nonsense", &nonsense).await?;
    world.alice.put_record(PAGES, "app", &page("Read me: ✓ \u{202e} \u{0} é")).await?;
    let profile = json!({"$type": PROFILES, "defaultHold": world.hold.did(), "createdAt": WHEN});
    world.alice.put_record(PROFILES, "self", &profile).await?;
    for n in 0..MANY {
        let subject = match n {
            0 => json!({"did": world.alice.did, "repository": "app"}),
            1 => json!(format!("at://{}/{PAGES}/app", world.alice.did)),
            n => json!(format!("at://{}/{PAGES}/other-{n}", world.alice.did)),
        };
        let star = json!({"$type": STARS, "subject": subject, "createdAt": WHEN});
        bob.put_record(STARS, &format!("star-{n}"), &star).await?;
    }
    bob.delete_record(STARS, "star-1").await?;
    // The stream's index has everything once it has this.
    world.publish("last", "v1", &first).await?;
    world.pullable("alice.test/last", "v1", &first).await.map(drop)
}

fn page(text: &str) -> Value {
    json!({"$type": PAGES, "repository": "app", "description": text, "createdAt": WHEN})
}

async fn is_what_the_stream_makes(filled: &Index<'_>) -> Result<()> {
    let streamed = Index { world: filled.world, folder: filled.world.scratch.path("data") };
    let filled = filled.digests().await?;
    assert!(filled["live"].as_u64() > Some(MANY), "{filled}");
    let equal = async || Ok((streamed.digests().await? == filled).then_some(()));
    match eventually("the stream's index is the same", PATIENCE, equal).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.context(format!("streamed: {}\nfilled: {filled}", streamed.digests().await?))),
    }
}

/// An index in a data folder of its own.
struct Index<'a> {
    world: &'a World,
    folder: PathBuf,
}

impl Index<'_> {
    /// Runs a command on it, with the network's addresses if it takes them: its exit code, and what it printed.
    async fn run(&self, args: &[&str], network: bool) -> Result<(i32, String)> {
        let mut command = command(args);
        command.arg("--data-dir").arg(&self.folder);
        let pds = &self.world.pds;
        if network {
            command.args(["--plc-url", &pds.plc, "--relay-url", &pds.pds, "--handle-resolver-url", &pds.pds]);
            command.arg("--allow-private-network");
        }
        let output = command.output().await?;
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        Ok((output.status.code().context("it was killed")?, String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    async fn digests(&self) -> Result<Value> {
        let (code, digests) = self.run(&["fingerprint", "--full", "--json"], false).await?;
        assert_eq!(code, 0, "{digests}");
        Ok(serde_json::from_str(&digests)?)
    }

    /// Its database, running until it is stopped, and a connection to it.
    async fn open(&self) -> Result<(Postgres, tokio_postgres::Client)> {
        let postgres = Postgres::open(&DatabaseArgs { database_url: None, data_dir: self.folder.clone() }).await?;
        let client = store::connect(postgres.url(), Some(1)).await?.client;
        Ok((postgres, client))
    }
}
