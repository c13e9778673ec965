//! `web.hot`, `web.random`: repository pages a second, one that everybody wants and ones that nobody asked for. All are asked in
//! turn, several times, so that a machine that is slow for a while is slow for all of them.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use tempfile::TempDir;

use super::{
    Before, MEASURE, first_byte, growth, named,
    pages::{HEADERS, repository},
    site::Site,
};
use crate::{
    load, process,
    report::{Measured, median},
    wrk::{self, Run},
};

/// The bars: pages a second.
const HOT: f64 = 3_000.0;
const RANDOM: f64 = 500.0;
const EACH: Duration = Duration::from_secs(3);

/// What was asked for, and what it took.
#[derive(Default)]
struct Subject {
    runs: Vec<Run>,
    /// Seconds of CPU, of the web service and of Postgres.
    cpu: (f64, f64),
}

impl Subject {
    fn rate(&self) -> f64 {
        median(self.runs.iter().map(|run| run.rate).collect())
    }

    /// What a page takes, in milliseconds.
    fn cost(&self) -> (f64, f64) {
        let pages: f64 = self.runs.iter().map(|run| run.requests as f64).sum();
        (self.cpu.0 * 1_000.0 / pages, self.cpu.1 * 1_000.0 / pages)
    }
}

pub async fn measure(site: &Site, rounds: u32, before: &mut Before) -> Result<[Measured; 2]> {
    let path = repository(&site.places[0]);
    let got = site.connect().await?.ask(&path).await?;
    let bare = process::bare(&got.body, &first_byte::headers(&got.head)).await?;
    let [hot_url, bare_url] = [&site.served, &bare].map(|served| format!("http://{}{path}", served.host));
    let folder = process::folder()?;
    let [mut hot, mut axum, mut random] = [(); 3].map(|()| Subject::default());
    for round in 0..=rounds as usize {
        // The first round warms up.
        let time = if round == 0 { Duration::from_secs(1) } else { EACH };
        let script = script(&folder, site, round * site.places.len() / (rounds as usize + 1))?;
        for (subject, url, script) in
            [(&mut hot, &hot_url, None), (&mut axum, &bare_url, None), (&mut random, &hot_url, Some(script.as_path()))]
        {
            let cpu = site.cpu().await?;
            let run = wrk::run(url, &HEADERS, time, script).await?;
            let used = site.cpu().await?;
            if round > 0 {
                subject.runs.push(run);
                subject.cpu = (subject.cpu.0 + used.0 - cpu.0, subject.cpu.1 + used.1 - cpu.1);
            }
        }
    }
    let (hot_grown, random_grown) = (growth(&mut before.hot, hot.rate()), growth(&mut before.random, random.rate()));
    let figure = |figure, ours: &Subject, bar: f64, what: &str, grown: String| Measured {
        bench: named(figure, site.size),
        value: ours.rate(),
        unit: "pages/s",
        reference: "axum",
        reference_value: axum.rate(),
        bars: if site.size == MEASURE { vec![(format!("at least {bar}/s"), ours.rate() >= bar)] } else { vec![] },
        note: format!(
            "{what}, {} bytes packed; median of {rounds} rounds of {} s, 64 connections; CPU a page {:.3} ms of ours and {:.3} ms of \
             Postgres'{grown}; load {}",
            got.body.len(),
            EACH.as_secs(),
            ours.cost().0,
            ours.cost().1,
            load()
        ),
    };
    Ok([
        figure("web.hot", &hot, HOT, "one repository's page", hot_grown),
        figure("web.random", &random, RANDOM, "another repository's page each time", random_grown),
    ])
}

/// A script for wrk, whose two threads go through the repositories from two places.
fn script(folder: &TempDir, site: &Site, from: usize) -> Result<PathBuf> {
    let (list, script) = (folder.path().join("paths"), folder.path().join("random.lua"));
    let mut paths = String::new();
    for place in site.places.iter().cycle().skip(from).take(site.places.len()) {
        writeln!(paths, "{}", repository(place))?;
    }
    fs::write(&list, paths)?;
    fs::write(&script, lua(&list))?;
    Ok(script)
}

fn lua(list: &Path) -> String {
    format!(
        "local n = 0\nfunction setup(thread) thread:set(\"number\", n); n = n + 1 end\n\
         function init(args) paths = {{}}; for p in io.lines(\"{}\") do paths[#paths + 1] = p end\n\
         \x20 at = number * math.floor(#paths / 2) end\n\
         function request() at = at % #paths + 1; return wrk.format(\"GET\", paths[at]) end\n",
        list.display()
    )
}
