//! The reference PDS and PLC directory, from npm, run by node.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::process::Server;
use super::scratch::Scratch;
use super::xrpc::Account;
use super::{free_port, root};

/// Node loads some four hundred packages.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A PDS with a PLC directory beside it, both stopped with this value.
pub struct ReferencePds {
    server: Server,
    /// Base URL of the PLC directory.
    pub plc: String,
    /// Base URL of the PDS.
    pub pds: String,
}

impl ReferencePds {
    /// Starts both.
    ///
    /// # Errors
    /// The npm packages are missing, or they do not start.
    pub async fn start(scratch: &Scratch) -> Result<Self> {
        let packages = root().join("target/npm");
        ensure!(
            packages.join("installed.json").is_file(),
            "no packages in target/npm: run `cargo xtask test --only pds`"
        );
        let (plc, pds) = (free_port()?, free_port()?);
        let mut node = Command::new("node");
        node.current_dir(packages).arg(root().join("tests/npm/pds.mjs").canonicalize()?);
        node.args([plc.to_string(), pds.to_string()]).arg(scratch.folder("pds")?);
        node.env("LOG_ENABLED", "false").kill_on_drop(true);
        let mut server = Server::start("the reference PDS", node, &scratch.path("pds.log"))?;
        let url = |ready: &Value, name: &str| ready[name].as_str().map(str::to_owned);
        let ready = |line: &str| {
            serde_json::from_str(line).ok().and_then(|ready| Some((url(&ready, "plc")?, url(&ready, "pds")?)))
        };
        let (plc, pds) = server.line(READY_WITHIN, ready).await?;
        Ok(ReferencePds { server, plc, pds })
    }

    /// The PDS's firehose.
    pub fn firehose(&self) -> String {
        format!("{}/xrpc/com.atproto.sync.subscribeRepos", self.pds.replace("http://", "ws://"))
    }

    /// How crowsnest finds this network.
    pub fn args(&self) -> Vec<String> {
        let (firehose, plc, pds) = (self.firehose(), self.plc.clone(), self.pds.clone());
        let pairs = [("source", firehose), ("plc-url", plc), ("relay-url", pds.clone()), ("handle-resolver-url", pds)];
        let args = pairs.into_iter().map(|(flag, url)| format!("--{flag}={url}"));
        args.chain(["--allow-private-network".to_owned()]).collect()
    }

    /// Opens an account on it.
    pub async fn create_account(&self, handle: &str) -> Result<Account> {
        Account::create(&self.pds, handle).await
    }

    /// Stops the PDS; the PLC directory goes on.
    ///
    /// # Errors
    /// It does not stop.
    pub async fn stop_pds(&mut self) -> Result<()> {
        self.server.stdin()?.write_all(b"stop-pds\n").await?;
        self.server.line(Duration::from_secs(20), |line| line.contains("stopped").then_some(())).await
    }
}
