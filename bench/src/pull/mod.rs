//! `pull`: manifests a second by digest and by tag, how late they are, what a cold one takes, and memory.

mod cold;
mod image;
mod memory;
mod rates;
mod seed;
mod servers;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;

use crate::{
    report::Measured,
    server::{Server, measured_on},
};

/// Arguments of `pull`.
#[derive(clap::Args)]
pub struct PullArgs {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// The crowsnest program
    #[arg(long, value_name = "PATH")]
    crowsnest: PathBuf,

    /// How often all servers are asked in turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// For how many seconds each is asked in a round
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// How many requests are made while memory is watched, of one name and of many
    #[arg(long, default_value_t = 1_000_000)]
    requests: u64,

    /// Measure these alone: rates (digest, tag and p99), cold, memory
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// Measures, and prints each figure when it is there.
pub async fn run(args: &PullArgs) -> Result<()> {
    measured_on(args.json, async |server| measure(args, server).await).await
}

async fn measure(args: &PullArgs, server: &Server) -> Result<()> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let print = |measured: Measured| measured.print(args.json);
    let seed = seed::plant(server).await?;
    if wanted("rates") {
        let each = Duration::from_secs(args.seconds);
        rates::measure(&args.crowsnest, &seed, args.rounds, each).await?.into_iter().for_each(print);
    }
    if wanted("cold") {
        print(cold::measure(&args.crowsnest, &seed).await?);
    }
    if wanted("memory") {
        memory::measure(&args.crowsnest, &seed, args.requests).await?.into_iter().for_each(print);
    }
    Ok(())
}
