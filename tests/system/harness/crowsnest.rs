//! The program under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use tokio::process::Command;

use super::process::Server;
use super::root;

/// A first start makes a Postgres cluster and, in the demo, fills a network.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// The path of the program.
pub fn program() -> PathBuf {
    env::var_os("CROWSNEST_BIN").map_or_else(|| root().join("target/debug/crowsnest"), PathBuf::from)
}

/// A command of crowsnest, deaf to the environment's settings.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CROWSNEST_")) {
        command.env_remove(name);
    }
    command.args(args).kill_on_drop(true);
    command
}

/// A running `crowsnest up`.
pub struct Crowsnest {
    server: Server,
    url: String,
}

impl Crowsnest {
    /// Starts it on a port of its choice, and waits until it serves.
    ///
    /// # Errors
    /// The program is not there, ends early, or is not ready in time.
    pub async fn up(data_dir: &Path, args: &[&str]) -> Result<Self> {
        Self::up_at("127.0.0.1:0", data_dir, args).await
    }

    /// The same on an address.
    ///
    /// # Errors
    /// As [`Crowsnest::up`]; the address is taken.
    pub async fn up_at(listen: &str, data_dir: &Path, args: &[&str]) -> Result<Self> {
        let program = program();
        ensure!(program.is_file(), "{} is not there: run `cargo xtask test`", program.display());
        let mut command = command(&["up", "--listen", listen, "--data-dir"]);
        command.arg(data_dir).args(args);
        let mut server = Server::start("crowsnest", command, &data_dir.with_extension("log"))?;
        let url = server.line(READY_WITHIN, |line| line.strip_prefix("ready ").map(str::to_owned)).await?;
        Ok(Crowsnest { server, url: url.trim_end_matches('/').to_owned() })
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The reference of an image on it, as container clients take it: `127.0.0.1:PORT/owner/repository:tag`.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.url.trim_start_matches("http://"))
    }

    /// Stops it as Ctrl-C does.
    ///
    /// # Errors
    /// It does not end.
    pub async fn interrupt(mut self) -> Result<ExitStatus> {
        self.server.end(Signal::SIGINT).await
    }

    /// Stops it as `kill -9` does.
    ///
    /// # Errors
    /// It does not end.
    pub async fn kill(mut self) -> Result<ExitStatus> {
        self.server.end(Signal::SIGKILL).await
    }
}
