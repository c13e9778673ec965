//! `cargo xtask check`: formatting, lints, docs, and the rules about where a line of code may live.
//!
//! Everything is run and every failure collected before the end, so that one run shows them all.

mod crates;
mod length;
mod markers;
mod mentions;
mod source;
mod sql;

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::cargo::{self, cargo};
use crate::{Passed, Unusable, process};
use source::Violation;

/// Arguments of `cargo xtask check`.
#[derive(Args)]
pub struct CheckArgs {
    /// Also what is slow or needs the internet: cargo-deny, typos
    #[arg(long)]
    deep: bool,
}

/// Runs all checks and prints what failed as a list.
///
/// # Errors
/// A tool is missing ([`Unusable`]) or cannot be started.
pub fn run(args: &CheckArgs) -> Result<Passed> {
    require_tools(args.deep)?;
    let mut failures: Vec<String> = layout()?.iter().map(ToString::to_string).collect();
    let mut commands = usual()?;
    if args.deep {
        commands.extend(deep()?);
    }
    for mut command in commands {
        if !process::succeeds(&mut command)? {
            failures.push(format!("failed: {}", process::shown(&command)));
        }
    }
    if failures.is_empty() {
        println!("\ncheck: all is well");
    } else {
        println!("\ncheck: {} to mend", failures.len());
        failures.iter().for_each(|failure| println!("  {failure}"));
    }
    Ok(failures.is_empty())
}

/// The layout rules, each a function from the sources to what breaks it.
fn layout() -> Result<Vec<Violation>> {
    let files = source::files()?;
    println!("layout rules over {} files", files.len());
    let mut violations = Vec::new();
    for rule in [length::check, sql::check, mentions::check, markers::check] {
        violations.extend(rule(&files));
    }
    violations.extend(crates::check(&crates::read()?));
    Ok(violations)
}

fn usual() -> Result<Vec<Command>> {
    let [mut format, mut clippy, mut doc] = [cargo()?, cargo()?, cargo()?];
    format.args(["fmt", "--all", "--check"]);
    clippy.args(["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]);
    doc.args(["doc", "--workspace", "--all-features", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    Ok(vec![format, clippy, doc])
}

fn deep() -> Result<Vec<Command>> {
    let mut deny = cargo()?;
    deny.args(["deny", "check"]);
    let mut typos = Command::new("typos");
    typos.current_dir(cargo::root()?);
    Ok(vec![deny, typos])
}

/// A missing tool would look like a failed check: say what to install instead.
fn require_tools(deep: bool) -> Result<()> {
    let mut missing = Vec::new();
    for component in ["fmt", "clippy"] {
        if !cargo::has_subcommand(component) {
            missing.push(format!("cargo {component}: rustup component add rustfmt clippy"));
        }
    }
    if deep && !cargo::has_subcommand("deny") {
        missing.push("cargo deny: cargo install --locked cargo-deny".to_owned());
    }
    if deep && !process::installed("typos") {
        missing.push("typos: pip install typos".to_owned());
    }
    if missing.is_empty() { Ok(()) } else { Err(Unusable(format!("install first: {}", missing.join("; "))).into()) }
}
