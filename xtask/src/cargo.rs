//! Calling cargo.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
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

/// What `cargo build` has built: a path for each executable.
#[derive(Default)]
pub struct Built(Vec<Executable>);

struct Executable {
    target: String,
    kind: String,
    path: PathBuf,
}

/// Runs `cargo build` with its progress shown.
///
/// # Errors
/// It does not build.
pub fn build(args: &[&str]) -> Result<Built> {
    println!("$ cargo build {}", args.join(" "));
    build_silently(args)
}

/// The same, with nothing but diagnostics and progress on standard error: for what prints JSON.
///
/// # Errors
/// It does not build.
pub fn build_silently(args: &[&str]) -> Result<Built> {
    let mut build = cargo()?;
    build.arg("build").args(args);
    // Messages on standard output, progress and diagnostics on standard error as ever.
    let messages = process::output(build.arg("--message-format=json-render-diagnostics"))?;
    Ok(Built(messages.lines().filter_map(executable).collect()))
}

impl Built {
    /// The path of a program.
    ///
    /// # Errors
    /// It was not built.
    pub fn program(&self, name: &str) -> Result<&Path> {
        self.find(name, "bin")
    }

    /// The path of a test binary.
    ///
    /// # Errors
    /// It was not built.
    pub fn tests(&self, name: &str) -> Result<&Path> {
        self.find(name, "test")
    }

    fn find(&self, target: &str, kind: &str) -> Result<&Path> {
        let found = self.0.iter().find(|executable| executable.target == target && executable.kind == kind);
        Ok(&found.with_context(|| format!("cargo built no {kind} named {target}"))?.path)
    }
}

/// The executable that a message is about, if it is about one. A program's own unit tests are none.
fn executable(message: &str) -> Option<Executable> {
    let message: Value = serde_json::from_str(message).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let kind = text(&message["target"]["kind"][0])?;
    let path = text(&message["executable"])?.into();
    let is_unit_tests = message["profile"]["test"] == true && kind != "test";
    (!is_unit_tests).then_some(Executable { target: text(&message["target"]["name"])?, kind, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, kind: &str, test: bool, executable: Value) -> String {
        serde_json::json!({
            "reason": "compiler-artifact", "target": {"name": name, "kind": [kind]},
            "profile": {"test": test}, "executable": executable,
        })
        .to_string()
    }

    #[test]
    fn programs_are_told_from_their_unit_tests() {
        let messages = [
            message("crowsnest", "bin", true, "/t/deps/crowsnest-0a".into()),
            message("crowsnest", "bin", false, "/t/crowsnest".into()),
            message("crowsnest_web", "lib", false, Value::Null),
            message("system", "test", true, "/t/deps/system-0b".into()),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
            "warning: not JSON".to_owned(),
        ];
        let built = Built(messages.iter().filter_map(|message| executable(message)).collect());
        assert_eq!(built.program("crowsnest").unwrap(), Path::new("/t/crowsnest"));
        assert_eq!(built.tests("system").unwrap(), Path::new("/t/deps/system-0b"));
        assert!(built.program("system").is_err());
    }
}
