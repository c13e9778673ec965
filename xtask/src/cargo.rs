//! Calling cargo.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process;

/// The one selection of packages and features that tests are built and run with, so that nothing is built twice.
pub const TESTED: [&str; 3] = ["--workspace", "--features", "crowsnest/devnet"];

/// The repository's root.
///
/// # Errors
/// This crate's folder has no parent.
pub fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask/ has no parent folder")
}

/// `cargo` at the repository's root: the one that runs us.
///
/// # Errors
/// As [`root`].
pub fn cargo() -> Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()?);
    Ok(command)
}

/// Whether cargo has this sub-command.
pub fn has_subcommand(name: &str) -> bool {
    let Ok(mut cargo) = cargo() else { return false };
    let tried = cargo.args([name, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// Runs `cargo build` with its progress shown, and says where the `crowsnest` program came to be.
///
/// # Errors
/// It does not build.
pub fn build_crowsnest(args: &[&str]) -> Result<PathBuf> {
    let mut build = cargo()?;
    build.arg("build").args(args);
    println!("$ {}", process::shown(&build));
    // Messages on standard output, progress and diagnostics on standard error as ever.
    let messages = process::output(build.arg("--message-format=json-render-diagnostics"))?;
    match messages.lines().filter_map(executable).next_back() {
        Some(path) => Ok(path),
        None => bail!("cargo built no program named crowsnest"),
    }
}

/// The path of the `crowsnest` program, if that is what the message is about.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let target = &message["target"];
    let ours = target["name"] == "crowsnest" && target["kind"][0] == "bin" && message["profile"]["test"] == false;
    ours.then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_told_from_its_unit_tests() {
        let message = |test: bool, kind: &str, executable: Value| {
            serde_json::json!({
                "reason": "compiler-artifact", "target": {"name": "crowsnest", "kind": [kind]},
                "profile": {"test": test}, "executable": executable,
            })
            .to_string()
        };
        assert_eq!(executable(&message(false, "bin", "/t/crowsnest".into())), Some("/t/crowsnest".into()));
        assert_eq!(executable(&message(true, "bin", "/t/crowsnest-0a".into())), None);
        assert_eq!(executable(&message(false, "lib", Value::Null)), None);
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(executable("warning: not JSON"), None);
    }
}
