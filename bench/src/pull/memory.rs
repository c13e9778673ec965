//! `pull.memory`: what the registry's process grows by while it answers.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};

use super::{image::ACCEPT, seed::Seed, servers};
use crate::{load, process::Served, report::Measured, wrk};

/// The bar, in megabytes (10^6 bytes): what an allocator may not give back.
const GROWTH: f64 = 8.0;
/// What is asked before: connections are open, caches are as full as they get.
const WARM_UP: Duration = Duration::from_secs(10);
const PART: Duration = Duration::from_secs(5);

pub async fn measure(crowsnest: &Path, seed: &Seed, requests: u64) -> Result<Vec<Measured>> {
    let ours = servers::crowsnest(crowsnest, seed).await?;
    let one = grow(&ours, &seed.by_digest, None, requests).await?;
    let script = tempfile::Builder::new().prefix("crowsnest-bench-").suffix(".lua").tempfile()?;
    fs::write(script.path(), lua(&seed.many))?;
    let many = grow(&ours, "/", Some(script.path()), requests).await?;
    Ok(vec![
        figure("pull.memory", one, "one manifest".to_owned()),
        figure("pull.memory.many", many, format!("{} manifests, more than are kept at hand", seed.many.len())),
    ])
}

struct Growth {
    before: f64,
    after: f64,
    requests: u64,
}

fn figure(bench: &'static str, Growth { before, after, requests }: Growth, what: String) -> Measured {
    Measured {
        bench,
        value: after - before,
        unit: "MB",
        reference: "warm",
        reference_value: before,
        bars: vec![(format!("grows by less than {GROWTH} MB over {requests} requests"), after - before < GROWTH)],
        note: format!(
            "resident memory {before:.0} MB after warming up, {after:.0} MB in the end; {what}; load {}",
            load()
        ),
    }
}

/// Asks so many times, after a while of the same.
async fn grow(server: &Served, path: &str, script: Option<&Path>, requests: u64) -> Result<Growth> {
    let url = format!("http://{}{path}", server.host);
    wrk::run(&url, &[ACCEPT], WARM_UP, script).await?;
    let before = memory(server.pid()?)?;
    let mut asked = 0;
    while asked < requests {
        asked += wrk::run(&url, &[ACCEPT], PART, script).await?.requests;
    }
    Ok(Growth { before, after: memory(server.pid()?)?, requests: asked })
}

/// Resident memory in MB.
fn memory(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kilobytes.context("/proc does not tell the memory")? * 1_024.0 / 1e6)
}

/// A script for wrk that asks for one path after the other.
fn lua(paths: &[String]) -> String {
    let list: String = paths.iter().map(|path| format!("  \"{path}\",\n")).collect();
    format!(
        "local paths = {{\n{list}}}\nlocal at = 0\nfunction request()\n  at = at % #paths + 1\n  \
         return wrk.format(\"GET\", paths[at])\nend\n"
    )
}
