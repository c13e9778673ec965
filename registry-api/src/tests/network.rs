//! A PLC directory, a handle resolver, a PDS and a hold, all on one port of loopback, and as bad as a test wants them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, Uri},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde_json::{Value, json};
use types::{Cid, Did, Tid};
use url::Url;

use super::{readers, repo};

/// The seed of the key with which every account signs.
pub const SEED: u8 = 1;

/// How the hold answers `getBlob`.
#[derive(Clone, Copy, Debug, Default)]
pub enum HoldMood {
    #[default]
    Redirects,
    Points,
    SendsBytes,
    /// Wants a service token of one of `admitted`.
    Private,
    LeadsTo(&'static str),
    Refuses(u16),
    Hangs,
}

/// How the store answers that the hold's addresses lead to.
#[derive(Clone, Copy, Debug, Default)]
pub enum StoreMood {
    #[default]
    Honest,
    IgnoresRange,
    /// As many bytes as there should be, the last one another.
    LastByteWrong,
    /// So many bytes of it, and the connection closed; the length told is right.
    BreaksAfter(usize),
    /// Another number of bytes, and told so.
    Cuts(usize),
    /// As [`StoreMood::Cuts`], without a length.
    CutsInPieces(usize),
    Refuses(u16),
    /// Once; then it is honest.
    RefusesOnce(u16),
    Hangs,
}

#[derive(Default)]
pub struct Behaviour {
    /// The blob that the store has.
    pub layer: Vec<u8>,
    pub store: StoreMood,
    /// Handle → DID.
    pub handles: HashMap<String, Did>,
    /// Handles that end like this never get an answer.
    pub stalls: Option<&'static str>,
    /// Records by account and path.
    pub records: HashMap<Did, BTreeMap<String, Value>>,
    /// Blobs by CID; what is under a CID need not hash to it.
    pub blobs: HashMap<String, Vec<u8>>,
    pub hold: HoldMood,
    /// The PDS answers 502 to everything.
    pub pds_down: bool,
    /// The name of the error that the PDS gives for every repository.
    pub pds_refuses: Option<&'static str>,
    /// The PDS signs with another key than the DID documents name.
    pub forges: bool,
    /// The revision of every repository, if not now.
    pub rev: Option<Tid>,
    /// Every request, as path and query.
    pub log: Vec<String>,
    /// Every request, whole.
    pub seen: Vec<readers::Seen>,
    /// What the PDS and the hold know of readers.
    pub readers: readers::Readers,
}

/// The network, as long as the test's runtime lives.
#[derive(Clone)]
pub struct Network {
    pub url: Url,
    pub state: Arc<Mutex<Behaviour>>,
}

impl Network {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let network = Self { url, state: Arc::default() };
        let router = Router::new()
            .route("/xrpc/{method}", get(xrpc).post(readers::session))
            .route("/.well-known/did.json", get(readers::hold_document))
            .route("/get-presigned-url", any(presigned))
            .route("/blobs/{digest}", get(stored))
            .route("/{did}", get(document))
            .layer(from_fn_with_state(network.clone(), readers::note))
            .with_state(network.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        network
    }

    /// The hold on this port.
    pub fn hold(&self) -> Did {
        Did::web("127.0.0.1", self.url.port()).unwrap()
    }

    pub fn with<T>(&self, change: impl FnOnce(&mut Behaviour) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    /// An account with a handle.
    pub fn account(&self, did: &Did, handle: &str) {
        self.with(|state| {
            state.handles.insert(handle.to_owned(), did.clone());
            state.records.entry(did.clone()).or_default();
        });
    }

    /// Writes a record to the PDS, which tells nobody.
    pub fn publish(&self, did: &Did, path: &str, record: &Value) {
        self.with(|state| state.records.entry(did.clone()).or_default().insert(path.to_owned(), record.clone()));
    }

    /// How many requests began with this.
    pub fn asked(&self, what: &str) -> usize {
        self.with(|state| state.log.iter().filter(|line| line.contains(what)).count())
    }
}

type Params = Query<HashMap<String, String>>;

pub fn refusal(status: u16, error: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "error": error, "message": "" }))).into_response()
}

async fn document(State(network): State<Network>, Path(did): Path<String>) -> Response {
    let handle = network.with(|state| {
        let mut handles = state.handles.iter();
        handles.find(|(_, owner)| owner.as_str() == did).map(|(handle, _)| handle.clone())
    });
    let Some(handle) = handle else { return refusal(404, "NotFound") };
    let key = repo::did_key(SEED);
    Json(json!({
        "id": did, "alsoKnownAs": [format!("at://{handle}")],
        "verificationMethod": [{ "id": format!("{did}#atproto"), "type": "Multikey", "controller": did,
                                 "publicKeyMultibase": key.strip_prefix("did:key:").unwrap() }],
        "service": [{ "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": network.url }] }))
    .into_response()
}

async fn xrpc(
    State(network): State<Network>,
    Path(method): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    Query(params): Params,
) -> Response {
    network.with(|state| state.log.push(uri.to_string()));
    if method == "com.atproto.identity.resolveHandle" {
        let handle = &params["handle"];
        if network.with(|state| state.stalls.is_some_and(|stalls| handle.ends_with(stalls))) {
            return std::future::pending().await;
        }
        let did = network.with(|state| state.handles.get(handle).cloned());
        return did.map_or_else(|| refusal(400, "InvalidRequest"), |did| Json(json!({ "did": did })).into_response());
    }
    let is_hold = params.get("cid").is_some_and(|cid| cid.starts_with("sha"));
    if is_hold {
        return hold_blob(&network, &uri, &headers).await;
    }
    let (down, refuses) = network.with(|state| (state.pds_down, state.pds_refuses));
    match (down, refuses) {
        (true, _) => return refusal(502, "UpstreamFailure"),
        (_, Some(name)) => return refusal(400, name),
        _ => {}
    }
    match method.as_str() {
        "com.atproto.sync.getBlob" => {
            let blob = network.with(|state| state.blobs.get(&params["cid"]).cloned());
            blob.map_or_else(|| refusal(400, "BlobNotFound"), IntoResponse::into_response)
        }
        "com.atproto.sync.getRecord" => record(&network, &params).await,
        "com.atproto.repo.listRecords" => list(&network, &params),
        "com.atproto.repo.getRecord" => {
            let (did, path): (Did, _) =
                (params["repo"].parse().unwrap(), format!("{}/{}", params["collection"], params["rkey"]));
            let record = network.with(|state| state.records.get(&did).and_then(|records| records.get(&path).cloned()));
            let entry = record.map(|record| Json(json!({ "uri": format!("at://{did}/{path}"), "value": record })));
            entry.map_or_else(|| refusal(400, "RecordNotFound"), IntoResponse::into_response)
        }
        "com.atproto.server.getServiceAuth" => readers::service_auth(&network, &headers, &params),
        _ => refusal(501, "MethodNotImplemented"),
    }
}

async fn record(network: &Network, params: &HashMap<String, String>) -> Response {
    let did: Did = params["did"].parse().unwrap();
    let (records, forges, rev) = network.with(|state| (state.records.get(&did).cloned(), state.forges, state.rev));
    let Some(records) = records else { return refusal(400, "RepoNotFound") };
    let path = format!("{}/{}", params["collection"], params["rkey"]);
    let seed = if forges { SEED + 1 } else { SEED };
    match rev {
        Some(rev) => repo::prove_at(rev, &did, seed, &records, &path).await.into_response(),
        None => repo::prove(&did, seed, &records, &path).await.into_response(),
    }
}

/// One record a page, so that pages have to be turned.
fn list(network: &Network, params: &HashMap<String, String>) -> Response {
    let did: Did = params["repo"].parse().unwrap();
    let prefix = format!("{}/", params["collection"]);
    let from: usize = params.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let records = network.with(|state| state.records[&did].clone());
    let entries: Vec<Value> = (records.iter())
        .filter(|(path, _)| path.starts_with(&prefix))
        .map(
            |(path, record)| json!({ "uri": format!("at://{did}/{path}"), "cid": Cid::of_block(b""), "value": record }),
        )
        .collect();
    let cursor = (from + 1 < entries.len()).then(|| (from + 1).to_string());
    Json(json!({ "records": entries.get(from..=from).unwrap_or_default(), "cursor": cursor })).into_response()
}

async fn hold_blob(network: &Network, uri: &Uri, headers: &HeaderMap) -> Response {
    let target = network.url.join("/blobs/x?signature=secret").unwrap();
    match network.with(|state| state.hold) {
        HoldMood::Redirects => (StatusCode::TEMPORARY_REDIRECT, [("location", target.as_str())]).into_response(),
        HoldMood::LeadsTo(url) => (StatusCode::FOUND, [("location", url)]).into_response(),
        HoldMood::Points => Json(json!({ "url": target })).into_response(),
        HoldMood::SendsBytes => format!("the bytes of {uri}").into_response(),
        HoldMood::Private => match readers::admits(network, headers) {
            Ok(()) => (StatusCode::TEMPORARY_REDIRECT, [("location", target.as_str())]).into_response(),
            Err((status, error)) => refusal(status, error),
        },
        HoldMood::Refuses(status) => StatusCode::from_u16(status).unwrap().into_response(),
        HoldMood::Hangs => std::future::pending().await,
    }
}

async fn stored(State(network): State<Network>, headers: HeaderMap) -> Response {
    let range = headers.get("range").map_or("whole", |range| range.to_str().unwrap()).to_owned();
    let (layer, mood) = network.with(|state| {
        state.log.push(format!("/store {range}"));
        let mood = state.store;
        if let StoreMood::RefusesOnce(_) = mood {
            state.store = StoreMood::Honest;
        }
        (state.layer.clone(), mood)
    });
    let size = layer.len();
    match mood {
        StoreMood::Refuses(status) | StoreMood::RefusesOnce(status) => {
            StatusCode::from_u16(status).unwrap().into_response()
        }
        StoreMood::Hangs => std::future::pending().await,
        StoreMood::LastByteWrong => {
            let mut layer = layer;
            *layer.last_mut().unwrap() ^= 1;
            layer.into_response()
        }
        StoreMood::BreaksAfter(bytes) => {
            let pieces = [Ok(Bytes::copy_from_slice(&layer[..bytes])), Err(std::io::Error::other("broken"))];
            ([("content-length", size.to_string())], Body::from_stream(futures::stream::iter(pieces))).into_response()
        }
        StoreMood::Cuts(bytes) => [&layer[..], &layer[..]].concat()[..bytes].to_vec().into_response(),
        StoreMood::CutsInPieces(bytes) => {
            let cut = [&layer[..], &layer[..]].concat()[..bytes].to_vec();
            let pieces: Vec<_> = cut.chunks(50_000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
            Body::from_stream(futures::stream::iter(pieces)).into_response()
        }
        StoreMood::Honest if range != "whole" => {
            let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            let told = [("content-range", format!("bytes {first}-{last}/{size}"))];
            (StatusCode::PARTIAL_CONTENT, told, layer[first..=last].to_vec()).into_response()
        }
        StoreMood::Honest | StoreMood::IgnoresRange => layer.into_response(),
    }
}

/// The old API's answer. A private one wants to hear somebody's DID; no other may hear any.
async fn presigned(State(network): State<Network>, body: Bytes) -> Response {
    let asked: Value = serde_json::from_slice(&body).unwrap();
    network.with(|state| state.log.push(format!("/get-presigned-url {}", asked["digest"])));
    let is_private = network.with(|state| matches!(state.hold, HoldMood::Private));
    assert!(is_private || asked["did"] == "", "{asked}");
    if is_private && asked["did"] == "" {
        return StatusCode::FORBIDDEN.into_response();
    }
    match network.with(|state| state.hold) {
        HoldMood::Refuses(status) => StatusCode::from_u16(status).unwrap().into_response(),
        _ => Json(json!({ "url": network.url.join("/blobs/old?signature=secret").unwrap() })).into_response(),
    }
}
