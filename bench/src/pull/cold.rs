//! `pull.cold`: manifests that nobody asked for before, each from Postgres.

use std::{path::Path, time::Instant};

use anyhow::{Result, ensure};
use types::Digest;

use super::{
    image::ACCEPT,
    seed::{COLD, Seed},
    servers,
};
use crate::{
    http::Connection,
    load,
    report::{Measured, median, p99},
};

/// The bar, in milliseconds.
const MEDIAN: f64 = 3.0;
/// The first ones open connections to Postgres.
const WARM_UP: usize = 100;

pub async fn measure(crowsnest: &Path, seed: &Seed) -> Result<Measured> {
    // Fresh: nothing is at hand.
    let ours = servers::crowsnest(crowsnest, seed).await?;
    let mut connection = Connection::open(&ours.host, &[ACCEPT]).await?;
    let select = seed.database.client.prepare("SELECT bytes FROM manifest_bytes WHERE digest = $1").await?;
    let (mut times, mut selects) = (Vec::new(), Vec::new());
    for (path, digest) in &seed.cold {
        let began = Instant::now();
        let (status, body) = connection.get(path).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        ensure!(status == 200 && Digest::sha256(&body).as_str() == digest, "{path}: {status}");
        let began = Instant::now();
        seed.database.client.query_one(&select, &[digest]).await?;
        selects.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    let (times, selects) = (times.split_off(WARM_UP), selects.split_off(WARM_UP));
    let (value, slow) = (median(times.clone()), p99(times));
    Ok(Measured {
        bench: "pull.cold",
        value,
        unit: "ms",
        reference: "select",
        reference_value: median(selects),
        bars: vec![(format!("under {MEDIAN} ms at the median"), value < MEDIAN)],
        note: format!(
            "{} manifests, each once, one after the other; p99 {slow:.2} ms; load {}",
            COLD - 1 - WARM_UP,
            load()
        ),
    })
}
