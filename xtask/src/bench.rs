//! `cargo xtask bench`: the benchmarks by name.

use anyhow::Result;
use clap::Args;

use crate::{Passed, Unusable};

/// The benchmarks there are.
const BENCHES: &[&str] = &[];

/// Arguments of `cargo xtask bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// Which one: ingest, pull, search, web or replay; all there are, if none is named
    name: Option<String>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs benchmarks. None exists yet, which is said rather than passed over.
///
/// # Errors
/// [`Unusable`] if the named one, or any at all, does not exist.
pub fn run(args: &BenchArgs) -> Result<Passed> {
    let there_are = if BENCHES.is_empty() { "none".to_owned() } else { BENCHES.join(", ") };
    let line = match &args.name {
        Some(name) => format!("no benchmark named {name} yet (there are: {there_are})"),
        None => format!("no benchmark yet (there are: {there_are})"),
    };
    if args.json {
        println!("{}", serde_json::json!({"error": line}));
    }
    Err(Unusable(line).into())
}
