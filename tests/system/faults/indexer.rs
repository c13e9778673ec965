//! `crowsnest indexer`, to be ended in every way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;

use crate::harness::crowsnest::{command, program};

/// Where its database and its network are.
#[derive(Clone)]
pub struct Places {
    pub database: String,
    pub stream: String,
    pub network: String,
    /// The folder of the logs.
    pub logs: PathBuf,
}

/// A process, killed with this value. Its log stays.
pub struct Indexer {
    child: Child,
    pub log: PathBuf,
}

impl Indexer {
    /// Starts one, which ends by itself at `crash_at` (a name, `:` and how often it is passed).
    pub fn start(places: &Places, name: &str, crash_at: Option<&str>) -> Result<Self> {
        ensure!(program().is_file(), "{} is not there: run `cargo xtask test`", program().display());
        let log = places.logs.join(name);
        let (stream, network) = (&places.stream, &places.network);
        let mut command = command(&["indexer", "--database-url", &places.database, "--source", stream]);
        command.args(["--plc-url", network, "--relay-url", network, "--handle-resolver-url", network]);
        command.args(["--allow-private-network"]).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(&log)?).env("NO_COLOR", "1");
        if let Some(point) = crash_at {
            command.env("CROWSNEST_CRASH_AT", point);
        }
        Ok(Indexer { child: command.spawn().context("cannot start crowsnest")?, log })
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().context("it has ended")?;
        Ok(kill(Pid::from_raw(pid.cast_signed()), signal)?)
    }

    /// Kills it as `kill -9` does, and waits for its end.
    pub async fn kill(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            self.child.kill().await?;
        }
        Ok(())
    }

    /// Whether it ended by itself in time.
    pub async fn ended(&mut self, patience: Duration) -> Result<bool> {
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => status.map(|_| true).context("cannot wait"),
            Err(_) => Ok(false),
        }
    }

    /// Stops it as a service manager does.
    pub async fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        ensure!(self.ended(Duration::from_secs(20)).await?, "{} does not end", self.log.display());
        Ok(())
    }

    /// Whether its log has a line with this.
    pub fn said(&self, words: &str) -> bool {
        said(&self.log, words)
    }
}

pub fn said(log: &Path, words: &str) -> bool {
    fs::read_to_string(log).unwrap_or_default().contains(words)
}
