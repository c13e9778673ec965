//! A temporary folder that leaves no process behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A temporary folder, deleted at the end together with any Postgres that a killed crowsnest left in it.
pub struct Scratch(TempDir);

impl Scratch {
    /// An empty folder that other users may pass through: root's Postgres runs as one of them.
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("crowsnest-").tempdir().context("no temporary folder")?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Scratch(folder))
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new folder in it.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for pid in postmasters(self.0.path()) {
            // Gone already is fine. An immediate shutdown: the data is deleted next.
            let _ = kill(pid, Signal::SIGQUIT);
        }
    }
}

/// The postmasters of the clusters in the folders of this one.
fn postmasters(folder: &Path) -> Vec<Pid> {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    folders.filter_map(|entry| postmaster(&entry.path().join("postgres/data/postmaster.pid"))).collect()
}

fn postmaster(pid_file: &Path) -> Option<Pid> {
    let pid = fs::read_to_string(pid_file).ok()?.lines().next()?.trim().parse().ok()?;
    // Only a live Postgres: the number may have been given to somebody else since.
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "postgres").then(|| Pid::from_raw(pid))
}
