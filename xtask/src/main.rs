//! The project's own commands, as `cargo xtask <command>`.
//!
//! Exit codes: 0 done, 1 something failed, 2 unusable arguments or set-up.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal: what it prints is its product"
)]

mod bench;
mod cargo;
mod check;
mod process;
mod test;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs, checks and tests crowsnest.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build crowsnest and run all of it, with a demo network unless --live
    Up(up::UpArgs),
    /// Run what .ci/run tests
    Test(test::TestArgs),
    /// Formatting, clippy, docs and the layout rules
    Check(check::CheckArgs),
    /// Measure
    Bench(bench::BenchArgs),
}

/// Whether everything that was asked for succeeded; what failed has been printed.
type Passed = bool;

/// A machine or an argument that makes the command impossible: exit code 2.
#[derive(Debug)]
struct Unusable(String);

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Up(args) => up::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(if error.is::<Unusable>() { 2 } else { 1 })
        }
    }
}
