//! A small network of publishers in a database of its own: what the tests look at, and what `examples/preview.rs` serves.

use chrono::{TimeDelta, Utc};
use crowsnest_web::{WebConfig, router};
use serde_json::{Value, json};
use service::postgres::testing::TestDatabase;
use store::{
    Reader, Writer,
    observe::{self, ActorSeen, BlobRole, ImageConfig, ManifestBytes, Referenced, Status},
};
use tokio_postgres::Client;
use types::{Batch, Change, Cid, Collection, CursorMove, Digest, Origin, Put, RecordId, Tid, Verification};

#[path = "seed_image.rs"]
mod image;

use image::Image;

pub const ALICE: &str = "did:plc:alice234567abcdefghijklm";
pub const FRANK: &str = "did:plc:frank234567abcdefghijklm";
pub const MALLORY: &str = "did:plc:mallory4567abcdefghijklm";
pub const ATTACK: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";

/// A filled index and what serves it.
pub struct Seeded {
    /// Dropped, and with it the database, when the test ends.
    _database: TestDatabase,
    pub client: Client,
    pub reader: Reader,
    /// The digest of alice's `hello:latest`.
    pub hello: Digest,
    /// The digest of alice's `multi:latest`, an index.
    pub multi: Digest,
}

impl Seeded {
    pub async fn new() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let generation = store::prepare(database.url()).await.unwrap();
        let writer = Writer::try_acquire(database.url(), generation).await.unwrap().unwrap();
        let reader = Reader::connect(database.url(), generation).await.unwrap();
        let client = store::connect(database.url(), Some(generation)).await.unwrap().client;
        let (changes, bytes, configs) = (Vec::new(), Vec::new(), Vec::new());
        let mut seeding = Seeding { writer, client, generation, changes, bytes, configs, clock: 0 };
        seeding.actors().await;
        let (hello, multi) = seeding.repositories().await;
        seeding.apply().await;
        store::search::settle(&mut seeding.client).await.unwrap();
        Self { _database: database, client: seeding.client, reader, hello, multi }
    }

    pub fn config() -> WebConfig {
        WebConfig {
            public_url: "http://127.0.0.1:5000".parse().unwrap(),
            version: "0.1.0".to_owned(),
            sources: vec!["wss://relay.test/xrpc/com.atproto.sync.subscribeRepos".parse().unwrap()],
            lag: None,
            outbound: None,
            freshness: Default::default(),
        }
    }

    /// Where its database is.
    pub fn url(&self) -> &str {
        self._database.url()
    }

    pub fn router(&self) -> axum::Router {
        router(Self::config(), self.reader.clone())
    }
}

struct Seeding {
    writer: Writer,
    client: Client,
    generation: i32,
    changes: Vec<Change>,
    bytes: Vec<ManifestBytes>,
    configs: Vec<ImageConfig>,
    clock: u64,
}

fn did(name: &str) -> String {
    match name {
        "alice" => ALICE.to_owned(),
        "frank" => FRANK.to_owned(),
        "mallory" => MALLORY.to_owned(),
        other => format!("did:plc:{other:a<24}"),
    }
}

fn ago(hours: i64) -> String {
    (Utc::now() - TimeDelta::hours(hours)).to_rfc3339()
}

impl Seeding {
    async fn actors(&mut self) {
        for name in ["alice", "bob", "carol", "dave", "erin", "frank", "mallory", "gone"] {
            let handle = (name != "frank").then(|| format!("{name}.test").parse().unwrap());
            let status = if name == "gone" { (false, "deactivated") } else { (true, "active") };
            self.actor(&did(name), handle, Status { active: status.0, name: status.1.to_owned() }).await;
        }
        for hold in ["did:web:hold.test", "did:web:private.test", "did:web:down.test"] {
            self.actor(hold, None, Status { active: true, name: "active".to_owned() }).await;
        }
        let hold = |text: &str| text.parse().unwrap();
        observe::hold_health(&self.client, &hold("did:web:hold.test"), None).await.unwrap();
        observe::hold_health(&self.client, &hold("did:web:private.test"), None).await.unwrap();
        observe::hold_health(&self.client, &hold("did:web:down.test"), Some("connection refused")).await.unwrap();
        let earlier = "UPDATE hold_health SET since = now() - interval '3 hours' WHERE NOT reachable";
        self.client.execute(earlier, &[]).await.unwrap();
    }

    async fn actor(&mut self, did: &str, handle: Option<types::Handle>, status: Status) {
        let seen = ActorSeen {
            did: did.parse().unwrap(),
            handle,
            pds: Some("https://pds.test".to_owned()),
            hold_endpoint: did.strip_prefix("did:web:").map(|host| format!("https://{host}")),
            status: Some(status),
        };
        observe::actor(&mut self.client, &seen, self.generation).await.unwrap();
    }

    async fn repositories(&mut self) -> (Digest, Digest) {
        for (hold, public) in
            [("did:web:hold.test", true), ("did:web:private.test", false), ("did:web:down.test", true)]
        {
            let captain = json!({ "$type": "io.atcr.hold.captain", "owner": did("alice"), "public": public,
                                  "allowAllCrew": true, "enableBlueskyPosts": false, "deployedAt": ago(9_000) });
            self.put(hold, Collection::Captain, "self", captain);
        }
        let old = self.image(Image::of("alice", "hello").tags(&["v1", "1.0.0"]).hours(2_200)).await;
        let hello = self.image(Image::of("alice", "hello").tags(&["latest", "v2"]).hours(3).layers(4)).await;
        assert_ne!(old, hello);
        self.page("alice", "hello", HELLO_README);
        let multi = self.multi().await;
        self.image(
            Image::of("bob", "chart").tags(&["0.3.1"]).hours(50).config("application/vnd.cncf.helm.config.v1+json"),
        )
        .await;
        let signed = self.image(Image::of("bob", "signed").tags(&["latest"]).hours(70)).await;
        self.image(
            Image::of("bob", "signed")
                .tags(&[&format!("sha256-{}.sig", signed.hex())])
                .hours(69)
                .config("application/vnd.dev.cosign.artifact.sig.v1+json")
                .subject(&signed),
        )
        .await;
        self.image(Image::of("carol", "private").tags(&["latest"]).hours(30).hold("did:web:private.test")).await;
        self.image(Image::of("dave", "legacy").tags(&["latest"]).hours(20_000).hold("did:web:down.test")).await;
        self.image(Image::of("erin", "team/app").tags(&["latest", "edge"]).hours(12).layers(7)).await;
        self.image(Image::of("erin", "MyApp").tags(&["latest"]).hours(13)).await;
        self.image(Image::of("frank", "tool").tags(&["latest"]).hours(100)).await;
        self.image(Image::of("gone", "hidden").tags(&["latest"]).hours(5)).await;
        for n in 0..60 {
            self.image(Image::of("erin", "many").tags(&[&format!("v1.{n}.0")]).hours(200 + n)).await;
        }
        self.image(Image::of("erin", "versions").tags(&["1.0"]).hours(300).layers(3).base(2)).await;
        self.image(Image::of("erin", "versions").tags(&["1.1"]).hours(290).layers(4).base(2).variable("FEATURE=on"))
            .await;
        self.image(Image::of("mallory", ATTACK.replace('/', "|").as_str()).tags(&["latest"]).hours(400).text(ATTACK))
            .await;
        self.page("mallory", &ATTACK.replace('/', "|"), &format!("# {ATTACK}\n\n[x](javascript:alert(1))\n"));
        self.image(Image::of("mallory", "\u{202e}olleh").tags(&["latest"]).hours(401)).await;
        for (n, who) in ["alice", "bob", "carol", "dave", "erin"].into_iter().enumerate() {
            let subject = format!("at://{ALICE}/io.atcr.repo.page/hello");
            let star = json!({ "$type": "io.atcr.sailor.star", "subject": subject, "createdAt": ago(10) });
            self.put(&did(who), Collection::Star, &format!("star{n}"), star);
        }
        let stats = json!({ "$type": "io.atcr.hold.stats", "ownerDid": ALICE, "repository": "hello", "pullCount": 12_345,
                            "pushCount": 7, "updatedAt": ago(1) });
        self.put("did:web:hold.test", Collection::HoldStats, "stats", stats);
        (hello, multi)
    }

    async fn multi(&mut self) -> Digest {
        let mut children = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let child = self.image(Image::of("alice", "multi").hours(8).architecture(architecture)).await;
            children.push((child, architecture, "linux"));
        }
        let attestation = self.image(Image::of("alice", "multi").hours(8).config("application/vnd.in-toto+json")).await;
        children.push((attestation, "unknown", "unknown"));
        let entries: Vec<Value> = children
            .iter()
            .map(|(digest, architecture, os)| {
                json!({ "mediaType": IMAGE, "digest": digest, "size": 500,
                                                       "platform": { "architecture": architecture, "os": os } })
            })
            .collect();
        let bytes = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }).to_string().into_bytes();
        let digest = Digest::sha256(&bytes);
        let references = children
            .iter()
            .map(|(digest, architecture, os)| Referenced {
                role: BlobRole::Manifest,
                digest: digest.clone(),
                media_type: IMAGE.to_owned(),
                size: 500,
                platform: Some(((*os).to_owned(), (*architecture).to_owned(), None)),
                annotations: Default::default(),
            })
            .collect();
        self.bytes(&digest, INDEX, None, references, bytes);
        let about = json!({ "org.opencontainers.image.description": "One name for two architectures" });
        let record = json!({ "$type": "io.atcr.manifest", "repository": "multi", "digest": digest, "mediaType": INDEX,
                             "schemaVersion": 2, "holdDid": "did:web:hold.test", "manifests": entries,
                             "annotations": about, "createdAt": ago(8) });
        self.put(ALICE, Collection::Manifest, digest.hex(), record);
        self.tag(ALICE, "multi", "latest", &digest, 8);
        digest
    }

    async fn image(&mut self, image: Image) -> Digest {
        let config = image.config_bytes();
        let config_digest = Digest::sha256(&config);
        let layers = image.blobs();
        let blobs: Vec<Value> =
            layers.iter().map(|(digest, size)| json!({ "mediaType": LAYER, "digest": digest, "size": size })).collect();
        let config_ref = json!({ "mediaType": image.config, "digest": config_digest, "size": config.len() });
        let subject =
            image.subject.as_ref().map(|subject| json!({ "mediaType": IMAGE, "digest": subject, "size": 500 }));
        let mut manifest = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config_ref, "layers": blobs });
        if let Some(subject) = &subject {
            manifest["subject"] = subject.clone();
        }
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::sha256(&bytes);
        let reference = |role, digest: &Digest, media_type: &str, size| Referenced {
            role,
            digest: digest.clone(),
            media_type: media_type.to_owned(),
            size,
            platform: None,
            annotations: Default::default(),
        };
        let size = i64::try_from(config.len()).unwrap();
        let mut references = vec![reference(BlobRole::Config, &config_digest, &image.config, size)];
        references.extend(layers.iter().map(|(digest, size)| reference(BlobRole::Layer, digest, LAYER, *size)));
        self.bytes(&digest, IMAGE, image.subject.clone(), references, bytes);
        if image.config == CONFIG {
            self.config(config_digest, &image.architecture, config);
        }
        let mut record = json!({
            "$type": "io.atcr.manifest", "repository": image.repository, "digest": digest, "mediaType": IMAGE,
            "schemaVersion": 2, "holdDid": image.hold, "config": config_ref, "layers": blobs,
            "annotations": image.annotations(), "createdAt": ago(image.hours),
        });
        if let Some(subject) = subject {
            record["subject"] = subject;
        }
        let owner = did(&image.owner);
        self.put(&owner, Collection::Manifest, digest.hex(), record);
        for (n, tag) in (0..).zip(&image.tags) {
            self.tag(&owner, &image.repository, tag, &digest, image.hours + n);
        }
        digest
    }

    fn bytes(
        &mut self,
        digest: &Digest,
        media_type: &str,
        subject: Option<Digest>,
        references: Vec<Referenced>,
        bytes: Vec<u8>,
    ) {
        let manifest = ManifestBytes {
            digest: digest.clone(),
            media_type: Some(media_type.to_owned()),
            artifact_type: None,
            subject,
            references,
            bytes,
        };
        self.bytes.push(manifest);
    }

    fn config(&mut self, digest: Digest, architecture: &str, bytes: Vec<u8>) {
        let config = ImageConfig {
            digest,
            os: Some("linux".to_owned()),
            architecture: Some(architecture.to_owned()),
            variant: None,
            created_at: None,
            bytes,
        };
        self.configs.push(config);
    }

    fn tag(&mut self, owner: &str, repository: &str, tag: &str, digest: &Digest, hours: i64) {
        let record = json!({ "$type": "io.atcr.tag", "repository": repository, "tag": tag, "updatedAt": ago(hours),
                             "manifest": format!("at://{owner}/io.atcr.manifest/{}", digest.hex()) });
        let rkey = format!("t{}", Digest::sha256(format!("{repository}:{tag}").as_bytes()).hex());
        self.put(owner, Collection::Tag, &rkey, record);
    }

    fn page(&mut self, owner: &str, repository: &str, readme: &str) {
        let record = json!({ "$type": "io.atcr.repo.page", "repository": repository, "description": readme,
                             "createdAt": ago(100), "updatedAt": ago(9) });
        let rkey = format!("p{}", Digest::sha256(repository.as_bytes()).hex());
        self.put(&did(owner), Collection::Page, &rkey, record);
    }

    fn put(&mut self, did: &str, collection: Collection, rkey: &str, record: Value) {
        self.clock += 1;
        let raw = record.to_string().into_bytes();
        let cid = types::record_cid(&record).unwrap_or_else(|_| Cid::of_block(&raw));
        let id = RecordId { did: did.parse().unwrap(), collection, rkey: rkey.parse().unwrap() };
        let put = Put::decode(
            id,
            Tid::from_micros(1_700_000_000_000_000 + self.clock, 0),
            cid,
            raw.into(),
            Verification::CidChecked,
        );
        assert!(put.record.is_ok(), "{:?}", put.record);
        self.changes.push(Change::Put(Box::new(put)));
    }

    async fn apply(&mut self) {
        let cursor = CursorMove {
            source: "wss://jetstream.test/subscribe".to_owned(),
            to: Utc::now().timestamp_micros(),
            safe_time: Some(Utc::now().timestamp_micros()),
        };
        let changes = std::mem::take(&mut self.changes);
        let batch = Batch { changes, cursor: Some(cursor), ..Batch::new(Origin::Stream) };
        let applied = self.writer.apply(batch).await.unwrap();
        assert_eq!(applied.refused, 0);
        for manifest in &self.bytes {
            observe::manifest_bytes(&mut self.client, manifest).await.unwrap();
        }
        for config in &self.configs {
            observe::image_config(&self.client, config).await.unwrap();
        }
    }
}

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

const HELLO_README: &str = "# hello\n\nA greeting in **one static binary**, the smallest image that says anything at all.\n\n\
## Use\n\n```sh\ndocker run --rm 127.0.0.1:5000/alice.test/hello\n```\n\n\
| Tag | What it greets |\n|---|---|\n| `latest` | the world |\n| `v1` | whoever runs it |\n\n\
It is built from [source](https://example.com/alice/hello) on every push.\n\n\
- no shell\n- no libc\n- one layer that matters\n\n> Small images are kind to everyone who pulls them.\n\n\
![build](https://img.example.com/badge.svg)\n";
