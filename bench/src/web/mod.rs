//! `web`: how soon the first byte of a page comes at a fixed rate of visits, how many pages a second there are, and how heavy
//! they are, over three sizes of the index.

mod first_byte;
mod heavy;
mod pages;
mod rates;
mod site;
mod weight;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;

use crate::{
    report::Measured,
    server::{Server, measured_on},
};
use site::Site;

/// Arguments of `web`.
#[derive(clap::Args)]
pub struct WebArgs {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// The crowsnest program
    #[arg(long, value_name = "PATH")]
    crowsnest: PathBuf,

    /// How many repositories there are, one size after the other
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    sizes: Vec<usize>,

    /// Pages a second that are asked for while first bytes are timed
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// For how many seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// How often all that are compared by pages a second are asked in turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Measure these alone: weight, first_byte, rates
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// Of the size before, to tell how much is grown.
#[derive(Default)]
struct Before {
    p50: Option<f64>,
    p99: Option<f64>,
    hot: Option<f64>,
    random: Option<f64>,
}

/// The size at which bars are set.
const MEASURE: usize = 100_000;

/// Measures, and prints each figure when it is there.
pub async fn run(args: &WebArgs) -> Result<()> {
    measured_on(args.json, async |server| {
        let mut before = Before::default();
        for size in &args.sizes {
            measure(args, server, *size, &mut before).await?;
        }
        Ok(())
    })
    .await
}

async fn measure(args: &WebArgs, server: &Server, size: usize, before: &mut Before) -> Result<()> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let print = |measured: Measured| measured.print(args.json);
    let site = Site::start(server, &args.crowsnest, size, args.json).await?;
    if wanted("weight") {
        weight::measure(&site, args.json).await?.into_iter().for_each(print);
    }
    if wanted("first_byte") {
        let time = Duration::from_secs(args.seconds);
        first_byte::measure(&site, args.rate, time, args.json, before).await?.into_iter().for_each(print);
    }
    if wanted("rates") {
        rates::measure(&site, args.rounds, before).await?.into_iter().for_each(print);
    }
    let name = site.stop();
    server.drop_database(&name).await
}

/// A figure's name at a size.
fn named(figure: &str, size: usize) -> &'static str {
    let size = match size {
        10_000 => "10k".to_owned(),
        100_000 => "100k".to_owned(),
        1_000_000 => "1m".to_owned(),
        other => other.to_string(),
    };
    // There are a dozen.
    format!("{figure}.{size}").leak()
}

/// How much a figure is of that of the size before, which it then replaces.
fn growth(before: &mut Option<f64>, value: f64) -> String {
    let grown = before.map(|before| format!("; {:.2} times that of the size before", value / before));
    *before = Some(value);
    grown.unwrap_or_default()
}
