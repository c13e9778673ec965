//! `ingest.apply`: from decoded frames to commits, beside a bare `COPY` of the rows that they left.

use std::{sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use chrono::Utc;
use indexer::{Gathering, Intake, WAITING_STEPS};
use service::config::SourceKind;
use store::Writer;
use tokio::sync::mpsc;

use super::copy;
use crate::{
    load,
    report::Measured,
    server::{Database, Server, cpu_seconds},
};

/// The bars: changes a second, and their share of what the reference reaches.
const CHANGES: f64 = 10_000.0;
const SHARE: f64 = 0.5;

pub async fn measure(server: &Server, frames: &Arc<Vec<String>>) -> Result<Measured> {
    // The files of the log are made once and then used again: whoever comes first makes them, and that is nobody measured.
    let (first, mut writer) = prepare(server, "first").await?;
    apply(&mut writer, frames).await?;
    drop((writer, first));

    let (database, mut writer) = prepare(server, "apply").await?;
    let began = Instant::now();
    let batches = apply(&mut writer, frames).await?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = cpu_seconds(writer.client()).await.unwrap_or(f64::NAN);
    let refused: i64 = writer.client().query_one("SELECT count(*) FROM reject", &[]).await?.get(0);
    anyhow::ensure!(refused == 0, "{refused} events of the mix were refused");
    drop(writer);

    let rows = copy::dump(&database).await?;
    let copied = copy::measure(server, &rows, batches).await?;
    let (value, reference) = (frames.len() as f64 / seconds, frames.len() as f64 / copied.seconds);
    Ok(Measured {
        bench: "ingest.apply",
        value,
        unit: "changes/s",
        reference: "copy",
        reference_value: reference,
        bars: vec![
            (format!("at least {CHANGES} changes/s"), value >= CHANGES),
            (format!("at least {SHARE} of COPY"), value / reference >= SHARE),
        ],
        note: format!(
            "{} changes in {batches} transactions, {} rows; CPU of the server's process {cpu:.1} s, of COPY's {:.1} s; load {}",
            frames.len(),
            copied.rows,
            copied.cpu,
            load()
        ),
    })
}

/// A database with nothing in it, and its writer.
async fn prepare(server: &Server, name: &str) -> Result<(Database, Writer)> {
    let database = server.database(name).await?;
    let writer = Writer::try_acquire(&database.url, database.generation).await?.context("another writer")?;
    database.settle().await?;
    Ok((database, writer))
}

/// Decodes, validates and hashes on one task, gathers and applies on another, as the indexer does. Returns the number of
/// transactions.
async fn apply(writer: &mut Writer, frames: &Arc<Vec<String>>) -> Result<usize> {
    let (sender, mut steps) = mpsc::channel(WAITING_STEPS);
    let frames = frames.clone();
    let decoding = tokio::spawn(async move {
        let intake = Intake::default();
        for frame in frames.iter() {
            if let Some(step) =
                intake.text(SourceKind::JetstreamV1, frame, Utc::now().timestamp_micros().unsigned_abs())
            {
                sender.send(step).await.ok();
            }
        }
    });
    let (mut batches, mut next) = (0, Gathering::default());
    loop {
        if next.is_empty() {
            let Some(step) = steps.recv().await else { break };
            next.gather(step, &mut steps);
        }
        let batch = next.take();
        next.during(&mut steps, writer.apply(batch)).await?;
        batches += 1;
    }
    decoding.await?;
    Ok(batches)
}
