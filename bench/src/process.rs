//! Servers that are measured: processes of their own on loopback.

use std::{env, fs, net::TcpListener, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::http::Connection;

const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9/";

/// A running server, killed with this value.
pub struct Served {
    child: Child,
    /// `127.0.0.1:PORT`
    pub host: String,
    _beside: Vec<Child>,
    _folder: TempDir,
}

impl Served {
    /// A process that serves on a host, with the folder that it works in.
    pub fn new(child: Child, host: String, folder: TempDir) -> Self {
        Self { child, host, _beside: Vec::new(), _folder: folder }
    }

    /// The number of its process.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("a server has ended")
    }

    /// Waits until it answers a path as it should.
    pub async fn answers(self, path: &str, headers: &[&str], is_right: impl Fn(&[u8]) -> bool) -> Result<Self> {
        let began = Instant::now();
        loop {
            let asked = match Connection::open(&self.host, headers).await {
                Ok(mut connection) => connection.get(path).await,
                Err(error) => Err(error),
            };
            match asked {
                Ok((200, body)) if is_right(&body) => return Ok(self),
                _ if began.elapsed() < PATIENCE => sleep(Duration::from_millis(50)).await,
                Ok((status, body)) => bail!("{path}: {status}: {}", String::from_utf8_lossy(&body)),
                Err(error) => return Err(error.context(path.to_owned())),
            }
        }
    }
}

pub fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("crowsnest-bench-").tempdir()?)
}

pub fn spawn(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let shown = format!("{:?}", command.as_std());
    command.spawn().with_context(|| format!("cannot start {shown}"))
}

/// The first line that a process prints.
async fn first_line(child: &mut Child) -> Result<String> {
    let stdout = child.stdout.take().context("no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.context("a server does not start")??;
    line.context("a server ended")
}

pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A service of crowsnest over a database, and the indexer without which it would believe nothing that it has at hand.
pub async fn crowsnest(program: &Path, service: &str, url: &str, args: &[&str], folder: TempDir) -> Result<Served> {
    let network = ["--plc-url", NOBODY, "--relay-url", NOBODY, "--allow-private-network", "--log", "error"];
    let mut indexer = Command::new(program);
    indexer.args(["indexer", "--database-url", url]).args(network).args(["--source", "ws://127.0.0.1:9/subscribe"]);
    let beside = vec![spawn(indexer.stdout(Stdio::null()).stderr(Stdio::null()))?];
    let mut ours = Command::new(program);
    ours.args([service, "--database-url", url]).args(network).args(["--listen", "127.0.0.1:0"]).args(args);
    let mut child = spawn(ours.stdout(Stdio::piped()))?;
    let ready = first_line(&mut child).await?;
    let host = ready.strip_prefix("ready http://").with_context(|| format!("crowsnest says {ready}"))?.to_owned();
    Ok(Served { child, host, _beside: beside, _folder: folder })
}

/// Bare axum with these bytes and headers: this program, with another sub-command.
pub async fn bare(bytes: &[u8], headers: &[String]) -> Result<Served> {
    let folder = folder()?;
    let file = folder.path().join("answer");
    fs::write(&file, bytes)?;
    let mut bare = Command::new(env::current_exe()?);
    bare.arg("bare").arg(&file);
    for header in headers {
        bare.args(["--header", header]);
    }
    let mut child = spawn(bare.stdout(Stdio::piped()))?;
    let host = first_line(&mut child).await?;
    Ok(Served::new(child, host, folder))
}
