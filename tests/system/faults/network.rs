//! The directory, the PDS and the relay of the accounts, behind one address. It holds what the stream has told so far.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use tokio::sync::watch;
use types::Cid;

use super::events::Past;
use super::stream::Stream;
use crate::index::cid;
use crate::index::history::rev;

/// The readings of repositories: how they are let through, and which there were.
pub struct Readings {
    /// Whom the relay lists.
    pub listed: BTreeSet<String>,
    /// How many may begin; the others wait.
    most: watch::Sender<usize>,
    begun: Mutex<Vec<String>>,
}

impl Readings {
    pub fn new(listed: BTreeSet<String>, most: usize) -> Self {
        Readings { listed, most: watch::Sender::new(most), begun: Mutex::default() }
    }

    pub fn let_all_through(&self) {
        self.most.send_replace(usize::MAX);
    }

    /// Whose repository was begun to be read, in order; also those that wait.
    pub fn begun(&self) -> Vec<String> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn begin(&self, did: &str) {
        let place = {
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            begun.push(did.to_owned());
            begun.len()
        };
        // The sender lives as long as this.
        let _ = self.most.subscribe().wait_for(|most| place <= *most).await;
    }
}

/// What the servers answer from.
#[derive(Clone)]
struct Servers {
    readings: Arc<Readings>,
    past: Arc<Past>,
    stream: Arc<Stream>,
    address: SocketAddr,
}

/// Starts them; they end with the test's runtime.
pub async fn start(past: Arc<Past>, stream: Arc<Stream>, readings: Arc<Readings>) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let routes = Router::new().route("/xrpc/{method}", get(answer)).route("/{did}", get(document));
    let app = routes.with_state(Servers { readings, past, stream, address });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(format!("http://{address}"))
}

async fn document(State(servers): State<Servers>, Path(did): Path<String>) -> Response {
    if servers.past.account(&did, 0).is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let service = json!({"id": "#atproto_pds", "type": "AtprotoPersonalDataServer",
                         "serviceEndpoint": format!("http://{}", servers.address)});
    Json(json!({"id": did, "alsoKnownAs": [], "service": [service]})).into_response()
}

async fn answer(
    State(servers): State<Servers>,
    Path(method): Path<String>,
    Query(params): Query<HashMap<String, String>>,
) -> Response {
    let param = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
    let account = |name: &str| servers.past.account(param(name), servers.stream.released());
    match method.as_str() {
        "com.atproto.sync.listReposByCollection" => {
            let repos: Vec<Value> = servers.readings.listed.iter().map(|did| json!({"did": did})).collect();
            Json(json!({"repos": repos})).into_response()
        }
        "com.atproto.sync.getRepoStatus" => match account("did") {
            Some((history, who, _)) => {
                let status = if history.active[who] { Value::Null } else { "deactivated".into() };
                Json(json!({"did": param("did"), "active": history.active[who], "status": status})).into_response()
            }
            None => refuse("RepoNotFound"),
        },
        "com.atproto.sync.getLatestCommit" => {
            servers.readings.begin(param("did")).await;
            match account("did").and_then(|(history, who, at)| history.head(who, at)) {
                Some(head) => Json(json!({"cid": Cid::of_block(b"").to_string(), "rev": rev(head)})).into_response(),
                None => refuse("RepoNotFound"),
            }
        }
        "com.atproto.repo.listRecords" => {
            let Some((history, who, at)) = account("repo") else { return refuse("RepoNotFound") };
            let there = history.standing(who, at);
            let there = there.iter().filter(|(slot, _)| slot.collection.as_str() == param("collection"));
            let record = |(slot, record): (&&crate::index::history::Slot, &&Value)| {
                let cid = Cid::from_bytes(&cid::of(record)).expect("a CID").to_string();
                json!({"uri": format!("at://{}/{}/{}", param("repo"), slot.collection, slot.rkey), "cid": cid, "value": record})
            };
            Json(json!({"records": there.map(record).collect::<Vec<_>>()})).into_response()
        }
        _ => refuse("NotFound"),
    }
}

fn refuse(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error, "message": ""}))).into_response()
}
