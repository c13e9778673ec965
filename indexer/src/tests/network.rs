//! A PLC directory, a PDS, a relay and a hold, with its stream, behind one address on loopback.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use types::{Tid, record_cid};
use url::Url;

use super::stream::Stream;

#[derive(Clone)]
pub struct Network {
    pub url: Url,
    /// What its `subscribeRepos` tells.
    pub stream: Stream,
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
    /// What the first page of a collection lists besides: (did, collection, item).
    odd: Vec<(String, String, Value)>,
    /// Accounts that are not active, with their status.
    inactive: HashMap<String, String>,
    /// What is answered in place of a document.
    refusals: HashMap<String, StatusCode>,
    /// Accounts whose PDS does not answer for them.
    stuck: HashSet<String>,
    /// Who has a handle, where its name does not tell.
    handles: HashMap<String, String>,
    /// The handles and PDSs of documents, where they are others.
    claims: HashMap<String, String>,
    hosts: HashMap<String, Url>,
    /// Those whose documents name no hold.
    no_holds: HashSet<String>,
    /// How long a page of records takes.
    page_takes: Duration,
    /// Whether nothing answers at all.
    down: bool,
    /// Whether it is a host of files alone, as old holds are.
    old: bool,
    /// What was asked, by method.
    asked: Vec<String>,
}

type Params = Query<HashMap<String, String>>;

impl Network {
    pub async fn start() -> Self {
        let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let back = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = back.local_addr().unwrap();
        let url = format!("http://{}", front.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Inner { url: url.clone(), ..Inner::default() }));
        let app = Router::new()
            .route("/xrpc/{method}", get(xrpc))
            .route("/.well-known/did.json", get(own_document))
            .route("/{did}", get(document))
            .with_state(state.clone());
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(back, app).await });
        let network = Self { url: url.parse().unwrap(), stream: Stream::served_elsewhere(), state };
        tokio::spawn(network.clone().receive(front, address));
        network
    }

    /// Gives what asks for the stream to the stream, everything else to the services.
    async fn receive(self, front: TcpListener, back: SocketAddr) {
        while let Ok((mut tcp, _)) = front.accept().await {
            if self.state.lock().unwrap().down {
                continue;
            }
            let stream = self.stream.clone();
            tokio::spawn(async move {
                let mut first = [0; 48];
                loop {
                    match tcp.peek(&mut first).await {
                        Ok(0) | Err(_) => return,
                        Ok(length) if length >= 40 => break,
                        Ok(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                    }
                }
                if first.starts_with(b"GET /xrpc/com.atproto.sync.subscribeRepos") {
                    stream.adopt(tcp).await;
                } else if let Ok(mut back) = TcpStream::connect(back).await {
                    tokio::io::copy_bidirectional(&mut tcp, &mut back).await.ok();
                }
            });
        }
    }

    /// Nothing answers from here on, or everything does again. Connections that are open stay.
    pub fn set_down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }

    /// From here on it knows nothing of repositories.
    pub fn grow_old(&self) {
        self.state.lock().unwrap().old = true;
    }

    /// From here on a handle resolves to an account.
    pub fn set_handle(&self, handle: &str, did: &str) {
        self.state.lock().unwrap().handles.insert(handle.into(), did.into());
    }

    /// From here on an account's document claims a handle.
    pub fn claim(&self, did: &str, handle: &str) {
        self.state.lock().unwrap().claims.insert(did.into(), handle.into());
    }

    /// From here on an account lives elsewhere.
    pub fn move_to(&self, did: &str, pds: &Url) {
        self.state.lock().unwrap().hosts.insert(did.into(), pds.clone());
    }

    /// An account's document names a hold, as all do, or does so no more.
    pub fn serve_hold(&self, did: &str, serves: bool) {
        let mut state = self.state.lock().unwrap();
        if serves {
            state.no_holds.remove(did)
        } else {
            state.no_holds.insert(did.into())
        };
    }

    /// Puts a record into a repository and moves its revision.
    pub fn put(&self, did: &str, rev: Tid, collection: &str, rkey: &str, record: Value) {
        let mut state = self.state.lock().unwrap();
        state.revs.insert(did.into(), rev);
        state.records.insert((did.into(), collection.into(), rkey.into()), record);
    }

    /// Puts an item into the lists of a collection that is no record.
    pub fn list_too(&self, did: &str, collection: &str, item: Value) {
        self.state.lock().unwrap().odd.push((did.into(), collection.into(), item));
    }

    /// The `did:web` of this host.
    pub fn did(&self) -> String {
        own_did(self.url.as_str())
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

    /// Gives an account's document again.
    pub fn serve_document(&self, did: &str) {
        self.state.lock().unwrap().refusals.remove(did);
    }

    /// Leaves every question about an account without an answer.
    pub fn stick(&self, did: &str) {
        self.state.lock().unwrap().stuck.insert(did.into());
    }

    pub fn unstick(&self, did: &str) {
        self.state.lock().unwrap().stuck.remove(did);
    }

    /// From here on every page of records takes its time.
    pub fn slow_pages(&self, takes: Duration) {
        self.state.lock().unwrap().page_takes = takes;
    }

    /// How often a method was asked, or for whose document.
    pub fn asked(&self, method: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|asked| *asked == method).count()
    }
}

/// `did:plc:alice` is `alice.test`, and so on.
async fn document(State(state): State<Arc<Mutex<Inner>>>, Path(did): Path<String>) -> Response {
    let mut state = state.lock().unwrap();
    state.asked.push(did.clone());
    if let Some(status) = state.refusals.get(&did) {
        return status.into_response();
    }
    let Some(name) = did.strip_prefix("did:plc:") else { return StatusCode::NOT_FOUND.into_response() };
    state.document(&did, &format!("{name}.test"))
}

/// The document of the host itself.
async fn own_document(State(state): State<Arc<Mutex<Inner>>>) -> Response {
    let state = state.lock().unwrap();
    let did = own_did(&state.url);
    match state.refusals.get(&did) {
        Some(status) => status.into_response(),
        None => state.document(&did, "web.test"),
    }
}

/// The `did:web` of a host.
fn own_did(url: &str) -> String {
    format!("did:web:{}", url.trim_start_matches("http://").trim_end_matches('/').replace(':', "%3A"))
}

impl Inner {
    fn document(&self, did: &str, handle: &str) -> Response {
        let handle = self.claims.get(did).map_or(handle, String::as_str);
        let pds = self.hosts.get(did).map_or(self.url.as_str(), Url::as_str);
        let mut services =
            vec![json!({"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds})];
        if !self.no_holds.contains(did) {
            services.push(json!({"id": "#atcr_hold", "type": "AtcrHoldService", "serviceEndpoint": pds}));
        }
        Json(json!({"id": did, "alsoKnownAs": [format!("at://{handle}")], "service": services})).into_response()
    }
}

async fn xrpc(State(state): State<Arc<Mutex<Inner>>>, Path(method): Path<String>, Query(params): Params) -> Response {
    state.lock().unwrap().asked.push(method.clone());
    let stuck = params.get("did").is_some_and(|did| state.lock().unwrap().stuck.contains(did));
    if stuck {
        std::future::pending::<()>().await;
    }
    if method == "com.atproto.repo.listRecords" {
        let takes = state.lock().unwrap().page_takes;
        tokio::time::sleep(takes).await;
    }
    let state = state.lock().unwrap();
    let param = |name: &str| params.get(name).cloned().unwrap_or_default();
    let did = param("did");
    match method.as_str() {
        "com.atproto.identity.resolveHandle" => {
            let handle = param("handle");
            let named = format!("did:plc:{}", handle.trim_end_matches(".test"));
            Json(json!({"did": state.handles.get(&handle).unwrap_or(&named)})).into_response()
        }
        "com.atproto.sync.getRepoStatus" => match state.inactive.get(&did) {
            Some(status) if status == "RepoNotFound" => refuse(status),
            Some(status) => Json(json!({"did": did, "active": false, "status": status})).into_response(),
            None => Json(json!({"did": did, "active": true})).into_response(),
        },
        "com.atproto.sync.getLatestCommit" if state.old => StatusCode::NOT_FOUND.into_response(),
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
    let odd = state.odd.iter().filter(|(d, c, _)| d == did && c == collection && after.is_empty());
    let records: Vec<Value> = page
        .iter()
        .map(|((.., rkey), record)| {
            let cid = record_cid(record).unwrap().to_string();
            json!({"uri": format!("at://{did}/{collection}/{rkey}"), "cid": cid, "value": record})
        })
        .chain(odd.map(|(.., item)| item.clone()))
        .collect();
    Json(json!({"records": records, "cursor": cursor})).into_response()
}

fn refuse(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error, "message": "" }))).into_response()
}
