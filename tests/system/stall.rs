//! A source that is stopped: what the index says of itself, where it goes, and that nothing is lost on the way there and back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use crate::harness::crowsnest::Crowsnest;
use crate::harness::devnet::{Devnet, Forwarder};
use crate::harness::publish::TAGS;
use crate::harness::scratch::Scratch;
use crate::harness::xrpc::Account;
use crate::harness::{eventually, http, passed};

const PATIENCE: Duration = Duration::from_secs(40);
/// What has not changed for so long will not by itself.
const STILL: Duration = Duration::from_secs(3);

/// An index of a network that it can hear in two ways, the first of which can be stopped. Fields are dropped in this order.
struct World {
    crowsnest: Crowsnest,
    first: Forwarder,
    alice: Account,
    _devnet: Devnet,
    _scratch: Scratch,
}

impl World {
    async fn start(first: &str, second: &str, more: &[&str]) -> Result<Self> {
        let scratch = Scratch::new()?;
        let devnet = Devnet::start(&scratch.folder("network")?).await?;
        let first = Forwarder::start(devnet.url(first)?, &scratch.path("forwarder.log")).await?;
        let args = [
            "--source",
            &first.url,
            "--source",
            devnet.url(second)?,
            "--plc-url",
            devnet.url("plc")?,
            "--relay-url",
            devnet.url("relay")?,
            "--handle-resolver-url",
            devnet.url("relay")?,
            "--allow-private-network",
            "--source-stall",
            "8",
            "--source-return",
            "3",
        ];
        let crowsnest = Crowsnest::up(&scratch.folder("data")?, &[&args, more].concat()).await?;
        let alice = devnet.account("alice.test").await?;
        Ok(World { crowsnest, first, alice, _devnet: devnet, _scratch: scratch })
    }

    async fn status(&self) -> Result<Value> {
        http::json(&self.crowsnest.url("/api/v1/status")).await
    }

    async fn is_ready(&self) -> Result<bool> {
        Ok(http::get(&self.crowsnest.url("/readyz")).await?.status().is_success())
    }

    /// Waits until the status is as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Duration> {
        let ask = async || Ok(Some(self.status().await?).filter(|status| wanted(status)));
        Ok(eventually(what, PATIENCE, ask).await?.1)
    }

    /// Waits until the index stands still: everything that there was has been read. The records may stand still while jobs are
    /// done before the one that reads a hold.
    async fn settled(&self) -> Result<Sum> {
        self.until("the network is read", |status| status["backfill"]["finished_at"].is_string()).await?;
        let (mut last, mut since) = ((String::new(), -1), Instant::now());
        while since.elapsed() < STILL {
            let status = self.status().await?;
            let fingerprint = status["fingerprint"].as_str().context("no fingerprint")?;
            let jobs = status["counts"]["jobs"].as_i64().context("no count of jobs")?;
            if last != (fingerprint.to_owned(), jobs) {
                (last, since) = ((fingerprint.to_owned(), jobs), Instant::now());
            }
            sleep(Duration::from_millis(100)).await;
        }
        Sum::parse(&last.0)
    }

    /// Publishes tags, and adds to a fingerprint what they come to.
    async fn publish(&self, tags: std::ops::Range<u32>, sum: &mut Sum) -> Result<()> {
        for n in tags.clone() {
            let record = json!({"$type": TAGS, "repository": "hello", "tag": format!("stall-{n}"),
                "manifestDigest": format!("sha256:{n:064x}"), "updatedAt": "2026-01-10T12:00:00Z"});
            self.alice.put_record(TAGS, &format!("stall-{n}"), &record).await?;
        }
        let records = self.alice.list_records(TAGS).await?;
        for n in tags {
            let ours = records
                .iter()
                .find(|record| record["uri"].as_str().is_some_and(|uri| uri.ends_with(&format!("/stall-{n}"))));
            let cid = ours.and_then(|record| record["cid"].as_str()).context("a record was not published")?;
            sum.add(&self.alice.did, TAGS, &format!("stall-{n}"), cid)?;
        }
        Ok(())
    }

    async fn holds(&self, sum: &Sum) -> Result<Duration> {
        let expected = sum.hex();
        self.until("the index holds what was published", |status| status["fingerprint"] == expected).await
    }
}

/// A fingerprint: a number of 256 bits, the least significant byte first.
#[derive(Clone, PartialEq)]
struct Sum([u8; 32]);

impl Sum {
    fn parse(text: &str) -> Result<Self> {
        let mut bytes: [u8; 32] = hex::decode(text)?.try_into().ok().context("not 256 bits")?;
        bytes.reverse();
        Ok(Sum(bytes))
    }

    fn hex(&self) -> String {
        let mut bytes = self.0;
        bytes.reverse();
        hex::encode(bytes)
    }

    /// As docs/INVARIANTS.md describes it.
    fn add(&mut self, did: &str, collection: &str, rkey: &str, cid: &str) -> Result<()> {
        let cid = cid.strip_prefix('b').context("not base32")?.to_uppercase();
        let cid = BASE32_NOPAD.decode(cid.as_bytes())?;
        let mut hash = Sha256::new();
        for part in [did.as_bytes(), collection.as_bytes(), rkey.as_bytes(), &cid] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut carry = 0;
        for (a, b) in self.0.iter_mut().zip(hash.finalize()) {
            let sum = u16::from(*a) + u16::from(b) + carry;
            (*a, carry) = ((sum & 0xff) as u8, sum >> 8);
        }
        Ok(())
    }
}

fn state(status: &Value, source: usize) -> &str {
    status["sources"][source]["state"].as_str().unwrap_or_default()
}

async fn is_left_and_returned_to(world: World) -> Result<()> {
    world.until("the first source is read", |status| state(status, 0) == "connected").await?;
    let mut sum = world.settled().await?;
    ensure!(world.is_ready().await?, "not ready at first");
    ensure!(state(&world.status().await?, 1) == "standby");
    world.publish(0..5, &mut sum).await?;
    world.holds(&sum).await?;

    world.first.freeze();
    world.publish(5..20, &mut sum).await?;
    let noticed = world.until("lag_ms passes 5,000", |status| status["lag_ms"].as_i64() > Some(5_000)).await?;
    ensure!(!world.is_ready().await?, "ready, though nothing is heard");
    let left = world.until("the second source is read", |status| state(status, 1) == "connected").await?;
    ensure!(state(&world.status().await?, 0) == "stalled", "{}", world.status().await?);
    world.publish(20..30, &mut sum).await?;
    world.holds(&sum).await?;
    let ready = async || Ok(world.is_ready().await?.then_some(()));
    eventually("ready again", PATIENCE, ready).await?;

    world.first.thaw();
    let back = world.until("the first source is read again", |status| state(status, 0) == "connected").await?;
    ensure!(state(&world.status().await?, 1) == "standby");
    world.publish(30..40, &mut sum).await?;
    world.holds(&sum).await?;
    ensure!(world.is_ready().await?, "not ready at last");
    ensure!(world.status().await?["gaps"] == json!([]), "a gap: {}", world.status().await?["gaps"]);
    println!("lag_ms over 5,000 after {noticed:?}, left after {left:?} more, back after {back:?}");
    passed()
}

#[tokio::test]
async fn a_counting_source_that_is_stopped_is_left_and_returned_to() -> Result<()> {
    let zstd = ["--source-compression", "zstd"];
    is_left_and_returned_to(World::start("jetstream_v2", "jetstream_v1", &zstd).await?).await
}

#[tokio::test]
async fn a_timed_source_that_is_stopped_is_left_and_returned_to() -> Result<()> {
    is_left_and_returned_to(World::start("jetstream_v1", "jetstream_v2", &[]).await?).await
}
