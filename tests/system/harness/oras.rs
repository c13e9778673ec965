//! oras, the client for artifacts, from PyPI.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::process::output;
use super::root;

/// What oras pulled.
#[derive(Deserialize)]
pub struct Pulled {
    /// The manifest as oras read it.
    pub manifest: Value,
    /// Where it put the layers.
    pub files: Vec<PathBuf>,
    /// The repository's tags.
    pub tags: Vec<String>,
}

/// Pulls an artifact over plain HTTP: manifest, layers (into a folder) and the list of tags.
///
/// # Errors
/// The package is missing or the pull fails.
pub async fn pull(image: &str, folder: &Path) -> Result<Pulled> {
    let python = program("python3")?;
    let mut command = Command::new(python);
    command.arg(root().join("tests/python/oras_pull.py")).arg(image).arg(folder);
    let printed = output(command).await?;
    serde_json::from_str(&printed).with_context(|| format!("oras says {printed}"))
}

/// A program of the packages of `tests/python`.
///
/// # Errors
/// They are not installed.
pub fn program(name: &str) -> Result<PathBuf> {
    let path = root().join("target/python/bin").join(name);
    ensure!(path.is_file(), "no {} in target/python: run `cargo xtask test --only registry`", name);
    Ok(path)
}
