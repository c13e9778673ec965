//! The index that is pulled from: as the indexer makes it of records, without a network.

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use indexer::{Gathering, Intake};
use serde_json::{Value, json};
use service::config::SourceKind;
use store::{
    Writer,
    observe::{self, ActorSeen, Status},
};
use tokio::sync::mpsc;
use types::{Did, Tid, oci, record_cid};

use super::image::{Image, MANIFEST};
use crate::{
    dice::Dice,
    server::{Database, Server},
};

const OWNERS: usize = 50;
/// Of the same repository.
const TOGETHER: usize = 10;
/// Manifests of usual size, each of which is asked for once while nothing is cached.
pub const COLD: usize = 2_000;
/// Manifests so large that together they do not fit into the cache of 64 MiB.
const LARGE: usize = 4_500;
const LARGER: usize = 16 << 10;

/// A filled database, and what is in it.
pub struct Seed {
    pub database: Database,
    /// That which everybody asks for.
    pub hot: Image,
    /// Where the registry has it.
    pub by_digest: String,
    pub by_tag: String,
    /// Paths and digests of the manifests of usual size.
    pub cold: Vec<(String, String)>,
    /// Paths of manifests by digest and by tag, all different.
    pub many: Vec<String>,
}

/// Fills a database.
pub async fn plant(server: &Server) -> Result<Seed> {
    let mut database = server.database("pull").await?;
    let mut dice = Dice::new(5);
    let owners: Vec<String> = (0..OWNERS).map(|_| format!("did:plc:{}", &dice.hex()[..24])).collect();
    let images: Vec<Image> =
        (0..COLD + LARGE).map(|n| Image::new(&mut dice, if n < COLD { 0 } else { LARGER })).collect();
    let places: Vec<Place> = (0..images.len()).map(|n| Place::of(n, &owners)).collect();
    index(&database, &images, &places).await?;
    observe(&mut database, &owners, &images).await?;
    // Nobody is there for jobs to ask.
    database.client.batch_execute("DELETE FROM job; ANALYZE").await?;
    database.settle().await?;
    let path = |n: usize, reference: &str| format!("/v2/{}/manifests/{reference}", places[n].name());
    let by_digest = |n: usize| path(n, images[n].digest.as_str());
    let by_tag = |n: usize| path(n, &places[n].tag);
    let seed = Seed {
        by_digest: by_digest(0),
        by_tag: by_tag(0),
        cold: (1..COLD).map(|n| (by_digest(n), images[n].digest.to_string())).collect(),
        many: (1..images.len()).map(|n| if n % 2 == 0 { by_digest(n) } else { by_tag(n) }).collect(),
        hot: images.into_iter().next().context("no images")?,
        database,
    };
    Ok(seed)
}

/// Where an image is published.
struct Place {
    did: String,
    owner: usize,
    repository: String,
    tag: String,
}

impl Place {
    fn of(n: usize, owners: &[String]) -> Self {
        let owner = n / TOGETHER % OWNERS;
        Self {
            did: owners[owner].clone(),
            owner,
            repository: format!("app-{}", n / TOGETHER),
            tag: format!("v{}", n % TOGETHER),
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", handle(self.owner), self.repository)
    }
}

fn handle(owner: usize) -> String {
    format!("owner-{owner}.example.com")
}

/// Applies the records of images and tags.
async fn index(database: &Database, images: &[Image], places: &[Place]) -> Result<()> {
    let mut writer = Writer::try_acquire(&database.url, database.generation).await?.context("another writer")?;
    let intake = Intake::default();
    let (sender, mut steps) = mpsc::channel(images.len() * 2);
    let begin = Utc::now().timestamp_micros() - 3_600_000_000;
    for (frame, time) in images.iter().zip(places).flat_map(|(image, place)| records(image, place)).zip(begin..) {
        let step = intake.text(SourceKind::JetstreamV1, &frame.at(time), Utc::now().timestamp_micros().unsigned_abs());
        sender.try_send(step.context("a record was not taken")?).ok().context("too many records")?;
    }
    drop(sender);
    let mut next = Gathering::default();
    while let Some(step) = steps.recv().await {
        next.gather(step, &mut steps);
        writer.apply(next.take()).await?;
    }
    let refused: i64 = writer.client().query_one("SELECT count(*) FROM reject", &[]).await?.get(0);
    ensure!(refused == 0, "{refused} records were refused");
    Ok(())
}

struct Frame<'a> {
    did: &'a str,
    collection: &'static str,
    rkey: String,
    record: Value,
}

impl Frame<'_> {
    /// As Jetstream sends it at a time, in microseconds since 1970.
    fn at(&self, time: i64) -> String {
        let Frame { did, collection, rkey, record } = self;
        let rev = Tid::from_micros(time.unsigned_abs(), 0).to_string();
        let cid = record_cid(record).map(|cid| cid.to_string()).unwrap_or_default();
        let commit = json!({"rev": rev, "operation": "create", "collection": collection, "rkey": rkey, "record": record, "cid": cid});
        json!({"did": did, "time_us": time, "kind": "commit", "commit": commit}).to_string()
    }
}

/// The record of a manifest, and of its tag.
fn records<'a>(image: &Image, place: &'a Place) -> [Frame<'a>; 2] {
    let Place { did, repository, tag, .. } = place;
    let (hex, at) = (image.digest.hex().to_owned(), "2026-11-01T12:00:00Z");
    let manifest = json!({
        "$type": "io.atcr.manifest", "repository": repository, "digest": image.digest, "mediaType": MANIFEST,
        "schemaVersion": 2, "holdDid": "did:web:hold.example.com", "config": image.document["config"],
        "layers": image.document["layers"], "createdAt": at});
    let pointing = json!({
        "$type": "io.atcr.tag", "repository": repository, "tag": tag, "updatedAt": at,
        "manifest": format!("at://{did}/io.atcr.manifest/{hex}")});
    [
        Frame { did, collection: "io.atcr.manifest", rkey: hex, record: manifest },
        Frame { did, collection: "io.atcr.tag", rkey: format!("{repository}_{tag}"), record: pointing },
    ]
}

/// What jobs would find out: whose accounts these are, and the manifests' bytes.
async fn observe(database: &mut Database, owners: &[String], images: &[Image]) -> Result<()> {
    let (client, generation) = (&mut database.client, database.generation);
    // Whether these survive a power cut is nobody's concern.
    client.batch_execute("SET synchronous_commit = off").await?;
    for (n, did) in owners.iter().enumerate() {
        let seen = ActorSeen {
            did: did.parse::<Did>()?,
            handle: Some(handle(n).parse()?),
            pds: Some("http://127.0.0.1:9".to_owned()),
            hold_endpoint: None,
            status: Some(Status { active: true, name: "active".to_owned() }),
        };
        observe::actor(client, &seen, generation).await?;
    }
    for image in images {
        observe::manifest_bytes(client, &oci::manifest_bytes(&image.digest, &image.bytes)?).await?;
    }
    let kept: i64 = client.query_one("SELECT count(*) FROM manifest_bytes", &[]).await?.get(0);
    ensure!(kept == images.len() as i64, "{kept} manifests of {} are there", images.len());
    Ok(())
}
