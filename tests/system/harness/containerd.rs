//! containerd, with `ctr` as its client.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::unistd::geteuid;
use tokio::process::Command;

use super::eventually;
use super::process::{Server, run};
use super::scratch::Scratch;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A containerd, stopped with this value.
pub struct Containerd {
    _daemon: Server,
    socket: PathBuf,
}

/// How a reference's registry is reached.
pub enum By<'a> {
    /// As it is written, over plain HTTP.
    PlainHttp,
    /// As the `hosts.toml` files of a folder say.
    Hosts(&'a Path),
}

impl Containerd {
    /// Starts one with an empty store.
    ///
    /// # Errors
    /// We are not root, or it does not start.
    pub async fn start(scratch: &Scratch) -> Result<Self> {
        ensure!(geteuid().is_root(), "containerd needs root");
        let folder = scratch.folder("containerd")?;
        let path = |name: &str| folder.join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = {:?}\n[ttrpc]\naddress = {:?}\n",
            path("root"),
            path("state"),
            path("c.sock"),
            path("t.sock")
        );
        fs::write(folder.join("config.toml"), config)?;
        let mut daemon = Command::new("containerd");
        daemon.args(["--config", &path("config.toml")]);
        let daemon = Server::start("containerd", daemon, &scratch.path("containerd.log"))?;
        let containerd = Containerd { _daemon: daemon, socket: folder.join("c.sock") };
        eventually("containerd answers", READY_WITHIN, async || Ok(containerd.ctr(&["version"]).await.ok())).await?;
        Ok(containerd)
    }

    async fn ctr(&self, args: &[&str]) -> Result<String> {
        let socket = self.socket.display().to_string();
        run("ctr", ["--address", socket.as_str()].iter().chain(args)).await
    }

    /// Pulls an image; returns the digest that its name stands for.
    pub async fn pull(&self, image: &str, by: By<'_>) -> Result<String> {
        let mut args = vec!["images", "pull", "--snapshotter=native"];
        let hosts = match by {
            By::PlainHttp => "--plain-http".to_owned(),
            By::Hosts(folder) => format!("--hosts-dir={}", folder.display()),
        };
        args.extend([hosts.as_str(), image]);
        self.ctr(&args).await?;
        let listed = self.ctr(&["images", "ls", &format!("name=={image}")]).await?;
        let digest = listed.split_whitespace().find(|word| word.starts_with("sha256:"));
        digest.map(str::to_owned).with_context(|| format!("ctr pulled {image} and does not list it: {listed}"))
    }

    /// Forgets an image and, at once, what it consists of.
    pub async fn remove(&self, image: &str) -> Result<()> {
        self.ctr(&["images", "rm", "--sync", image]).await.map(drop)
    }
}
