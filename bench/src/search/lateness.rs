//! `search.p99.…`: each kind of query, one after the other on one connection, from the query's text to the page's rows.

use std::time::Instant;

use anyhow::Result;
use store::queries::SearchAsked;
use types::search::{Query, Sort};

use super::filled;
use crate::{
    catalogue::{COMMON, Place},
    load,
    report::{Measured, median, p99},
    server::Server,
};

/// The bar, in milliseconds, for each kind of query.
const P99: f64 = 20.0;
const WARM_UP: usize = 40;
const PAGE: usize = 25;
/// How often the reference is asked: it reads the whole table.
const SCANS: usize = 5;

/// A kind of query, and how one is made of a repository that there is.
pub type Kind = (&'static str, Sort, fn(&Place) -> String);

/// All of them.
pub const KINDS: [Kind; 14] = [
    ("name", Sort::Relevance, |place| place.name.clone()),
    ("prefix", Sort::Relevance, |place| place.name.chars().take(4).collect()),
    ("one letter", Sort::Relevance, |place| place.name.chars().take(1).collect()),
    ("two letters", Sort::Relevance, |place| place.name.chars().take(2).collect()),
    ("common", Sort::Relevance, |_| COMMON.to_owned()),
    ("common by stars", Sort::Stars, |_| COMMON.to_owned()),
    ("common pair", Sort::Relevance, |_| format!("{COMMON} server")),
    ("common and word", Sort::Relevance, |place| format!("{COMMON} {}", word(place, 0))),
    ("two words", Sort::Relevance, |place| format!("{} {}", word(place, 1), word(place, 2))),
    ("misspelt", Sort::Relevance, misspelt),
    ("owner", Sort::Relevance, |place| format!("owner:{}", place.handle)),
    ("conditions", Sort::Relevance, |place| format!("{COMMON} platform:linux/arm64 license:mit -{}", word(place, 0))),
    ("nothing, newest", Sort::Newest, |_| String::new()),
    ("nothing, by pulls", Sort::Pulls, |_| String::new()),
];

fn word(place: &Place, n: usize) -> &str {
    place.description.split(' ').nth(n).unwrap_or(COMMON)
}

/// The name with two of its letters in the wrong order.
fn misspelt(place: &Place) -> String {
    let mut letters: Vec<char> = place.name.chars().collect();
    let middle = letters.len() / 2;
    if middle > 0 {
        letters.swap(middle - 1, middle);
    }
    letters.into_iter().collect()
}

pub async fn measure(
    server: &Server,
    size: usize,
    queries: usize,
    json: bool,
    before: Option<f64>,
) -> Result<Measured> {
    let (places, reader, client) = filled(server, size).await?;
    let mut worst = (0.0, "");
    let mut all = Vec::new();
    for (kind, sort, ask) in KINDS {
        let mut times = Vec::new();
        for (n, place) in places.iter().cycle().take(WARM_UP + queries).enumerate() {
            let query = Query::parse(&ask(place));
            let began = Instant::now();
            reader.search(&SearchAsked { query, sort, limit: PAGE, cursor: None }).await?;
            if n >= WARM_UP {
                times.push(began.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        let (middle, late) = (median(times.clone()), p99(times.clone()));
        if !json {
            println!("  {size:>9} repositories, {kind:<18} p50 {middle:>7.2} ms  p99 {late:>7.2} ms");
        }
        if late > worst.0 {
            worst = (late, kind);
        }
        all.extend(times);
    }
    let mut scans = Vec::new();
    let scan = "SELECT did, name FROM repository WHERE search ILIKE $1 ORDER BY stars DESC LIMIT 25";
    for place in places.iter().take(SCANS) {
        let began = Instant::now();
        client.query(scan, &[&format!("%{}%", word(place, 0))]).await?;
        scans.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    let growth =
        before.map_or_else(String::new, |before| format!("; {:.2} times that of the size before", worst.0 / before));
    Ok(Measured {
        bench: match size {
            10_000 => "search.p99.10k",
            100_000 => "search.p99.100k",
            1_000_000 => "search.p99.1m",
            _ => "search.p99",
        },
        value: worst.0,
        unit: "ms",
        reference: "ilike",
        reference_value: median(scans),
        bars: vec![(format!("under {P99} ms at the 99th percentile, whatever the kind"), worst.0 < P99)],
        note: format!(
            "the worst kind ({}) of {}, {size} repositories; all kinds together p50 {:.2} ms, p99 {:.2} ms{growth}; load {}",
            worst.1,
            KINDS.len(),
            median(all.clone()),
            p99(all),
            load()
        ),
    })
}
