//! A large index out of nothing: N repositories as the indexer and its jobs would leave them, by `COPY` into the projected tables,
//! and not by records. The same in every run.

use std::fmt::Write as _;

use anyhow::Result;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::SinkExt as _;
use serde_json::json;
use tokio_postgres::Client;

use crate::dice::Dice;

/// How many repositories are made before they are copied.
const CHUNK: usize = 10_000;
/// Repositories of one owner.
const OF_ONE_OWNER: usize = 3;
const HOLDS: usize = 50;
/// Distinct words of names and descriptions.
const WORDS: usize = 30_000;
/// What a third of all descriptions says.
pub const COMMON: &str = "linux";
/// Words as people use them, the most frequent first.
const KNOWN: [&str; 40] = [
    "server",
    "image",
    "container",
    "tools",
    "client",
    "proxy",
    "service",
    "base",
    "build",
    "runtime",
    "database",
    "web",
    "api",
    "cache",
    "queue",
    "worker",
    "backup",
    "metrics",
    "gateway",
    "monitor",
    "python",
    "node",
    "rust",
    "golang",
    "nginx",
    "postgres",
    "redis",
    "alpine",
    "debian",
    "ubuntu",
    "kafka",
    "mail",
    "photo",
    "music",
    "video",
    "search",
    "agent",
    "operator",
    "exporter",
    "scanner",
];
const PLATFORMS: [(&str, &str); 4] = [("linux", "amd64"), ("linux", "arm64"), ("linux", "arm"), ("windows", "amd64")];
const LICENSES: [&str; 5] = ["MIT", "Apache-2.0", "GPL-3.0-only", "BSD-3-Clause", "MPL-2.0"];
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const CHART: &str = "application/vnd.cncf.helm.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Arguments of `catalogue`.
#[derive(clap::Args)]
pub struct CatalogueArgs {
    /// An empty database of a server that is there
    #[arg(long, value_name = "URL")]
    database_url: String,

    /// How many repositories; with 0, only what searching needs is made anew
    #[arg(long, default_value_t = 10_000)]
    count: usize,
}

/// Makes the tables in a database and fills them, with what searching needs.
pub async fn run(args: &CatalogueArgs) -> Result<()> {
    let generation = store::prepare(&args.database_url).await?;
    let mut client = store::connect(&args.database_url, Some(generation)).await?.client;
    let began = std::time::Instant::now();
    fill(&client, args.count, args.count).await?;
    println!("{} repositories in {:.1} s", args.count, began.elapsed().as_secs_f64());
    store::search::build(&mut client).await?;
    println!("searchable after {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// What a repository is called, and what was published in it.
#[derive(Clone, Debug)]
pub struct Place {
    /// The owner's DID.
    pub did: String,
    /// The owner's handle.
    pub handle: String,
    /// The repository's name.
    pub name: String,
    /// The digest of its one manifest.
    pub digest: String,
    /// What the description says.
    pub description: String,
}

/// Makes repositories, the same ones for the same number.
pub struct Catalogue {
    dice: Dice,
    words: Vec<String>,
    made: usize,
    now: DateTime<Utc>,
    /// Far enough ahead that no indexer looks again while something is measured.
    checked: String,
    taken: Vec<String>,
    did: String,
    handle: String,
    tables: [(&'static str, String); 11],
}

/// Fills the tables of a generation that a connection sees with `count` repositories, and returns every `each`-th of them.
/// What search derives is not made here.
pub async fn fill(client: &Client, count: usize, each: usize) -> Result<Vec<Place>> {
    client.batch_execute("SET synchronous_commit = off").await?;
    let mut catalogue = Catalogue::new(11);
    let mut sample = Vec::new();
    catalogue.shared();
    while catalogue.made < count {
        let place = catalogue.repository();
        if (catalogue.made - 1).is_multiple_of(each) {
            sample.push(place);
        }
        if catalogue.made.is_multiple_of(CHUNK) || catalogue.made == count {
            catalogue.copy(client).await?;
        }
    }
    client.batch_execute("VACUUM ANALYZE").await?;
    client.batch_execute("CHECKPOINT").await?;
    Ok(sample)
}

/// Adds one more owner to such a generation, with many repositories.
pub async fn large_owner(client: &Client, repositories: usize) -> Result<Vec<Place>> {
    let mut catalogue = Catalogue::new(12);
    catalogue.did = format!("did:plc:{}", &catalogue.dice.hex()[..24]);
    catalogue.handle = "large.example.com".to_owned();
    catalogue.account(repositories);
    let places = (0..repositories).map(|_| catalogue.place()).collect();
    catalogue.copy(client).await?;
    Ok(places)
}

impl Catalogue {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let known = KNOWN.iter().map(|word| (*word).to_owned());
        let mut words: Vec<String> = known.collect();
        while words.len() < WORDS {
            words.push(word(&mut dice));
        }
        let table = |name| (name, String::new());
        Self {
            dice,
            words,
            made: 0,
            now: Utc::now(),
            checked: (Utc::now() + TimeDelta::hours(6)).to_rfc3339(),
            taken: Vec::new(),
            did: String::new(),
            handle: String::new(),
            tables: [
                table("actor (did, handle, handle_checked_at, pds, active, status, status_checked_at)"),
                table("image_config (digest, os, architecture, bytes)"),
                table("hold (did, collection, rkey, hold, owner, captain, public, allow_all_crew)"),
                table("record (did, collection, rkey, rev, cid, state, decoder, raw, verification)"),
                table("fingerprint (did, sum, live)"),
                table(
                    "manifest (did, rkey, repository, digest, media_type, kind, hold, config_digest, config_media_type,
                               size, annotations, created_at)",
                ),
                table("layer (did, rkey, position, digest, media_type, size)"),
                table("tag (did, rkey, repository, tag, manifest_rkey, manifest_digest, updated_at)"),
                table("page (did, rkey, repository, description, summary, updated_at)"),
                table(
                    "repository (did, name, pullable, manifests, tags, pages, stars, title, summary, licenses, source,
                                 latest_tag, latest_digest, created_at, updated_at, search)",
                ),
                table("pull_count (did, repository, tag, pulls, last_pull_at)"),
            ],
        }
    }

    /// Adds a row to a table, in the text form of `COPY`.
    fn row(&mut self, table: &str, values: &[&str]) {
        let found = self.tables.iter_mut().find(|(name, _)| name.split(' ').next() == Some(table));
        if let Some((_, rows)) = found {
            rows.push_str(&values.join("\t"));
            rows.push('\n');
        }
    }

    /// Holds, and the configurations that images share.
    fn shared(&mut self) {
        let (now, checked) = (self.now.to_rfc3339(), self.checked.clone());
        for (n, (os, architecture)) in PLATFORMS.iter().enumerate() {
            self.row("image_config", &[&config(n), os, architecture, "{}"]);
        }
        for n in 0..HOLDS {
            let (did, public) = (hold(n), if n % 5 == 0 { "f" } else { "t" });
            self.row("hold", &[&did, "io.atcr.hold.captain", "self", &did, &hold(0), "t", public, "t"]);
            self.row("actor", &[&did, "\\N", &checked, "\\N", "t", "active", &now]);
        }
    }

    fn owner(&mut self) {
        let n = self.made / OF_ONE_OWNER;
        self.did = format!("did:plc:{}", &self.dice.hex()[..24]);
        self.handle = format!("{}{n}.example.com", self.frequent());
        self.account(OF_ONE_OWNER);
    }

    /// The rows of an owner with so many repositories.
    fn account(&mut self, repositories: usize) {
        self.taken.clear();
        let (now, sum) = (self.now.to_rfc3339(), format!("\\\\x{}", self.dice.hex()));
        let (did, handle, checked) = (self.did.clone(), self.handle.clone(), self.checked.clone());
        self.row("actor", &[&did, &handle, &checked, "http://127.0.0.1:9", "t", "active", &now]);
        self.row("fingerprint", &[&did, &sum, &repositories.to_string()]);
    }

    /// A word: the n-th is about n times as rare as the first.
    fn frequent(&mut self) -> String {
        let bound = 1 + self.dice.below(self.words.len());
        let at = self.dice.below(bound) * self.dice.below(bound) / bound;
        self.words[at].clone()
    }

    fn text(&mut self, words: usize) -> String {
        let mut text = String::new();
        for _ in 0..words {
            let word = self.frequent();
            text.push_str(if text.is_empty() { "" } else { " " });
            text.push_str(&word);
        }
        text
    }

    fn repository(&mut self) -> Place {
        if self.made.is_multiple_of(OF_ONE_OWNER) {
            self.owner();
        }
        self.place()
    }

    /// Another repository of the owner.
    fn place(&mut self) -> Place {
        self.made += 1;
        let name = loop {
            let name = match self.dice.below(3) {
                0 => self.frequent(),
                _ => format!("{}-{}", self.frequent(), self.frequent()),
            };
            if !self.taken.contains(&name) {
                break name;
            }
        };
        self.taken.push(name.clone());
        let mut description = {
            let words = 5 + self.dice.below(6);
            self.text(words)
        };
        if self.dice.below(3) == 0 {
            write!(description, " for {COMMON}").ok();
        }
        let hex = self.dice.hex();
        let place = Place {
            did: self.did.clone(),
            handle: self.handle.clone(),
            digest: format!("sha256:{hex}"),
            name,
            description,
        };
        self.rows(&place, &hex);
        place
    }

    fn rows(&mut self, place: &Place, hex: &str) {
        let Place { did, name, digest, description, .. } = place;
        let age = i64::try_from(self.dice.below(1_000) * self.dice.below(1_000)).unwrap_or_default();
        let at = (self.now - TimeDelta::minutes(10 + age)).to_rfc3339();
        let (chart, platform) = (self.dice.below(12) == 0, [0, 0, 0, 1, 1, 2, 3][self.dice.below(7)]);
        let (license, hold) = (*self.dice.pick(&LICENSES), hold(self.dice.below(HOLDS)));
        let source = format!("https://git.example/{name}");
        let annotations = json!({
            "org.opencontainers.image.title": name, "org.opencontainers.image.description": description,
            "org.opencontainers.image.licenses": license, "org.opencontainers.image.source": source})
        .to_string();
        let (config, kind) = (config(platform), if chart { CHART } else { CONFIG });
        let size = (1_000_000 + self.dice.below(1 << 28)).to_string();
        let manifest = [did, hex, name, digest, MANIFEST, "image", &hold, &config, kind, &size, &annotations, &at];
        self.row("manifest", &manifest);
        for n in ["0", "1"] {
            let layer = format!("sha256:{}", self.dice.hex());
            self.row("layer", &[did, hex, n, &layer, LAYER, "4700000"]);
        }
        let (rev, cid) = ("3lbhnorauo22a", format!("\\\\x01711220{hex}"));
        let raw = annotations.replace('\\', "\\\\");
        self.row("record", &[did, "io.atcr.manifest", hex, rev, &cid, "ok", "1", &raw, "cid-checked"]);
        for tag in ["latest", "v1"] {
            self.row("tag", &[did, &format!("{name}_{tag}"), name, tag, hex, digest, &at]);
        }
        let has_page = self.dice.below(5) == 0;
        if has_page {
            let words = 20 + self.dice.below(40);
            let readme = format!("# {name}\\n\\n{}.", self.text(words));
            self.row("page", &[did, name, name, &readme, description, &at]);
        }
        // Most have no star and few have many.
        let stars = match self.dice.below(1_000) {
            0 => self.dice.below(5_000),
            1..20 => self.dice.below(200),
            20..200 => self.dice.below(8),
            _ => 0,
        };
        let search = format!("{name} {description}");
        let (pages, stars) = (u8::from(has_page).to_string(), stars.to_string());
        let repository = [
            did,
            name,
            "t",
            "1",
            "2",
            &pages,
            &stars,
            name,
            description,
            license,
            &source,
            "latest",
            digest,
            &at,
            &at,
            &search,
        ];
        self.row("repository", &repository);
        if self.dice.below(4) == 0 {
            let bound = 1 + self.dice.below(20_000);
            let pulls = (1 + self.dice.below(bound)).to_string();
            self.row("pull_count", &[did, name, "", &pulls, &at]);
        }
    }

    async fn copy(&mut self, client: &Client) -> Result<()> {
        for (table, rows) in &mut self.tables {
            let sink = client.copy_in(&format!("COPY {table} FROM STDIN")).await?;
            futures::pin_mut!(sink);
            sink.send(Bytes::from(std::mem::take(rows))).await?;
            sink.finish().await?;
        }
        Ok(())
    }
}

fn hold(n: usize) -> String {
    format!("did:web:hold{n:02}.example")
}

fn config(n: usize) -> String {
    format!("sha256:{n:064}")
}

/// Something that can be said aloud.
fn word(dice: &mut Dice) -> String {
    const ONSETS: [&str; 20] =
        ["b", "br", "c", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "v", "z"];
    const VOWELS: [&str; 7] = ["a", "e", "i", "o", "u", "ai", "ou"];
    const CODAS: [&str; 8] = ["", "", "n", "r", "s", "l", "x", "nd"];
    (0..2 + dice.below(2))
        .map(|_| format!("{}{}{}", dice.pick(&ONSETS), dice.pick(&VOWELS), dice.pick(&CODAS)))
        .collect()
}
