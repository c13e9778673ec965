//! A minimal hold: the answers that an index and a pull need of one, for images whose records live on the reference PDS. It
//! is public, or private and lets in whom a service token of their PDS lets in; its blobs are its own or in S3.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::{Router, routing::get};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::STORAGE;
use super::images::Blob;
use super::recorder::{Recorded, Records};
use super::service_token;
use super::storage::Bucket;

const CAPTAIN: &str = "io.atcr.hold.captain";
const CREW: &str = "io.atcr.hold.crew";
const GET_BLOB: &str = "com.atproto.sync.getBlob";
/// Any TID: this hold never changes.
const REV: &str = "3lzzzzzzzzzz2";

type Blobs = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A hold on loopback, stopped with this value.
pub struct Hold {
    did: String,
    blobs: Blobs,
    /// What was asked of it, its storage included unless that is S3.
    pub records: Records,
    server: JoinHandle<std::io::Result<()>>,
}

/// How a hold is set up.
#[derive(Clone, Default)]
pub struct Options {
    /// The DID of its captain.
    pub owner: String,
    /// Those who may read besides, if not everyone may: a private hold's crew, and the PLC directory that knows them.
    pub private: Option<(Vec<String>, String)>,
    /// Where blobs are, if not in its memory: they have to be there already.
    pub bucket: Option<Bucket>,
}

#[derive(Clone)]
struct Served {
    did: String,
    url: String,
    options: Options,
    blobs: Blobs,
    records: Records,
}

impl Hold {
    /// Starts a public hold that `owner` is captain of.
    pub async fn start(owner: &str) -> Result<Self> {
        Self::with(Options { owner: owner.to_owned(), ..Options::default() }).await
    }

    /// Starts a hold.
    pub async fn with(options: Options) -> Result<Self> {
        let listener = TcpListener::bind((STORAGE, 0)).await?;
        let address = listener.local_addr()?;
        let did = format!("did:web:{STORAGE}%3A{}", address.port());
        let (blobs, records) = (Blobs::default(), Records::default());
        let url = format!("http://{address}");
        let served = Served { did: did.clone(), url, options, blobs: Arc::clone(&blobs), records: records.clone() };
        let server = tokio::spawn(axum::serve(listener, routes(served)).into_future());
        Ok(Hold { did, blobs, records, server })
    }

    /// Its DID.
    pub fn did(&self) -> &str {
        &self.did
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.did.trim_start_matches("did:web:").replace("%3A", ":"))
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

    fn captain(&self) -> Result<Value, StatusCode> {
        let value = json!({
            "$type": CAPTAIN, "owner": self.options.owner, "public": self.options.private.is_none(), "allowAllCrew": false,
            "enableBlueskyPosts": false, "deployedAt": "2026-01-01T00:00:00Z",
        });
        self.record(CAPTAIN, "self", value)
    }

    fn crew(&self) -> Result<Vec<Value>, StatusCode> {
        let members = self.options.private.iter().flat_map(|(members, _)| members).enumerate();
        let record = |(n, member): (usize, &String)| {
            let value = json!({"$type": CREW, "member": member, "role": "reader", "permissions": ["blob:read"],
                               "addedAt": "2026-01-01T00:00:00Z"});
            self.record(CREW, &format!("member-{n}"), value)
        };
        members.map(record).collect()
    }

    /// A record as getRecord and listRecords show it.
    fn record(&self, collection: &str, rkey: &str, value: Value) -> Result<Value, StatusCode> {
        Ok(json!({"uri": format!("at://{}/{collection}/{rkey}", self.did), "cid": cid(&value)?, "value": value}))
    }

    /// Whether whoever asks may read, and why not.
    async fn admits(&self, headers: &HeaderMap) -> Result<bool> {
        let Some((crew, plc)) = &self.options.private else { return Ok(true) };
        let token = headers.get(header::AUTHORIZATION).context("no token")?.to_str()?;
        let token = token.strip_prefix("Bearer ").context("no bearer token")?;
        let claims = service_token::verify(token, &self.did, GET_BLOB, plc).await?;
        // A token that a thief could use for hours is a fault.
        ensure!(claims.exp <= service_token::now() + 300, "good for more than five minutes");
        Ok(claims.iss == self.options.owner || crew.contains(&claims.iss))
    }

    fn note(&self, path: String, headers: HeaderMap, status: StatusCode) {
        self.records.push(Recorded { method: Method::GET, path, headers, status });
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
        "handle": "handle.invalid", "did": hold.did, "didDoc": hold.document(), "collections": [CAPTAIN, CREW],
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
    let records = match query.collection.as_str() {
        CAPTAIN => vec![hold.captain()?],
        CREW => hold.crew()?,
        _ => Vec::new(),
    };
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
async fn get_blob(
    State(hold): State<Served>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Query(query): Query<BlobQuery>,
) -> Response {
    let response = match hold.admits(&headers).await {
        Ok(true) => {
            let presigned = hold.options.bucket.as_ref().map(|bucket| bucket.presigned(&query.cid));
            Redirect::temporary(&presigned.unwrap_or_else(|| format!("{}/presigned/{}", hold.url, query.cid)))
                .into_response()
        }
        Ok(false) => {
            (StatusCode::FORBIDDEN, Json(json!({"error": "Forbidden", "message": "not of the crew"}))).into_response()
        }
        Err(error) => {
            let message = format!("{error:#}");
            (StatusCode::UNAUTHORIZED, Json(json!({"error": "AuthRequired", "message": message}))).into_response()
        }
    };
    hold.note(uri.to_string(), headers, response.status());
    response
}

/// The storage: as S3 does, it knows ranges, and refuses who sends another authorization than the URL's own.
async fn bytes(
    State(hold): State<Served>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Path(digest): Path<String>,
) -> Response {
    let blob = hold.blobs.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
    let response = match blob {
        _ if headers.contains_key(header::AUTHORIZATION) => StatusCode::BAD_REQUEST.into_response(),
        Some(bytes) => ranged(bytes, headers.get(header::RANGE).and_then(|range| range.to_str().ok())),
        None => StatusCode::NOT_FOUND.into_response(),
    };
    hold.note(uri.to_string(), headers, response.status());
    response
}

/// All bytes, or those from `bytes=N-` on.
fn ranged(bytes: Vec<u8>, range: Option<&str>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/octet-stream"), (header::ACCEPT_RANGES, "bytes")];
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match from.filter(|from| *from < bytes.len()) {
        Some(from) => {
            let part = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            let headers = [(header::CONTENT_RANGE, part)];
            (StatusCode::PARTIAL_CONTENT, kind, headers, bytes[from..].to_vec()).into_response()
        }
        None => (kind, bytes).into_response(),
    }
}
