//! The benchmarks that `cargo xtask bench` runs: each figure beside a reference that is measured in the same run.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal: what it prints is its product"
)]

mod bare;
mod catalogue;
mod dice;
mod http;
mod ingest;
mod jetstream;
mod mix;
mod process;
mod pull;
mod report;
mod search;
mod server;
mod web;
mod wrk;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Measures crowsnest. Exit codes: 0 measured, 1 something failed, 2 unusable arguments.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Changes applied, events dropped, lag, memory
    Ingest(IngestArgs),
    /// Manifests a second by digest and by tag, how late, cold ones, memory
    Pull(pull::PullArgs),
    /// How late search's results are, by kind of query and size of the index, and how good their order is
    Search(search::SearchArgs),
    /// First bytes at 200 pages a second, pages a second, and how heavy they are, by size of the index
    Web(web::WebArgs),
    /// Fills a database with a catalogue, as `search` and `web` measure on
    #[command(hide = true)]
    Catalogue(catalogue::CatalogueArgs),
    /// A reference of `pull` and `web`: axum that answers with a file
    #[command(hide = true)]
    Bare(bare::BareArgs),
}

/// Arguments of `ingest`.
#[derive(clap::Args)]
struct IngestArgs {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// The crowsnest program, whose memory is measured
    #[arg(long, value_name = "PATH")]
    crowsnest: PathBuf,

    /// How many changes are applied
    #[arg(long, default_value_t = 100_000)]
    changes: usize,

    /// How many events are replayed while memory is watched
    #[arg(long, default_value_t = 5_000_000)]
    events: u64,

    /// For how many seconds events are sent while lag is measured
    #[arg(long, default_value_t = 15)]
    seconds: u64,

    /// Measure these alone: apply, drop, lag, memory
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// As in crowsnest.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().bench {
        Bench::Ingest(args) => ingest::run(&args).await,
        Bench::Pull(args) => pull::run(&args).await,
        Bench::Search(args) => search::run(&args).await,
        Bench::Web(args) => web::run(&args).await,
        Bench::Catalogue(args) => catalogue::run(&args).await,
        Bench::Bare(args) => bare::serve(&args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How busy the machine is, of which other work has its share.
fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| "unknown".into()).trim().to_owned()
}
