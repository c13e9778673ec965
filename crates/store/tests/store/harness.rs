use serde_json::{Value, json};
use service::postgres::testing::TestDatabase;
use store::{Reader, Writer};
use tokio_postgres::Client;
use types::{Batch, Change, Cid, Collection, Origin, Put, RecordId, Tid, Verification};

pub const ALICE: &str = "did:plc:alice";
pub const BOB: &str = "did:plc:bob";

/// An empty index with its writer.
pub struct Index {
    pub database: TestDatabase,
    pub writer: Writer,
    pub reader: Reader,
    pub client: Client,
}

impl Index {
    pub async fn new() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let generation = store::prepare(database.url()).await.unwrap();
        let writer = Writer::try_acquire(database.url(), generation).await.unwrap().unwrap();
        let reader = Reader::connect(database.url(), generation).await.unwrap();
        let client = store::connect(database.url(), Some(generation)).await.unwrap().client;
        Self { database, writer, reader, client }
    }

    pub async fn apply(&mut self, changes: Vec<Change>) -> store::Applied {
        self.writer.apply(Batch { changes, ..Batch::new(Origin::Stream) }).await.unwrap()
    }

    pub async fn count(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Every row of every table that is a function of the records, revisions left out, as text.
    pub async fn dump(&self) -> String {
        let mut text = String::new();
        for table in [
            "repository",
            "manifest",
            "layer",
            "platform",
            "tag",
            "star",
            "star_edge",
            "hold",
            "crew",
            "hold_stats",
            "scan",
            "profile",
            "page",
            "fingerprint",
        ] {
            let sql = format!("SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM {table} t");
            let rows: String = self.client.query_one(&sql, &[]).await.unwrap().get(0);
            text.push_str(&format!("-- {table}\n{rows}\n"));
        }
        let live = "SELECT coalesce(string_agg(concat_ws(' ', did, collection, rkey, encode(cid, 'hex'), state), E'\n'
                           ORDER BY did, collection, rkey), '') FROM record WHERE state <> 'deleted'";
        text + &self.client.query_one(live, &[]).await.unwrap().get::<_, String>(0)
    }
}

pub fn id(did: &str, collection: Collection, rkey: &str) -> RecordId {
    RecordId { did: did.parse().unwrap(), collection, rkey: rkey.parse().unwrap() }
}

pub fn rev(n: u64) -> Tid {
    Tid::from_micros(1_700_000_000_000_000 + n, 0)
}

pub fn put(n: u64, id: RecordId, record: &Value) -> Change {
    let raw = record.to_string().into_bytes();
    let cid = types::record_cid(record).unwrap_or_else(|_| Cid::of_block(&raw));
    Change::Put(Box::new(Put::decode(id, rev(n), cid, raw.into(), Verification::CidChecked)))
}

/// A record that Postgres refuses: an index entry holds at most 2,704 bytes, and a hold's and an owner's name together can be
/// longer. Noise, since Postgres compresses what repeats.
pub fn bad_manifest(n: u64, rkey: &str) -> Change {
    let noise: String = (0u8..32).map(|n| types::Digest::sha256(&[n]).hex().to_owned()).collect();
    let mut record = manifest("app", 1);
    record["holdDid"] = json!(format!("did:web:{}", &noise[..2000]));
    put(n, id(&format!("did:web:{}", &noise[..1900]), Collection::Manifest, rkey), &record)
}

/// A record that was checked so far, at a revision.
pub fn checked(n: u64, id: RecordId, record: &Value, verification: Verification) -> Change {
    match put(n, id, record) {
        Change::Put(put) => Change::Put(Box::new(Put { verification, ..*put })),
        other => other,
    }
}

pub fn delete(n: u64, id: RecordId) -> Change {
    Change::Delete { id, rev: rev(n) }
}

pub fn digest(n: u8) -> String {
    types::Digest::sha256(&[n]).to_string()
}

pub fn manifest(repository: &str, content: u8) -> Value {
    json!({"$type": "io.atcr.manifest", "repository": repository, "digest": digest(content), "schemaVersion": 2,
           "mediaType": "application/vnd.oci.image.manifest.v1+json", "holdDid": "did:web:hold.example",
           "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(100), "size": 10},
           "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(101), "size": 32}],
           "annotations": {"org.opencontainers.image.title": format!("Title {content}")},
           "createdAt": format!("2026-01-{:02}T12:00:00Z", content % 28 + 1)})
}

pub fn tag(did: &str, repository: &str, tag: &str, manifest_rkey: &str, day: u8) -> Value {
    json!({"$type": "io.atcr.tag", "repository": repository, "tag": tag,
           "manifest": format!("at://{did}/io.atcr.manifest/{manifest_rkey}"),
           "updatedAt": format!("2026-02-{:02}T12:00:00Z", day % 28 + 1)})
}

pub fn star(owner: &str, repository: &str, old: bool) -> Value {
    let subject = if old {
        json!({"did": owner, "repository": repository})
    } else {
        json!(format!("at://{owner}/io.atcr.repo.page/{repository}"))
    };
    json!({"$type": "io.atcr.sailor.star", "subject": subject, "createdAt": "2026-01-01T00:00:00Z"})
}

pub fn page(repository: &str, text: &str) -> Value {
    json!({"$type": "io.atcr.repo.page", "repository": repository, "description": text,
           "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"})
}
