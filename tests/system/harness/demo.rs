//! The demo: crowsnest with a network of its own, described by `devnet.json`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::crowsnest::Crowsnest;
use super::scratch::Scratch;
use super::xrpc::Account;
use super::{eventually, http, publish};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running demo. Fields are dropped in this order: the program first.
pub struct Demo {
    /// The program.
    pub crowsnest: Crowsnest,
    devnet: Value,
    data_dir: PathBuf,
    /// Where everything lies, and room for the clients.
    pub scratch: Scratch,
}

impl Demo {
    /// Starts a new one, and waits until `alice.test/hello`, the example of the instructions, is there.
    pub async fn start() -> Result<Self> {
        let scratch = Scratch::new()?;
        let data_dir = scratch.folder("data")?;
        Self::up(scratch, data_dir).await
    }

    /// Kills it as `kill -9` does, and starts it again on what it left.
    pub async fn kill_and_restart(self) -> Result<Self> {
        self.crowsnest.kill().await?;
        Self::up(self.scratch, self.data_dir).await
    }

    async fn up(scratch: Scratch, data_dir: PathBuf) -> Result<Self> {
        let crowsnest = Crowsnest::up(&data_dir, &["--demo"]).await?;
        let path = data_dir.join("devnet.json");
        let devnet = fs::read(&path).with_context(|| format!("no {}", path.display()))?;
        let demo = Demo { crowsnest, devnet: serde_json::from_slice(&devnet)?, data_dir, scratch };
        let search = demo.crowsnest.url("/api/v1/search?q=hello");
        let ask = async || {
            let found = http::json(&search).await?;
            Ok(found["items"].as_array().is_some_and(|items| items.iter().any(is_hello)).then_some(()))
        };
        eventually("a search finds alice.test/hello", PATIENCE, ask).await?;
        Ok(demo)
    }

    /// `devnet.json`.
    pub fn devnet(&self) -> &Value {
        &self.devnet
    }

    /// Signs in to an account of the demo's network.
    pub async fn account(&self, handle: &str) -> Result<Account> {
        Account::sign_in(self.told(handle, "pds")?, handle, self.password(handle)?).await
    }

    /// The password of an account of the demo's network.
    pub fn password(&self, handle: &str) -> Result<&str> {
        self.told(handle, "password")
    }

    /// What `devnet.json` tells of an account.
    fn told(&self, handle: &str, field: &str) -> Result<&str> {
        let accounts = self.devnet["accounts"].as_array().context("devnet.json has no accounts")?;
        let account = accounts.iter().find(|account| account["handle"] == handle);
        account.and_then(|account| account[field].as_str()).with_context(|| format!("no {field} of {handle}"))
    }

    /// The manifest that a tag points at according to the owner's PDS: the record's at-uri and its digest.
    pub async fn published(&self, handle: &str, repository: &str, tag: &str) -> Result<(String, String)> {
        let account = self.account(handle).await?;
        let tags = account.list_records(publish::TAGS).await?;
        let is_it = |record: &&Value| record["value"]["repository"] == repository && record["value"]["tag"] == tag;
        let target = tags.iter().find(is_it).with_context(|| format!("no tag {handle}/{repository}:{tag}"))?;
        let manifests = account.list_records(publish::MANIFESTS).await?;
        let manifest = manifests.iter().find(|record| {
            record["uri"] == target["value"]["manifest"]
                || record["value"]["digest"] == target["value"]["manifestDigest"]
        });
        let manifest = manifest.with_context(|| format!("{handle}/{repository}:{tag} points nowhere"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok((text(&manifest["uri"]), text(&manifest["value"]["digest"])))
    }

    /// Waits until a tag points at a digest; says how long that took.
    pub async fn pullable(&self, name: &str, tag: &str, digest: &str) -> Result<Duration> {
        let url = self.crowsnest.url(&format!("/v2/{name}/manifests/{tag}"));
        let ask = async || Ok(http::manifest_digest(&url).await?.filter(|found| found == digest));
        Ok(eventually(&format!("{name}:{tag} is {digest}"), PATIENCE, ask).await?.1)
    }
}

fn is_hello(item: &Value) -> bool {
    item["name"] == "hello" && item["owner"]["handle"] == "alice.test"
}
