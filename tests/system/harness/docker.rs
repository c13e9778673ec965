//! docker, with a daemon of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::unistd::geteuid;
use tokio::process::Command;

use super::eventually;
use super::process::{Server, run};
use super::scratch::Scratch;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A docker daemon, stopped with this value.
pub struct Docker {
    _daemon: Server,
    host: String,
    /// Where the client keeps credentials.
    config: String,
}

impl Docker {
    /// Starts a daemon with an empty store and without networks.
    ///
    /// # Errors
    /// We are not root, or it does not start.
    pub async fn start(scratch: &Scratch) -> Result<Self> {
        ensure!(geteuid().is_root(), "dockerd needs root");
        let folder = scratch.folder("docker")?;
        let path = |name: &str| folder.join(name).display().to_string();
        let host = format!("unix://{}", path("d.sock"));
        let mut dockerd = Command::new(dockerd());
        dockerd.args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")]);
        dockerd.args([
            "--host",
            &host,
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--storage-driver=vfs",
        ]);
        let docker = Docker {
            _daemon: Server::start("dockerd", dockerd, &scratch.path("docker.log"))?,
            host,
            config: path("config"),
        };
        eventually("dockerd answers", READY_WITHIN, async || Ok(docker.docker(&["version"]).await.ok())).await?;
        Ok(docker)
    }

    async fn docker(&self, args: &[&str]) -> Result<String> {
        run("docker", ["--host", &self.host, "--config", &self.config].iter().chain(args)).await
    }

    /// Signs in to a registry.
    ///
    /// # Errors
    /// The registry does not take the password, among others.
    pub async fn login(&self, registry: &str, user: &str, password: &str) -> Result<()> {
        self.docker(&["login", "--username", user, "--password", password, registry]).await.map(drop)
    }

    /// Forgets a registry's credentials.
    pub async fn logout(&self, registry: &str) -> Result<()> {
        self.docker(&["logout", registry]).await.map(drop)
    }

    /// Pulls an image; returns the digests of its manifest and of its configuration.
    pub async fn pull(&self, image: &str) -> Result<(String, String)> {
        self.docker(&["pull", "--quiet", image]).await?;
        let format = "--format={{index .RepoDigests 0}} {{.Id}}";
        let inspected = self.docker(&["image", "inspect", format, image]).await?;
        let (manifest, config) = inspected.trim().split_once(' ').unwrap_or_default();
        let manifest = manifest.split_once('@').map_or(manifest, |(_, digest)| digest);
        Ok((manifest.to_owned(), config.to_owned()))
    }

    /// Forgets an image and its layers.
    pub async fn remove(&self, image: &str) -> Result<()> {
        self.docker(&["image", "rm", "--force", image]).await.map(drop)
    }

    /// Runs an image; returns what it prints.
    pub async fn run(&self, image: &str) -> Result<String> {
        self.docker(&["run", "--rm", "--network=none", image]).await
    }
}

/// An ordinary `PATH` may lack the folder of system programs.
fn dockerd() -> &'static str {
    if Path::new("/usr/sbin/dockerd").is_file() { "/usr/sbin/dockerd" } else { "dockerd" }
}
