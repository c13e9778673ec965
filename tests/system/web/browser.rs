//! A browser, driven by a script of `tests/npm`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::harness::demo::Demo;
use crate::harness::process::Server;
use crate::harness::root;

/// A script that runs, stopped with this value; Chromium goes with it.
pub struct Browser(Server);

impl Browser {
    /// Starts a script with one argument.
    ///
    /// # Errors
    /// The npm packages are missing.
    pub fn start(demo: &Demo, script: &str, argument: &str) -> Result<Self> {
        let packages = root().join("target/npm");
        ensure!(
            packages.join("node_modules/playwright-core").is_dir(),
            "no playwright-core in target/npm: run `cargo xtask test --only web`"
        );
        let mut node = Command::new("node");
        node.current_dir(packages).arg(root().join("tests/npm").join(script).canonicalize()?).arg(argument);
        node.env("HOME", demo.scratch.folder(&format!("{script}.home"))?).kill_on_drop(true);
        Ok(Browser(Server::start("the browser", node, &demo.scratch.path("browser.log"))?))
    }

    /// The next thing that the script says.
    ///
    /// # Errors
    /// It ends, or says nothing for so long.
    pub async fn told(&mut self, patience: Duration) -> Result<Value> {
        self.0.line(patience, |line| serde_json::from_str(line).ok()).await
    }
}

/// The folder for pictures, if any are wanted.
pub fn screenshots() -> Result<Option<PathBuf>> {
    let Some(folder) = std::env::var_os("CROWSNEST_SCREENSHOTS") else { return Ok(None) };
    let folder = root().join(folder);
    std::fs::create_dir_all(&folder)?;
    Ok(Some(folder.canonicalize().context("no folder for pictures")?))
}
