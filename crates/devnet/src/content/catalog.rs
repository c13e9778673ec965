//! The ordinary repositories: what people publish.

use types::Did;

use super::{
    Cast, DAY, Dice, END,
    images::{Base, Build},
    oci::{self, Manifest},
    pages,
    publisher::{Publisher, Target, annotations, tag},
};
use crate::{
    Result,
    devnet::{HOLD_PUBLIC, HOLD_UNCRAWLED},
    network::datetime,
    repo::Write,
};

const AMD64: &[&str] = &["amd64"];
const BOTH: &[&str] = &["amd64", "arm64"];

/// A repository and its versions, oldest first.
pub(crate) struct Entry {
    pub(crate) owner: &'static str,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    license: &'static str,
    base: Base,
    pub(crate) versions: &'static [&'static str],
    architectures: &'static [&'static str],
    ports: &'static [&'static str],
}

macro_rules! catalog {
    ($($owner:literal $name:literal $license:literal $base:ident $architectures:ident $versions:expr, $ports:expr, $about:literal;)*) => {
        &[$(Entry { owner: $owner, name: $name, about: $about, license: $license, base: Base::$base,
                    versions: &$versions, architectures: $architectures, ports: &$ports }),*]
    };
}

/// Everything but the showcase.
#[rustfmt::skip]
pub(crate) const CATALOG: &[Entry] = catalog! {
    "alice.test" "caddy-plus" "Apache-2.0" Alpine BOTH ["2.8.4", "2.9.1", "2.10.0"], ["80/tcp", "443/tcp"], "Caddy with the DNS and rate-limit modules that I use at home";
    "alice.test" "dotfiles" "CC0-1.0" Debian AMD64 ["2026.03", "2026.06"], [], "My shell, editor and git set-up as an image";
    "alice.test" "pdf-stamp" "MIT" Distroless BOTH ["0.3.0", "0.4.0", "0.4.1"], ["8080/tcp"], "Stamps page numbers and dates onto PDF files over HTTP";
    "bob.test" "redis-tls" "BSD-3-Clause" Alpine BOTH ["7.2.5", "7.4.2"], ["6379/tcp"], "Redis that refuses to start without TLS";
    "bob.test" "backup-cron" "GPL-3.0-or-later" Alpine BOTH ["1.0.0", "1.1.0", "1.2.0"], [], "restic on a schedule, with a health check that notices when it stops";
    "bob.test" "mailcatch" "MIT" Distroless AMD64 ["0.9.0", "1.0.0"], ["1025/tcp", "8025/tcp"], "Swallows all mail of a test environment and shows it";
    "carol.test" "notebook" "BSD-3-Clause" Debian AMD64 ["2026-05", "2026-07"], ["8888/tcp"], "Jupyter with the geodata stack preinstalled";
    "carol.test" "map-tiles" "ODbL-1.0" Alpine BOTH ["1.3.0", "1.4.0", "1.4.2"], ["8080/tcp"], "Vector tiles of Scandinavia, ready to serve";
    "dave.test" "irc-bouncer" "ISC" Alpine BOTH ["1.8.2", "1.9.0"], ["6697/tcp"], "soju, configured for a family";
    "erin.test" "linkcheck" "MIT" Distroless BOTH ["0.1.0", "0.2.0", "0.2.1", "0.3.0"], [], "Finds dead links in a static site before your readers do";
    "erin.test" "type-server" "OFL-1.1" Alpine AMD64 ["1.0", "1.1"], ["80/tcp"], "Self-hosted web fonts, subset on request";
    "harbour-lab.test" "nginx-hardened" "BSD-2-Clause" Alpine BOTH ["1.27.4", "1.28.0", "1.29.1"], ["8080/tcp"], "nginx without root, without modules you do not use, with sane headers";
    "harbour-lab.test" "prometheus-lite" "Apache-2.0" Distroless BOTH ["2.53.0", "3.1.0", "3.5.0"], ["9090/tcp"], "Prometheus for one machine, in 40 MB of memory";
    "harbour-lab.test" "node-exporter" "Apache-2.0" Distroless BOTH ["1.8.2", "1.9.1"], ["9100/tcp"], "Machine metrics";
    "harbour-lab.test" "loki-single" "AGPL-3.0-only" Distroless BOTH ["3.3.0", "3.5.1"], ["3100/tcp"], "Logs on a single node";
    "marlin-db.test" "marlin" "Apache-2.0" Debian BOTH ["0.14.0", "0.15.0", "0.16.0", "0.16.1"], ["5544/tcp"], "An embeddable time-series database with SQL";
    "marlin-db.test" "marlin-cli" "Apache-2.0" Distroless BOTH ["0.15.0", "0.16.0", "0.16.1"], [], "Command-line client for marlin";
    "marlin-db.test" "postgres-fdw" "PostgreSQL" Debian AMD64 ["16", "17"], ["5432/tcp"], "PostgreSQL with the marlin foreign data wrapper";
    "hanna.homelab.test" "home-dashboard" "MIT" Alpine BOTH ["5", "6", "7"], ["3000/tcp"], "One page for every box in the cupboard";
    "hanna.homelab.test" "dns-sinkhole" "EUPL-1.2" Alpine BOTH ["2026.4", "2026.6", "2026.7"], ["53/udp", "80/tcp"], "Network-wide ad blocking with lists that are checked in";
    "hanna.homelab.test" "photo-frame" "MIT" Debian BOTH ["0.7.0", "0.8.0"], ["8000/tcp"], "Turns an old tablet into a picture frame";
    "hanna.homelab.test" "zigbee-bridge" "GPL-3.0-only" Alpine BOTH ["2.1.0", "2.2.0"], ["8080/tcp"], "Zigbee to MQTT, without a cloud";
    "gamesbymo.test" "blockworld-server" "LGPL-2.1-or-later" Debian BOTH ["5.11.0", "5.12.0", "5.13.0"], ["30000/udp"], "A voxel game server with backups and a web map";
    "gamesbymo.test" "chess-arena" "AGPL-3.0-or-later" Alpine AMD64 ["0.5.0", "0.6.0"], ["9663/tcp"], "Bots play chess, people watch";
    "gamesbymo.test" "racing-lobby" "GPL-2.0-only" Debian AMD64 ["1.4", "1.5"], ["2759/udp"], "Dedicated server for a kart racer";
    "openferry.test" "ferry-api" "EUPL-1.2" Distroless BOTH ["3.0.0", "3.1.0", "3.2.0"], ["8080/tcp"], "Live timetables of Nordic ferries as GTFS and JSON";
    "openferry.test" "ferry-web" "EUPL-1.2" Alpine BOTH ["3.1.0", "3.2.0"], ["80/tcp"], "The departure boards at openferry";
    "openferry.test" "gtfs-validator" "Apache-2.0" Debian AMD64 ["6.0.0", "7.0.0"], [], "Checks a timetable before it is published";
    "juniper-tools.test" "jsonfmt" "MIT" Distroless BOTH ["1.0.0", "1.1.0", "1.2.0"], [], "Formats JSON, and nothing else";
    "juniper-tools.test" "csvq" "MIT" Distroless BOTH ["0.4.0", "0.5.0"], [], "SQL over CSV files from the command line";
    "juniper-tools.test" "git-mirror" "MPL-2.0" Alpine BOTH ["0.9.1", "0.10.0"], [], "Mirrors repositories between forges every few minutes";
    "tidewatch.test" "sensor-ingest" "Apache-2.0" Distroless BOTH ["1.12.0", "1.13.0", "1.14.0"], ["1883/tcp"], "Collects tide gauges over MQTT";
    "tidewatch.test" "forecast-model" "CC-BY-4.0" Debian AMD64 ["2026-06", "2026-07"], [], "Weights and runner of the surge forecast";
    "tidewatch.test" "grafana-boards" "AGPL-3.0-only" Alpine BOTH ["11.6.0", "12.1.0"], ["3000/tcp"], "Grafana with our dashboards baked in";
    "ravi.test" "rust-ci" "MIT" Debian BOTH ["1.86", "1.87", "1.88"], [], "Rust, clippy, nextest and a warm registry for CI";
    "ravi.test" "static-site" "0BSD" Distroless BOTH ["0.1.0"], ["8080/tcp"], "Serves a directory, in one small static binary";
    "lighthouse-ci.test" "runner" "Apache-2.0" Debian BOTH ["4.0.0", "4.1.0", "4.2.0"], [], "The agent that runs your jobs";
    "lighthouse-ci.test" "cache" "Apache-2.0" Distroless BOTH ["4.1.0", "4.2.0"], ["9000/tcp"], "A build cache that speaks S3 and Bazel";
};

/// Publishes the catalog: one push a version, `latest` moving along.
pub(crate) fn publish(publisher: &mut Publisher<'_>, cast: &Cast<'_>, seed: u64) -> Result<()> {
    for (place, entry) in CATALOG.iter().enumerate() {
        let owner = cast.did(entry.owner)?;
        let mut dice = Dice::new(seed, &format!("{}/{}", entry.owner, entry.name));
        // Versions weeks apart, the last within the final fortnight.
        let mut at = END - (1 + dice.below(14)) as u64 * DAY - dice.below(86_400) as u64 * 1_000_000;
        let hold = if place % 3 == 0 { HOLD_UNCRAWLED } else { HOLD_PUBLIC };
        for (index, version) in entry.versions.iter().enumerate().rev() {
            let target = Target { owner: &owner, repository: entry.name, hold, at };
            let latest = index + 1 == entry.versions.len();
            push(publisher, entry, version, &target, latest, &mut dice)?;
            at -= (10 + dice.below(30)) as u64 * DAY;
        }
        if place % 4 != 3 {
            page(publisher, entry, &owner, at, &mut dice)?;
        }
    }
    Ok(())
}

fn push(
    publisher: &mut Publisher<'_>,
    entry: &Entry,
    version: &str,
    target: &Target<'_>,
    latest: bool,
    dice: &mut Dice,
) -> Result<()> {
    let source = format!("https://git.{}/{}", entry.owner, entry.name);
    let about = [
        ("title", entry.name),
        ("description", entry.about),
        ("licenses", entry.license),
        ("source", &source),
        ("version", version),
    ];
    let annotations = annotations(&about);
    let (created, weight) = (datetime(target.at), 4_000 + dice.below(24_000));
    let greeting = format!("{} {version}: {}\n", entry.name, entry.about);
    let build = |architecture| Build {
        name: entry.name,
        version,
        greeting: &greeting,
        base: entry.base,
        architecture,
        created: &created,
        ports: entry.ports,
        annotations: &annotations,
        weight,
        docker: false,
    };
    let images = entry
        .architectures
        .iter()
        .map(|architecture| build(*architecture).image())
        .collect::<Result<Vec<Manifest>>>()?;
    let mut writes = images.iter().map(|image| publisher.manifest(target, image)).collect::<Result<Vec<Write>>>()?;
    let top = match images.as_slice() {
        [only] => only.blob.digest.clone(),
        several => {
            let platforms = several.iter().zip(entry.architectures);
            let descriptors: Vec<_> = platforms
                .map(|(image, architecture)| {
                    image.descriptor(serde_json::json!({"architecture": architecture, "os": "linux"}))
                })
                .collect();
            let index = oci::index(&descriptors, &annotations);
            writes.push(publisher.manifest(target, &index)?);
            index.blob.digest
        }
    };
    writes.push(tag(target, version, &top));
    writes.extend(latest.then(|| tag(target, "latest", &top)));
    // Semantic versions get their short form as well: 2.9.1 is also 2.9.
    let short = version.rsplit_once('.').map(|(short, _)| short).filter(|short| short.contains('.'));
    writes.extend(short.map(|short| tag(target, short, &top)));
    publisher.write(target.at, target.owner, writes);
    Ok(())
}

fn page(publisher: &mut Publisher<'_>, entry: &Entry, owner: &Did, at: u64, dice: &mut Dice) -> Result<()> {
    let text = pages::readme(entry, dice);
    let write = pages::page(publisher, owner, entry.name, &text, dice, at)?;
    publisher.write(at, owner, vec![write]);
    Ok(())
}
