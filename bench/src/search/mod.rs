//! `search`: how late results are, by kind of query, over three sizes of the index; and how good their order is.

mod debian;
mod lateness;
mod relevance;

use std::path::PathBuf;

use anyhow::Result;
pub use lateness::KINDS;
use store::{Reader, search};

use crate::{
    catalogue,
    report::Measured,
    server::{Server, measured_on},
};

/// Arguments of `search`.
#[derive(clap::Args)]
pub struct SearchArgs {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// The crowsnest program, which is not needed here
    #[arg(long, value_name = "PATH")]
    crowsnest: Option<PathBuf>,

    /// How many repositories there are, one size after the other
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    sizes: Vec<usize>,

    /// How many queries of each kind are asked
    #[arg(long, default_value_t = 400)]
    queries: usize,

    /// Measure these alone: lateness, relevance
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// Measures, and prints each figure when it is there.
pub async fn run(args: &SearchArgs) -> Result<()> {
    measured_on(args.json, async |server| measure(args, server).await).await
}

async fn measure(args: &SearchArgs, server: &Server) -> Result<()> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let print = |measured: Measured| measured.print(args.json);
    if wanted("relevance") {
        print(relevance::measure(server).await?);
    }
    if wanted("lateness") {
        let mut before = None;
        for size in &args.sizes {
            let measured = lateness::measure(server, *size, args.queries, args.json, before).await?;
            before = Some(measured.value);
            print(measured);
        }
    }
    Ok(())
}

/// A database with so many repositories, a sample of them, and a reader.
async fn filled(server: &Server, size: usize) -> Result<(Vec<catalogue::Place>, Reader, tokio_postgres::Client)> {
    let mut database = server.database(&format!("search_{size}")).await?;
    let places = catalogue::fill(&database.client, size, (size / 1_000).max(1)).await?;
    search::build(&mut database.client).await?;
    database.settle().await?;
    Ok((places, Reader::connect(&database.url, database.generation).await?, database.client))
}
