//! `web.first_byte.…`: pages are asked for by a timetable, whatever becomes of those before, and timed from when each was due
//! until its first byte is there. Who waits in a queue waits too.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Before, MEASURE, growth, named,
    pages::{HEADERS, Kind, Page, mix},
    site::Site,
};
use crate::{
    http::Connection,
    load, process,
    report::{Measured, median, p99},
};

/// The bars, in milliseconds.
const P50: f64 = 10.0;
const P99: f64 = 40.0;
/// For each of the heavy pages.
const HEAVY: f64 = 50.0;
const WARM_UP: Duration = Duration::from_secs(15);
const REFERENCE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(10);
/// More at once is no measurement any more.
const MOST_OPEN: usize = 1_024;
/// How long nobody comes, before somebody does.
const REST: Duration = Duration::from_secs(12);
const RESTED: usize = 3;
const ONE_BY_ONE: usize = 15;

/// How late one page was, in milliseconds after it was due.
struct Sample {
    kind: Kind,
    asked: f64,
    first: f64,
    last: f64,
}

pub async fn measure(site: &Site, rate: u32, time: Duration, json: bool, before: &mut Before) -> Result<Vec<Measured>> {
    let visits = |time: Duration, seed| mix(&site.places, (time.as_secs_f64() * f64::from(rate)) as usize, seed);
    paced(&site.served.host, visits(WARM_UP, 1), rate).await?;
    let hot = site.connect().await?.ask(&visits(time, 2)[0].path).await?;
    let bare = process::bare(&hot.body, &headers(&hot.head)).await?;
    let reference = paced(&bare.host, visits(REFERENCE, 3), rate).await?;
    let pages = visits(time, 4);
    let (many, cpu) = (pages.len() as f64, site.cpu().await?);
    let samples = paced(&site.served.host, pages, rate).await?;
    let used = site.cpu().await?;
    if !json {
        by_kind(site.size, &samples);
        one_by_one(site).await?;
    }
    let firsts = |samples: &[Sample]| samples.iter().map(|sample| sample.first).collect::<Vec<_>>();
    let (p50, late) = (median(firsts(&samples)), p99(firsts(&samples)));
    let note = format!(
        "{rate} pages/s for {} s, whether or not others are done; CPU a page {:.2} ms of ours and {:.2} ms of Postgres'; asked for \
         {:.2} ms late (p99), last byte {:.2} ms (p99)",
        time.as_secs(),
        (used.0 - cpu.0) * 1_000.0 / many,
        (used.1 - cpu.1) * 1_000.0 / many,
        p99(samples.iter().map(|sample| sample.asked).collect()),
        p99(samples.iter().map(|sample| sample.last).collect()),
    );
    let figure = |figure, value, reference_value, bar: f64, grown: String| Measured {
        bench: named(figure, site.size),
        value,
        unit: "ms",
        reference: "axum",
        reference_value,
        bars: if site.size == MEASURE { vec![(format!("under {bar} ms"), value < bar)] } else { vec![] },
        note: format!("{note}{grown}; load {}", load()),
    };
    let references = firsts(&reference);
    let mut figures = vec![
        figure("web.first_byte.p50", p50, median(references.clone()), P50, growth(&mut before.p50, p50)),
        figure("web.first_byte.p99", late, p99(references), P99, growth(&mut before.p99, late)),
    ];
    figures.push(rested(site).await?);
    Ok(figures)
}

/// The headers of an answer that are of the page, and not of the way that it was sent.
pub fn headers(head: &str) -> Vec<String> {
    let lines = head.lines().skip(1).map(str::trim).filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with("content-length") && !line.starts_with("date"))
        .map(ToOwned::to_owned)
        .collect()
}

/// Asks for pages at a rate, each on a connection that is free, or on a new one.
#[expect(
    clippy::disallowed_methods,
    reason = "it is a thread of its own: the timers of the runtime are a millisecond coarse"
)]
async fn paced(host: &str, pages: Vec<Page>, rate: u32) -> Result<Vec<Sample>> {
    let (sender, mut due) = mpsc::unbounded_channel();
    let (gap, many) = (Duration::from_secs(1) / rate, pages.len());
    // Tokio's clock ticks in milliseconds.
    std::thread::spawn(move || {
        let begin = Instant::now() + Duration::from_millis(100);
        for (n, page) in (0u32..).zip(pages) {
            let at = begin + gap * n;
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if sender.send((at, page)).is_err() {
                return;
            }
        }
    });
    let idle = Arc::new(Mutex::new(Vec::new()));
    let (mut open, mut samples) = (JoinSet::new(), Vec::with_capacity(many));
    while let Some((at, page)) = due.recv().await {
        ensure!(open.len() < MOST_OPEN, "{MOST_OPEN} pages are waited for");
        let (host, idle) = (host.to_owned(), idle.clone());
        open.spawn(
            async move { timeout(PATIENCE, one(&host, &idle, at, page)).await.context("a page does not come")? },
        );
        while let Some(done) = open.try_join_next() {
            samples.push(done??);
        }
    }
    while let Some(done) = open.join_next().await {
        samples.push(done??);
    }
    Ok(samples)
}

async fn one(host: &str, idle: &Mutex<Vec<Connection>>, at: Instant, page: Page) -> Result<Sample> {
    let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut connection = match kept {
        Some(connection) => connection,
        None => Connection::open(host, &HEADERS).await?,
    };
    let after = |time: Instant| time.saturating_duration_since(at).as_secs_f64() * 1_000.0;
    let asked = after(Instant::now());
    let got = connection.ask(&page.path).await?;
    let last = after(Instant::now());
    ensure!(got.status == 200, "{}: {}", page.path, got.status);
    idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    Ok(Sample { kind: page.kind, asked, first: after(got.first), last })
}

fn by_kind(size: usize, samples: &[Sample]) {
    for (kind, _) in Kind::ALL {
        let times = samples.iter().filter(|sample| sample.kind == kind).map(|sample| sample.first);
        let times: Vec<f64> = times.collect();
        let (many, middle, late) = (times.len(), median(times.clone()), p99(times));
        println!("  {size:>9} repositories, {:<26} p50 {middle:>7.2} ms  p99 {late:>7.2} ms  of {many}", kind.name());
    }
}

/// Heavy pages, when nothing else is asked for.
async fn one_by_one(site: &Site) -> Result<()> {
    let mut connection = site.connect().await?;
    let others = ["/status", "/holds", "/new"].map(|path| (path, path.to_owned()));
    for (what, path) in site.heavy.0.iter().cloned().chain(others) {
        let mut times = Vec::new();
        for n in 0..ONE_BY_ONE {
            // Each at an address of its own: what is kept is nobody's measure.
            let path = format!("{path}{}n={n}", if path.contains('?') { '&' } else { '?' });
            let began = Instant::now();
            let got = connection.ask(&path).await?;
            ensure!(got.status == 200, "{path}: {}", got.status);
            times.push((got.first - began).as_secs_f64() * 1_000.0);
        }
        let (middle, worst) = (median(times.clone()), times.iter().copied().fold(0.0, f64::max));
        let is_met = if worst < HEAVY { "met" } else { "MISSED" };
        println!(
            "  {:>9} repositories, {what:<26} p50 {middle:>7.2} ms  worst {worst:>6.2} ms  {is_met}: under {HEAVY} ms",
            site.size
        );
    }
    Ok(())
}

/// The first page after nobody came for a while.
async fn rested(site: &Site) -> Result<Measured> {
    let mut times = Vec::new();
    let mut connection = site.connect().await?;
    for _ in 0..RESTED {
        sleep(REST).await;
        let began = Instant::now();
        let got = connection.ask("/").await?;
        times.push((got.first - began).as_secs_f64() * 1_000.0);
    }
    let again = Instant::now();
    let got = connection.ask("/").await?;
    Ok(Measured {
        bench: named("web.rested", site.size),
        value: times.iter().copied().fold(0.0, f64::max),
        unit: "ms",
        reference: "again",
        reference_value: (got.first - again).as_secs_f64() * 1_000.0,
        bars: vec![],
        note: format!(
            "the worst of {RESTED} first pages after {} s without a visitor; load {}",
            REST.as_secs(),
            load()
        ),
    })
}
