//! `pull.manifest.digest`, `pull.manifest.tag`, `pull.p99`: one manifest that everybody wants. All servers are asked in turn,
//! several times, so that a machine that is slow for a while is slow for all of them.

use std::{path::Path, time::Duration};

use anyhow::Result;

use super::{image::ACCEPT, seed::Seed, servers};
use crate::{
    load,
    process::Served,
    report::{Measured, median},
    server::process_seconds,
    wrk::{self, Run},
};

/// The bars: shares of bare axum's rate, so many times docker-registry's, and milliseconds.
const BY_DIGEST: f64 = 0.60;
const BY_TAG: f64 = 0.50;
const TIMES_REGISTRY: f64 = 10.0;
const P99: f64 = 5.0;

/// What is asked: whom, and for which path.
struct Subject<'a> {
    server: &'a Served,
    path: &'a str,
    runs: Vec<Run>,
    /// Seconds of the server's CPU, all runs together.
    cpu: f64,
}

impl Subject<'_> {
    fn rate(&self) -> f64 {
        median(self.runs.iter().map(|run| run.rate).collect())
    }

    /// What a request takes of the server's CPU, in microseconds.
    fn cost(&self) -> f64 {
        self.cpu * 1e6 / self.runs.iter().map(|run| run.requests as f64).sum::<f64>()
    }

    fn p99(&self) -> f64 {
        median(self.runs.iter().map(|run| run.p99).collect())
    }
}

pub async fn measure(crowsnest: &Path, seed: &Seed, rounds: u32, each: Duration) -> Result<Vec<Measured>> {
    let ours = servers::crowsnest(crowsnest, seed).await?;
    let (bare, registry, nginx) =
        (servers::bare(seed).await?, servers::docker_registry(seed).await?, servers::nginx(seed).await?);
    let subject = |server, path| Subject { server, path, runs: Vec::new(), cpu: 0.0 };
    let mut subjects = [
        subject(&ours, seed.by_digest.as_str()),
        subject(&bare, &seed.by_digest),
        subject(&ours, &seed.by_tag),
        subject(&registry, &seed.by_digest),
        subject(&nginx, &seed.by_digest),
    ];
    for round in 0..=rounds {
        for subject in &mut subjects {
            // The first round warms up.
            let time = if round == 0 { Duration::from_secs(1) } else { each };
            let cpu = || subject.server.pid().map(|pid| process_seconds(pid).unwrap_or(f64::NAN));
            let before = cpu()?;
            let run =
                wrk::run(&format!("http://{}{}", subject.server.host, subject.path), &[ACCEPT], time, None).await?;
            let used = cpu()? - before;
            if round > 0 {
                subject.runs.push(run);
                subject.cpu += used;
            }
        }
    }
    Ok(figures(&subjects, rounds, each))
}

fn figures([digest, bare, tag, registry, nginx]: &[Subject<'_>; 5], rounds: u32, each: Duration) -> Vec<Measured> {
    let rate = |bench, ours: &Subject<'_>, bars| Measured {
        bench,
        value: ours.rate(),
        unit: "requests/s",
        reference: "axum",
        reference_value: bare.rate(),
        bars,
        note: format!(
            "median of {rounds} rounds of {} s, 64 connections; CPU a request {:.1} µs, of axum's {:.1}; docker-registry \
             {:.0}/s, nginx {:.0}/s; load {}",
            each.as_secs(),
            ours.cost(),
            bare.cost(),
            registry.rate(),
            nginx.rate(),
            load()
        ),
    };
    let share =
        |ours: &Subject<'_>, bar: f64| (format!("at least {bar} of bare axum"), ours.rate() >= bar * bare.rate());
    let times = registry.rate() * TIMES_REGISTRY;
    let ten = (format!("at least {TIMES_REGISTRY} times docker-registry"), digest.rate() >= times);
    vec![
        rate("pull.manifest.digest", digest, vec![share(digest, BY_DIGEST), ten]),
        rate("pull.manifest.tag", tag, vec![share(tag, BY_TAG)]),
        Measured {
            bench: "pull.p99",
            value: digest.p99(),
            unit: "ms",
            reference: "axum",
            reference_value: bare.p99(),
            bars: vec![(format!("under {P99} ms at 64 connections"), digest.p99() < P99)],
            note: format!("while as many are asked for as are answered; by tag {:.2} ms", tag.p99()),
        },
    ]
}
