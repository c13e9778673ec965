//! A registry on a database of its own, with a writer that empties the inbox as the indexer does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use futures::TryStreamExt as _;
use http_body_util::BodyExt as _;
use outbound::{Outbound, OutboundConfig, Resolver, ResolverConfig};
use serde_json::{Value, json};
use service::{client::Client, config::Blobs, postgres::testing::TestDatabase};
use store::{Writer, archive, freshness, inbox, observe};
use tempfile::TempDir;
use tokio::{
    sync::Mutex,
    task::{AbortHandle, spawn},
};
use tower::ServiceExt as _;
use types::{
    Batch, Change, Cid, Did, Digest, ManifestMediaType, Origin, Put, RecordId, Tid, Verification, oci, record_cid,
};

use super::network::Network;
use crate::{Limits, Patience, Registry, RegistryConfig, router};

pub struct App {
    pub network: Network,
    pub registry: Arc<Registry>,
    writer: Arc<Mutex<Writer>>,
    indexing: AbortHandle,
    clock: AtomicU64,
    database: TestDatabase,
    /// Where the token key is.
    _folder: TempDir,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks that this is an error as the protocol wants it, and gives its message.
    pub fn refusal(&self, status: u16, code: &str) -> String {
        let error = &self.json()["errors"][0];
        let message = error["message"].as_str().unwrap().to_owned();
        assert_eq!((self.status.as_u16(), error["code"].as_str()), (status, Some(code)), "{message}");
        assert_eq!(self.header("content-type"), "application/json");
        message
    }
}

impl App {
    pub async fn start() -> Self {
        Self::start_as(|_| {}).await
    }

    /// With another configuration than usual.
    pub async fn start_as(change: impl FnOnce(&mut RegistryConfig)) -> Self {
        let database = TestDatabase::create().await.unwrap();
        let generation = store::prepare(database.url()).await.unwrap();
        let network = Network::start().await;
        let folder = tempfile::tempdir().unwrap();
        let outbound = Outbound::new(&OutboundConfig {
            allow_private_network: true,
            contact: "https://crowsnest.test/about".into(),
        })
        .unwrap();
        let resolver = Resolver::new(
            outbound.clone(),
            &ResolverConfig { plc_url: network.url.clone(), handle_resolver_url: Some(network.url.clone()) },
        )
        .unwrap();
        let mut config = RegistryConfig {
            public_url: "http://127.0.0.1:5000".parse().unwrap(),
            database_url: database.url().to_owned(),
            generation,
            token_key: Some(folder.path().join("token.key")),
            blobs: Blobs::Redirect,
            limits: Limits::NONE,
            blobs_at_once: 4,
            patience: Patience {
                identity: Duration::from_secs(2),
                hold: Duration::from_millis(500),
                hold_pause: Duration::from_secs(1),
                turn: Duration::from_millis(300),
                ..Patience::default()
            },
        };
        change(&mut config);
        let registry = Registry::open(config, outbound, resolver).await.unwrap();
        let writer = Writer::try_acquire(database.url(), generation).await.unwrap().unwrap();
        let writer = Arc::new(Mutex::new(writer));
        let indexing = spawn(empty_inbox(writer.clone())).abort_handle();
        Self { network, registry, writer, indexing, clock: AtomicU64::new(1), database, _folder: folder }
    }

    /// A connection of a test's own.
    pub async fn client(&self) -> store::Connection {
        store::connect(self.database.url(), Some(1)).await.unwrap()
    }

    /// From here on nothing that is left in the inbox is indexed.
    pub fn stop_indexing(&self) {
        self.indexing.abort();
    }

    /// Another process on the same index.
    pub async fn another(&self) -> Arc<Registry> {
        let Registry { config, outbound, resolver, .. } = &*self.registry;
        Registry::open(config.clone(), outbound.clone(), resolver.clone()).await.unwrap()
    }

    /// From here on the writer's heart beats, as the indexer's does, and what was served is kept at hand.
    pub async fn beat(&self) -> AbortHandle {
        let client = store::connect(self.database.url(), None).await.unwrap().client;
        let beating = async move {
            loop {
                freshness::beat(&client).await.unwrap();
                tokio::time::sleep(freshness::HEARTBEAT).await;
            }
        };
        spawn(beating).abort_handle()
    }

    pub async fn request(&self, request: Request<Body>) -> Answer {
        Self::request_to(&self.registry, request).await
    }

    pub async fn request_to(registry: &Arc<Registry>, request: Request<Body>) -> Answer {
        let response = router(registry.clone()).oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        for (name, value) in [
            ("docker-distribution-api-version", "registry/2.0"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; sandbox"),
        ] {
            assert_eq!(headers.get(name).unwrap(), value, "every answer has {name}");
        }
        Answer { status, headers, body }
    }

    pub async fn ask(&self, method: Method, path: &str) -> Answer {
        self.request(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    pub async fn head(&self, path: &str) -> Answer {
        self.ask(Method::HEAD, path).await
    }

    pub async fn get_with(&self, path: &str, name: &str, value: &str) -> Answer {
        self.request(Request::builder().uri(path).header(name, value).body(Body::empty()).unwrap()).await
    }

    /// An account that the index knows.
    pub async fn account(&self, name: &str) -> Did {
        let did: Did = format!("did:plc:{name}").parse().unwrap();
        self.network.account(&did, &format!("{name}.test"));
        self.see(&did, name, true).await;
        did
    }

    /// What a look at an account found.
    pub async fn see(&self, did: &Did, name: &str, active: bool) {
        let seen = observe::ActorSeen {
            did: did.clone(),
            handle: Some(format!("{name}.test").parse().unwrap()),
            pds: Some(self.network.url.to_string()),
            hold_endpoint: None,
            status: Some(observe::Status { active, name: "active".into() }),
        };
        let mut connection = store::connect(self.database.url(), Some(1)).await.unwrap();
        observe::actor(&mut connection.client, &seen, 1).await.unwrap();
    }

    /// Indexes a record, as if an event had brought it.
    pub async fn index(&self, did: &Did, path: &str, record: &Value) {
        let id = record_id(did, path);
        let put = Put::decode(
            id,
            self.rev(),
            record_cid(record).unwrap(),
            record.to_string().into_bytes().into(),
            Verification::CidChecked,
        );
        assert!(put.record.is_ok(), "{:?}", put.record);
        self.apply(Change::Put(Box::new(put))).await;
    }

    /// The hold says of itself whether anyone may read from it.
    pub async fn declare_hold(&self, public: bool, region: &str) {
        let captain = json!({ "$type": "io.atcr.hold.captain", "owner": "did:plc:captain", "public": public, "allowAllCrew": false,
                              "enableBlueskyPosts": false, "deployedAt": "2026-01-10T12:00:00Z", "region": region });
        self.index(&self.network.hold(), "io.atcr.hold.captain/self", &captain).await;
    }

    pub async fn delete(&self, did: &Did, path: &str) {
        let change = Change::Delete { id: record_id(did, path), rev: self.rev() };
        self.apply(change).await;
    }

    /// All that an account has was read now: these records.
    pub async fn read_whole(&self, did: &Did, present: &[&str]) {
        let now = Tid::from_micros(chrono::Utc::now().timestamp_micros().unsigned_abs(), 0);
        let present = present.iter().map(|path| record_id(did, path)).map(|id| (id.collection, id.rkey)).collect();
        self.apply(Change::Snapshot { did: did.clone(), rev: now, present }).await;
    }

    /// Whether a reading of the account is queued.
    pub async fn reads(&self, did: &Did) -> bool {
        let client = store::connect(self.database.url(), Some(1)).await.unwrap().client;
        let queued = "SELECT EXISTS (SELECT FROM job WHERE kind = 'resync' AND key = $1)";
        client.query_one(queued, &[&did.as_str()]).await.unwrap().get(0)
    }

    /// Whether anything of a repository is indexed.
    pub async fn has(&self, did: &str, repository: &str) -> bool {
        let (did, repository) = (did.parse().unwrap(), repository.parse().unwrap());
        self.registry.reader.repository_exists(&did, &repository).await.unwrap()
    }

    /// As a client that is somewhere else.
    pub async fn get_from(&self, address: &str, path: &str) -> Answer {
        let client = Client::at(address.parse().unwrap());
        self.request(Request::builder().uri(path).extension(client).body(Body::empty()).unwrap()).await
    }

    async fn apply(&self, change: Change) {
        let batch = Batch { changes: vec![change], ..Batch::new(Origin::Stream) };
        self.writer.lock().await.apply(batch).await.unwrap();
    }

    fn rev(&self) -> Tid {
        Tid::from_micros(1_700_000_000_000_000 + self.clock.fetch_add(1, Ordering::SeqCst), 0)
    }

    /// Stores a manifest's bytes, as the job does.
    pub async fn keep(&self, bytes: &[u8]) {
        let contents = oci::manifest_bytes(&Digest::sha256(bytes), bytes).unwrap();
        let mut connection = self.registry.writes.lock().await.unwrap();
        observe::manifest_bytes(&mut connection.client, &contents).await.unwrap();
    }

    /// Every event of today's archive.
    pub async fn archived(&self) -> Vec<archive::Found> {
        let client = store::connect(self.database.url(), Some(1)).await.unwrap().client;
        let today = chrono::Utc::now().date_naive();
        archive::read(&client, today.pred_opt().unwrap()..=today, None).try_collect().await.unwrap()
    }

    pub async fn is_kept(&self, digest: &Digest) -> bool {
        let connection = self.registry.writes.lock().await.unwrap();
        observe::has_manifest(&connection.client, digest).await.unwrap()
    }

    /// An image in the index, its bytes stored, with a tag.
    pub async fn image(&self, did: &Did, repository: &str, tag: &str) -> Image {
        let image = Image::new(&format!("{did}/{repository}:{tag}"));
        let record = image.record(repository, &self.network.hold());
        self.index(did, &image.path(), &record).await;
        self.index(did, &tag_path(repository, tag), &tag_record(did, repository, tag, &image)).await;
        self.keep(&image.bytes).await;
        image
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.indexing.abort();
    }
}

async fn empty_inbox(writer: Arc<Mutex<Writer>>) {
    loop {
        let mut writer = writer.lock().await;
        let batch = inbox::pending(writer.client(), 100).await.unwrap();
        if !batch.is_empty() {
            writer.apply(batch).await.unwrap();
        }
        drop(writer);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn record_id(did: &Did, path: &str) -> RecordId {
    let (collection, rkey) = path.split_once('/').unwrap();
    RecordId { did: did.clone(), collection: collection.parse().unwrap(), rkey: rkey.parse().unwrap() }
}

/// A small image.
pub struct Image {
    pub bytes: Vec<u8>,
    pub digest: Digest,
    pub layer: Digest,
}

/// Bytes of the one layer that every image has.
pub const LAYER_SIZE: u64 = 3_370_706;

impl Image {
    /// Of different texts different images come.
    pub fn new(text: &str) -> Self {
        Self::of(text, json!({ "mediaType": ManifestMediaType::OciManifest.as_str() }))
    }

    /// With these bytes as its layer.
    pub fn holding(layer: &[u8]) -> Self {
        let digest = Digest::sha256(layer);
        let layers = json!([{ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": layer.len(), "digest": digest }]);
        Self { layer: digest, ..Self::of("", json!({ "layers": layers })) }
    }

    /// With other fields in the manifest than usual.
    pub fn of(text: &str, fields: Value) -> Self {
        let layer = Digest::sha256(text.as_bytes());
        let mut manifest = json!({
            "schemaVersion": 2,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": Digest::sha256(b"{}") },
            "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": LAYER_SIZE, "digest": layer }] });
        manifest.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let bytes = manifest.to_string().into_bytes();
        Self { digest: Digest::sha256(&bytes), bytes, layer }
    }

    pub fn path(&self) -> String {
        format!("io.atcr.manifest/{}", self.digest.hex())
    }

    pub fn cid(&self) -> Cid {
        Cid::of_blob(&self.bytes)
    }

    /// The record that declares it.
    pub fn record(&self, repository: &str, hold: &Did) -> Value {
        let media_type = ManifestMediaType::OciManifest.as_str();
        json!({
            "$type": "io.atcr.manifest", "repository": repository, "digest": self.digest, "mediaType": media_type,
            "schemaVersion": 2, "holdDid": hold, "createdAt": "2026-01-10T12:00:00Z",
            "manifestBlob": { "$type": "blob", "ref": { "$link": self.cid() }, "mimeType": media_type, "size": self.bytes.len() } })
    }
}

pub fn tag_path(repository: &str, tag: &str) -> String {
    format!("io.atcr.tag/{}_{tag}", repository.replace('/', "~"))
}

pub fn tag_record(did: &Did, repository: &str, tag: &str, image: &Image) -> Value {
    json!({ "$type": "io.atcr.tag", "repository": repository, "tag": tag, "updatedAt": "2026-01-10T12:00:00Z",
            "manifest": format!("at://{did}/{}", image.path()) })
}
