//! A minimal hold: the answers that an index and a pull need of one, for images whose records live on the reference PDS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::{Router, routing::get};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::images::Blob;

const CAPTAIN: &str = "io.atcr.hold.captain";
/// Any TID: this hold never changes.
const REV: &str = "3lzzzzzzzzzz2";

type Blobs = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A public hold on loopback, stopped with this value.
pub struct Hold {
    did: String,
    blobs: Blobs,
    server: JoinHandle<std::io::Result<()>>,
}

#[derive(Clone)]
struct Served {
    did: String,
    url: String,
    owner: String,
    blobs: Blobs,
}

impl Hold {
    /// Starts a hold that `owner` is captain of.
    pub async fn start(owner: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let did = format!("did:web:127.0.0.1%3A{}", address.port());
        let blobs = Blobs::default();
        let (url, owner) = (format!("http://{address}"), owner.to_owned());
        let served = Served { did: did.clone(), url, owner, blobs: Arc::clone(&blobs) };
        let server = tokio::spawn(axum::serve(listener, routes(served)).into_future());
        Ok(Hold { did, blobs, server })
    }

    /// Its DID.
    pub fn did(&self) -> &str {
        &self.did
    }

    /// Stores a blob.
    pub fn keep(&self, blob: &Blob) {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.insert(blob.digest.clone(), blob.bytes.clone());
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn routes(served: Served) -> Router {
    Router::new()
        .route("/.well-known/did.json", get(did_document))
        .route("/xrpc/com.atproto.repo.describeRepo", get(describe_repo))
        .route("/xrpc/com.atproto.repo.getRecord", get(get_record))
        .route("/xrpc/com.atproto.repo.listRecords", get(list_records))
        .route("/xrpc/com.atproto.sync.getLatestCommit", get(latest_commit))
        .route("/xrpc/com.atproto.sync.getBlob", get(get_blob))
        .route("/presigned/{digest}", get(bytes))
        .with_state(served)
}

impl Served {
    fn document(&self) -> Value {
        let service = |id: &str, kind: &str| json!({"id": id, "type": kind, "serviceEndpoint": self.url});
        json!({
            "@context": ["https://www.w3.org/ns/did/v1"], "id": self.did,
            "service": [service("#atproto_pds", "AtprotoPersonalDataServer"), service("#atcr_hold", "AtcrHoldService")],
        })
    }

    /// The one record, as getRecord and listRecords show it.
    fn captain(&self) -> Result<Value, StatusCode> {
        let value = json!({
            "$type": CAPTAIN, "owner": self.owner, "public": true, "allowAllCrew": false, "enableBlueskyPosts": false,
            "deployedAt": "2026-01-01T00:00:00Z",
        });
        Ok(json!({"uri": format!("at://{}/{CAPTAIN}/self", self.did), "cid": cid(&value)?, "value": value}))
    }
}

/// CIDv1, DAG-CBOR, SHA-256, in base32.
fn cid(record: &Value) -> Result<String, StatusCode> {
    let block = serde_ipld_dagcbor::to_vec(record).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let bytes = [&[0x01, 0x71, 0x12, 0x20][..], &Sha256::digest(block)].concat();
    Ok(format!("b{}", data_encoding::BASE32_NOPAD.encode(&bytes).to_lowercase()))
}

async fn did_document(State(hold): State<Served>) -> Json<Value> {
    Json(hold.document())
}

async fn describe_repo(State(hold): State<Served>) -> Json<Value> {
    Json(json!({
        "handle": "handle.invalid", "did": hold.did, "didDoc": hold.document(), "collections": [CAPTAIN],
        "handleIsCorrect": false,
    }))
}

#[derive(Deserialize)]
struct RecordQuery {
    collection: String,
    rkey: Option<String>,
}

async fn get_record(State(hold): State<Served>, Query(query): Query<RecordQuery>) -> Result<Response, StatusCode> {
    if query.collection == CAPTAIN && query.rkey.as_deref() == Some("self") {
        return Ok(Json(hold.captain()?).into_response());
    }
    let error = json!({"error": "RecordNotFound", "message": "Could not locate record"});
    Ok((StatusCode::BAD_REQUEST, Json(error)).into_response())
}

async fn list_records(State(hold): State<Served>, Query(query): Query<RecordQuery>) -> Result<Json<Value>, StatusCode> {
    let records = if query.collection == CAPTAIN { vec![hold.captain()?] } else { Vec::new() };
    Ok(Json(json!({ "records": records })))
}

async fn latest_commit(State(hold): State<Served>) -> Result<Json<Value>, StatusCode> {
    Ok(Json(json!({"cid": hold.captain()?["cid"], "rev": REV})))
}

#[derive(Deserialize)]
struct BlobQuery {
    cid: String,
}

/// Holds answer with a redirect to storage.
async fn get_blob(State(hold): State<Served>, Query(query): Query<BlobQuery>) -> Redirect {
    Redirect::temporary(&format!("{}/presigned/{}", hold.url, query.cid))
}

async fn bytes(State(hold): State<Served>, Path(digest): Path<String>) -> Response {
    let blobs = hold.blobs.lock().unwrap_or_else(PoisonError::into_inner);
    match blobs.get(&digest) {
        Some(bytes) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
