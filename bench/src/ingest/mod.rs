//! `ingest`: what the indexer applies, drops, how late it is, and what memory it takes.

mod apply;
mod copy;
mod drop;
mod lag;
mod memory;

use std::sync::Arc;

use anyhow::Result;
use chrono::Utc;
use indexer::IndexerConfig;
use outbound::{Outbound, OutboundConfig, Resolver, ResolverConfig};

use crate::{
    IngestArgs,
    mix::Mix,
    report::Measured,
    server::{Server, measured_on},
};

/// Nobody listens there: the network of jobs.
const NOBODY: &str = "http://127.0.0.1:9/";

/// Measures, and prints each figure when it is there.
pub async fn run(args: &IngestArgs) -> Result<()> {
    measured_on(args.json, async |server| measure(args, server).await).await
}

async fn measure(args: &IngestArgs, server: &Server) -> Result<()> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let print = |measured: Measured| measured.print(args.json);
    if wanted("drop") {
        print(drop::measure());
    }
    let frames = Arc::new(frames(args.changes));
    if wanted("apply") {
        print(apply::measure(server, &frames).await?);
    }
    if wanted("lag") {
        print(lag::measure(server, args.seconds).await?);
    }
    if wanted("memory") {
        print(memory::measure(server, &args.crowsnest, &frames, args.events).await?);
    }
    Ok(())
}

/// Frames of the mix, of which the newest is an hour old.
fn frames(count: usize) -> Vec<String> {
    let begin = Utc::now().timestamp_micros() - 3_600_000_000;
    let mut mix = Mix::new(begin.unsigned_abs());
    (begin..).take(count).map(|time| mix.commit().frame(time)).collect()
}

/// An indexer's configuration, with one source and no network.
fn config(database_url: &str, source: &str) -> Result<IndexerConfig> {
    let outbound = Outbound::new(&OutboundConfig { allow_private_network: true, contact: "bench".into() })?;
    let who = ResolverConfig { plc_url: NOBODY.parse()?, handle_resolver_url: Some(NOBODY.parse()?) };
    let resolver = Resolver::new(outbound.clone(), &who)?;
    Ok(IndexerConfig::new(database_url.into(), vec![source.parse()?], outbound, resolver, NOBODY.parse()?))
}
