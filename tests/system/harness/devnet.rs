//! The demo's network in a process of its own, and a way to it that can be stopped.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::process::Command;

use super::crowsnest::program;
use super::process::Server;
use super::xrpc::Account;

/// A first start fills the network.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running network.
pub struct Devnet {
    _server: Server,
    manifest: Value,
}

impl Devnet {
    /// Starts one that keeps its state in a folder.
    pub async fn start(folder: &Path) -> Result<Self> {
        let mut command = command();
        command.arg(folder);
        let mut server = Server::start("devnet", command, &folder.with_extension("log"))?;
        let manifest = server.line(READY_WITHIN, |line| serde_json::from_str(line).ok()).await?;
        Ok(Devnet { _server: server, manifest })
    }

    /// A URL of its manifest: `plc`, `relay`, `jetstream_v1`, ….
    pub fn url(&self, name: &str) -> Result<&str> {
        self.manifest[name].as_str().with_context(|| format!("the devnet has no {name}"))
    }

    /// Signs in to one of its accounts.
    pub async fn account(&self, handle: &str) -> Result<Account> {
        let accounts = self.manifest["accounts"].as_array().context("the devnet has no accounts")?;
        let account = accounts.iter().find(|account| account["handle"] == handle).context("no such account")?;
        let text = |field: &str| account[field].as_str().with_context(|| format!("{handle} has no {field}"));
        Account::sign_in(text("pds")?, handle, text("password")?).await
    }
}

/// A process that passes connections on to a stream of the network.
pub struct Forwarder {
    server: Server,
    /// The stream's URL by way of this process.
    pub url: String,
}

impl Forwarder {
    /// Starts one in front of the server of a URL.
    pub async fn start(to: &str, log: &Path) -> Result<Self> {
        let host = to.split('/').nth(2).context("no host in the URL")?;
        let mut command = command();
        command.args(["--forward", host]);
        let mut server = Server::start("forwarder", command, log)?;
        let address: SocketAddr = server.line(READY_WITHIN, |line| line.parse().ok()).await?;
        Ok(Forwarder { server, url: to.replacen(host, &address.to_string(), 1) })
    }

    /// Stops the process where it is: connections stay open and nothing comes through.
    pub fn freeze(&self) {
        self.server.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.server.signal(Signal::SIGCONT);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        // Whoever is stopped hears of no other signal.
        self.thaw();
    }
}

fn command() -> Command {
    let mut command = Command::new(program().with_file_name("crowsnest-devnet"));
    command.kill_on_drop(true);
    command
}
