//! `cargo xtask test`: named suites, with what they need installed first and a summary at the end.

mod counts;
mod fuzz;
mod runner;
mod suites;
pub mod tools;

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use crate::cargo::Built;
use crate::{Passed, cargo};
use counts::Counts;
use runner::Runner;
use suites::Tests;

/// Arguments of `cargo xtask test`.
#[derive(Args)]
pub struct TestArgs {
    /// Only these suites, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "SUITES")]
    only: Vec<String>,

    /// Say which suites there are and what each needs, and do nothing
    #[arg(long)]
    list: bool,

    /// Also the long ones, which .ci/run leaves out
    #[arg(long)]
    full: bool,
}

/// How a suite ended.
struct Outcome {
    suite: &'static str,
    passed: bool,
    counts: Counts,
    took: Duration,
}

/// Runs suites, one after the other, all of them even if one fails.
///
/// # Errors
/// A suite is unknown or a tool missing ([`crate::Unusable`]), or the tests do not build.
pub fn run(args: &TestArgs) -> Result<Passed> {
    let started = Instant::now();
    let suites = suites::select(&args.only, args.full)?;
    if args.list {
        suites.iter().for_each(|suite| println!("{}", suite.line()));
        return Ok(true);
    }
    tools::ensure(suites.iter().flat_map(|suite| suite.needs))?;
    // The program and every test at once, with the selection that the runner uses too; fuzz targets are built apart.
    let built = if suites.iter().all(|suite| matches!(suite.tests, Tests::Fuzz)) {
        Built::default()
    } else {
        cargo::build(&[&cargo::TESTED[..], &["--bins", "--tests"]].concat())?
    };
    let runner = Runner::new(built, args.full);
    let mut outcomes = Vec::new();
    for suite in suites {
        println!("\n== {}: {}", suite.name, suite.about);
        let begun = Instant::now();
        let (passed, counts) = runner.run(suite)?;
        outcomes.push(Outcome { suite: suite.name, passed, counts, took: begun.elapsed() });
    }
    Ok(summarize(&outcomes, started.elapsed()))
}

fn summarize(outcomes: &[Outcome], took: Duration) -> Passed {
    println!();
    let mut total = Counts::default();
    for Outcome { suite, passed, counts, took } in outcomes {
        let word = if *passed { "ok" } else { "FAILED" };
        println!("{suite:<10} {word:<7} {:>7.1} s  {counts}", took.as_secs_f64());
        total += *counts;
    }
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed).map(|outcome| outcome.suite).collect();
    let verdict = if failed.is_empty() { "ok".to_owned() } else { format!("FAILED ({})", failed.join(", ")) };
    println!("test: {verdict}: {} suites, {total}, {:.0} s", outcomes.len(), took.as_secs_f64());
    failed.is_empty()
}
