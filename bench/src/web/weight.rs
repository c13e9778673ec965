//! `web.html`, `web.weight`: how many bytes the largest page of each kind has, and all that a first visit to it loads.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use super::{
    named,
    pages::{HEADERS, Kind},
    site::Site,
};
use crate::{http::Connection, load, report::Measured};

/// The bars, in thousands of bytes.
const HTML: f64 = 40.0;
const WHOLE: f64 = 100.0;
/// Pages of each kind that are weighed.
const EACH: usize = 70;

/// The heaviest of some pages, in thousands of bytes.
#[derive(Clone, Default)]
struct Heaviest {
    html: f64,
    packed: f64,
    path: String,
}

pub async fn measure(site: &Site, json: bool) -> Result<[Measured; 2]> {
    let mut plain = Connection::open(&site.served.host, &["Accept: text/html"]).await?;
    let mut packing = site.connect().await?;
    let mut worst = Heaviest::default();
    let kinds = Kind::ALL.iter().map(|(kind, _)| {
        let pages = site.places.iter().take(EACH).enumerate().map(|(n, place)| kind.path(place, n));
        (kind.name(), pages.collect::<BTreeSet<_>>())
    });
    let others = ["/status", "/holds", "/install", "/new"].map(|path| (path, BTreeSet::from([path.to_owned()])));
    let heavy = site.heavy.0.iter().map(|(what, path)| (*what, BTreeSet::from([path.clone()])));
    for (what, paths) in kinds.chain(others).chain(heavy) {
        let mut heaviest = Heaviest::default();
        for path in paths {
            let got = weigh(&mut plain, &mut packing, path).await?;
            if got.html > heaviest.html {
                heaviest = got;
            }
        }
        if !json {
            let Heaviest { html, packed, path } = &heaviest;
            println!(
                "  {:>9} repositories, {what:<26} HTML {html:>6.1} kB  packed {packed:>5.1} kB  {path}",
                site.size
            );
        }
        if heaviest.html > worst.html {
            worst = heaviest;
        }
    }
    let assets = assets(&mut plain).await?;
    let whole = worst.packed + assets;
    let figure = |figure, value, bar, unit_note| Measured {
        bench: named(figure, site.size),
        value,
        unit: "kB",
        reference: "bar",
        reference_value: bar,
        bars: vec![(format!("under {bar} kB"), value < bar)],
        note: format!("{unit_note}; {}; load {}", worst.path, load()),
    };
    Ok([
        figure("web.html", worst.html, HTML, "the largest page, not packed".to_owned()),
        figure(
            "web.weight",
            whole,
            WHOLE,
            format!("the same page as it is sent, with its head, and {assets:.1} kB of style, script and icon"),
        ),
    ])
}

async fn weigh(plain: &mut Connection, packing: &mut Connection, path: String) -> Result<Heaviest> {
    let (status, html) = plain.get(&path).await?;
    ensure!(status == 200, "{path}: {status}");
    let packed = packing.ask(&path).await?;
    Ok(Heaviest { html: kilo(html.len()), packed: kilo(packed.head.len() + packed.body.len()), path })
}

/// What the first page loads besides, as a browser asks for it.
async fn assets(plain: &mut Connection) -> Result<f64> {
    let (_, html) = plain.get("/").await?;
    let html = String::from_utf8_lossy(&html).into_owned();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for part in html.split("\"/assets/").skip(1) {
        names.insert(part.split('"').next().context("an address ends")?);
    }
    let mut sum = 0;
    let mut browser = Connection::open(plain.host(), &["Accept: */*", HEADERS[1]]).await?;
    for name in names {
        let got = browser.ask(&format!("/assets/{name}")).await?;
        ensure!(got.status == 200 && got.header("content-encoding") == Some("br"), "{name}: {}", got.status);
        sum += got.head.len() + got.body.len();
    }
    Ok(kilo(sum))
}

fn kilo(bytes: usize) -> f64 {
    bytes as f64 / 1_000.0
}
