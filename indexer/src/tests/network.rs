//! A PLC directory, a PDS, a relay and a hold behind one address on loopback.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use types::{Tid, record_cid};
use url::Url;

#[derive(Clone)]
pub struct Network {
    pub url: Url,
    state: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    url: String,
    /// (did, collection, rkey) → record.
    records: BTreeMap<(String, String, String), Value>,
    /// What is told for a CID or a digest, whatever it hashes to.
    blobs: HashMap<String, Vec<u8>>,
    revs: HashMap<String, Tid>,
    /// Accounts that are not active, with their status.
    inactive: HashMap<String, String>,
    /// What is answered in place of a document.
    refusals: HashMap<String, StatusCode>,
    /// Accounts whose PDS does not answer for them.
    stuck: HashSet<String>,
    /// What was asked, by method.
    asked: Vec<String>,
}

type Params = Query<HashMap<String, String>>;

impl Network {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Inner { url: url.clone(), ..Inner::default() }));
        let app =
            Router::new().route("/xrpc/{method}", get(xrpc)).route("/{did}", get(document)).with_state(state.clone());
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url: url.parse().unwrap(), state }
    }

    /// Puts a record into a repository and moves its revision.
    pub fn put(&self, did: &str, rev: Tid, collection: &str, rkey: &str, record: Value) {
        let mut state = self.state.lock().unwrap();
        state.revs.insert(did.into(), rev);
        state.records.insert((did.into(), collection.into(), rkey.into()), record);
    }

    pub fn blob(&self, name: impl ToString, bytes: &[u8]) {
        self.state.lock().unwrap().blobs.insert(name.to_string(), bytes.to_vec());
    }

    pub fn status(&self, did: &str, status: Option<&str>) {
        let mut state = self.state.lock().unwrap();
        match status {
            Some(status) => drop(state.inactive.insert(did.into(), status.into())),
            None => drop(state.inactive.remove(did)),
        }
    }

    /// Answers with a status in place of an account's document.
    pub fn refuse_document(&self, did: &str, status: StatusCode) {
        self.state.lock().unwrap().refusals.insert(did.into(), status);
    }

    /// Leaves every question about an account without an answer.
    pub fn stick(&self, did: &str) {
        self.state.lock().unwrap().stuck.insert(did.into());
    }

    pub fn unstick(&self, did: &str) {
        self.state.lock().unwrap().stuck.remove(did);
    }

    /// How often a method was asked.
    pub fn asked(&self, method: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|asked| *asked == method).count()
    }
}

/// `did:plc:alice` is `alice.test`, and so on.
async fn document(State(state): State<Arc<Mutex<Inner>>>, Path(did): Path<String>) -> Response {
    if let Some(status) = state.lock().unwrap().refusals.get(&did) {
        return status.into_response();
    }
    let Some(name) = did.strip_prefix("did:plc:") else { return StatusCode::NOT_FOUND.into_response() };
    let url = state.lock().unwrap().url.clone();
    Json(json!({"id": did, "alsoKnownAs": [format!("at://{name}.test")], "service": [
        {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": url},
        {"id": "#atcr_hold", "type": "AtcrHoldService", "serviceEndpoint": url}]}))
    .into_response()
}

async fn xrpc(State(state): State<Arc<Mutex<Inner>>>, Path(method): Path<String>, Query(params): Params) -> Response {
    state.lock().unwrap().asked.push(method.clone());
    let stuck = params.get("did").is_some_and(|did| state.lock().unwrap().stuck.contains(did));
    if stuck {
        std::future::pending::<()>().await;
    }
    let state = state.lock().unwrap();
    let param = |name: &str| params.get(name).cloned().unwrap_or_default();
    let did = param("did");
    match method.as_str() {
        "com.atproto.identity.resolveHandle" => {
            let handle = param("handle");
            Json(json!({"did": format!("did:plc:{}", handle.trim_end_matches(".test"))})).into_response()
        }
        "com.atproto.sync.getRepoStatus" => match state.inactive.get(&did) {
            Some(status) => Json(json!({"did": did, "active": false, "status": status})).into_response(),
            None => Json(json!({"did": did, "active": true})).into_response(),
        },
        "com.atproto.sync.getLatestCommit" => match state.revs.get(&did) {
            Some(rev) => Json(json!({"cid": types::Cid::of_block(b"").to_string(), "rev": rev})).into_response(),
            None => refuse("RepoNotFound"),
        },
        "com.atproto.repo.listRecords" => list_records(&state, &params),
        "com.atproto.sync.listReposByCollection" => {
            let of = state.records.keys().filter(|(_, collection, _)| *collection == param("collection"));
            let repos: Vec<Value> = of.map(|(did, ..)| json!({ "did": did })).collect();
            Json(json!({ "repos": repos })).into_response()
        }
        "com.atproto.sync.getBlob" => match state.blobs.get(&param("cid")) {
            Some(bytes) => bytes.clone().into_response(),
            None => refuse("BlobNotFound"),
        },
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Two records a page, so that there are pages.
fn list_records(state: &Inner, params: &HashMap<String, String>) -> Response {
    let (did, collection) = (&params["repo"], &params["collection"]);
    let after = params.get("cursor").cloned().unwrap_or_default();
    let all = state.records.iter().filter(|((d, c, rkey), _)| d == did && c == collection && *rkey > after);
    let page: Vec<_> = all.take(2).collect();
    let cursor = page.last().filter(|_| page.len() == 2).map(|((_, _, rkey), _)| rkey);
    let records: Vec<Value> = page
        .iter()
        .map(|((.., rkey), record)| {
            let cid = record_cid(record).unwrap().to_string();
            json!({"uri": format!("at://{did}/{collection}/{rkey}"), "cid": cid, "value": record})
        })
        .collect();
    Json(json!({"records": records, "cursor": cursor})).into_response()
}

fn refuse(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error, "message": "" }))).into_response()
}
