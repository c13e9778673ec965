//! `com.atproto.sync.*`: repositories as a whole, for anyone.

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use types::{Cid, Did};

use super::{
    Site,
    stream::{self, Subscription},
    xrpc::{Params, XrpcError, XrpcResult},
};
use crate::network::{Account, Event, error_frame, info_frame};

/// What a PDS and the PDS inside a hold share.
pub(crate) fn router() -> Router<Site> {
    listing()
        .route("/xrpc/com.atproto.sync.getRecord", get(get_record))
        .route("/xrpc/com.atproto.sync.getRepo", get(get_repo))
        .route("/xrpc/com.atproto.sync.getLatestCommit", get(get_latest_commit))
        .route("/xrpc/com.atproto.sync.getRepoStatus", get(get_repo_status))
}

/// What a relay has too.
pub(crate) fn listing() -> Router<Site> {
    Router::new()
        .route("/xrpc/com.atproto.sync.listRepos", get(list_repos))
        .route("/xrpc/com.atproto.sync.subscribeRepos", get(subscribe_repos))
}

#[derive(Deserialize)]
struct Repo {
    did: Did,
}

#[derive(Deserialize)]
struct RecordPath {
    did: Did,
    collection: String,
    rkey: String,
}

#[derive(Deserialize)]
pub(crate) struct Page {
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Cursor {
    cursor: Option<i64>,
}

fn car(bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/vnd.ipld.car")], bytes).into_response()
}

fn no_commits() -> XrpcError {
    XrpcError::bad("RepoNotFound", "The repository has no commits")
}

async fn get_record(State(site): State<Site>, Params(at): Params<RecordPath>) -> XrpcResult<Response> {
    let state = site.network.state();
    let repo = &site.active(&state, at.did.as_str())?.repo;
    let proof = repo.prove(&format!("{}/{}", at.collection, at.rkey))?.ok_or_else(no_commits)?;
    Ok(car(proof))
}

async fn get_repo(State(site): State<Site>, Params(Repo { did }): Params<Repo>) -> XrpcResult<Response> {
    let state = site.network.state();
    Ok(car(site.active(&state, did.as_str())?.repo.export()?.ok_or_else(no_commits)?))
}

async fn get_latest_commit(State(site): State<Site>, Params(Repo { did }): Params<Repo>) -> XrpcResult {
    let state = site.network.state();
    let head = site.active(&state, did.as_str())?.repo.head().ok_or_else(no_commits)?;
    Ok(Json(json!({"cid": head.block.cid.to_string(), "rev": head.rev})))
}

async fn get_repo_status(State(site): State<Site>, Params(Repo { did }): Params<Repo>) -> XrpcResult {
    let state = site.network.state();
    let account = site.account(&state, did.as_str())?;
    let mut status = json!({"did": did, "active": account.status.is_none()});
    match (&account.status, account.repo.head()) {
        (Some(reason), _) => status["status"] = json!(reason),
        (None, Some(head)) => status["rev"] = json!(head.rev),
        (None, None) => {}
    }
    Ok(Json(status))
}

impl Page {
    /// A page of the accounts that this server shows and `keep` accepts, in the order of their DIDs.
    pub(crate) fn repos(
        &self,
        site: &Site,
        keep: impl Fn(&Account) -> bool,
        show: impl Fn(&Account) -> Option<Value>,
    ) -> Json<Value> {
        let limit = self.limit.unwrap_or(500).clamp(1, 2000);
        let state = site.network.state();
        let after = |account: &Account| self.cursor.as_deref().is_none_or(|cursor| account.did.as_str() > cursor);
        let mut rest = state
            .accounts()
            .filter(|account| site.view.shows(account.home) && after(account) && keep(account))
            .filter_map(|account| Some((account.did.as_str(), show(account)?)));
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let mut answer = json!({});
        if rest.next().is_some() {
            answer["cursor"] = json!(page.last().map(|(did, _)| did));
        }
        answer["repos"] = page.into_iter().map(|(_, repo)| repo).collect();
        Json(answer)
    }
}

async fn list_repos(State(site): State<Site>, Params(page): Params<Page>) -> Json<Value> {
    page.repos(
        &site,
        |_| true,
        |account| {
            let head = account.repo.head()?;
            let mut repo = json!({"did": account.did, "head": head.block.cid.to_string(), "rev": head.rev,
                                  "active": account.status.is_none()});
            if let Some(status) = &account.status {
                repo["status"] = json!(status);
            }
            Some(repo)
        },
    )
}

/// `cursor`: none is live, 0 is the oldest event, else the event after it
/// (<https://atproto.com/specs/event-stream#sequence-numbers>).
async fn subscribe_repos(
    State(site): State<Site>,
    Params(Cursor { cursor }): Params<Cursor>,
    request: Request,
) -> XrpcResult<Response> {
    let (oldest, latest) = {
        let state = site.network.state();
        (state.oldest(), state.latest())
    };
    let (mut greeting, mut from) = (Vec::new(), Some(latest + 1));
    if let Some(cursor) = cursor {
        let cursor = u64::try_from(cursor).map_err(|_| XrpcError::invalid("cursor must not be negative"))?;
        if cursor > latest {
            greeting.push(Message::Binary(error_frame("FutureCursor", "Cursor in the future.")?));
            from = None;
        } else {
            if cursor != 0 && cursor + 1 < oldest {
                greeting.push(Message::Binary(info_frame("OutdatedCursor")?));
            }
            from = Some((cursor + 1).max(oldest));
        }
    }
    let view = site.view;
    let render = Box::new(move |event: &Event| {
        view.tells(event).then(|| Message::Binary(event.frame.clone())).into_iter().collect()
    });
    let farewell = Box::new(|error: &str| error_frame(error, "The stream ends here.").ok().map(Message::Binary));
    let subscription = Subscription { greeting, from, render, farewell, ping_every: stream::PING_EVERY };
    stream::answer(request, site.network, subscription)
}

#[derive(Deserialize)]
pub(crate) struct Blob {
    did: Did,
    cid: String,
}

/// `com.atproto.sync.getBlob` of a PDS (a hold's is another thing).
pub(crate) async fn get_blob(
    State(site): State<Site>,
    Params(Blob { did, cid }): Params<Blob>,
) -> XrpcResult<Response> {
    let cid: Cid = cid.parse().map_err(|_| XrpcError::invalid("cid must be a CID"))?;
    blob(&site, &did, cid).await
}

/// A blob that one of the account's records holds.
pub(crate) async fn blob(site: &Site, did: &Did, cid: Cid) -> XrpcResult<Response> {
    let mime = {
        let state = site.network.state();
        let blob = site.active(&state, did.as_str())?.blobs.get(&cid).cloned();
        blob.ok_or_else(|| XrpcError::bad("BlobNotFound", "Blob not found"))?.mime
    };
    let bytes = site.network.read_blob(&cid.digest()).await?;
    let mime = HeaderValue::from_str(&mime).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (header::CONTENT_TYPE, mime),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("content-security-policy"), HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    Ok((headers, bytes).into_response())
}
