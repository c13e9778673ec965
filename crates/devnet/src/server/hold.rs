//! A hold of the present generation: an actor with a PDS inside it that anyone may read, and the blobs.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Did, Digest};

use super::{
    Site, View, identity, presign, repo, sync, token,
    xrpc::{Params, XrpcError, XrpcResult, unknown_method},
};
use crate::network::{Account, Home};

const GET_BLOB: &str = "com.atproto.sync.getBlob";

/// How a hold tells where a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlobAnswer {
    /// 307 to the presigned URL.
    Redirect,
    /// 200 with JSON `{"url"}`.
    Json,
}

pub(crate) fn router(site: Site, answer: BlobAnswer) -> Router {
    sync::router()
        .merge(repo::router())
        .merge(identity::router())
        .merge(presign::router())
        .route("/.well-known/did.json", get(did_json))
        .route(
            "/xrpc/com.atproto.sync.getBlob",
            get(async move |site: State<Site>, headers: HeaderMap, wanted: Params<Wanted>| {
                get_blob(site, headers, wanted, answer).await
            }),
        )
        .route("/xrpc/_health", get(async || Json(json!({"version": "devnet"}))))
        .fallback(unknown_method)
        .with_state(site)
}

async fn did_json(State(site): State<Site>) -> XrpcResult {
    let state = site.network.state();
    let document = identity::did_document(&site, site.actor(&state)?)?;
    Ok(Json(document))
}

#[derive(Deserialize)]
struct Wanted {
    /// An image's owner, which a hold that stores blobs once for everyone does not look at; or the hold itself.
    did: Did,
    /// A layer's digest; or the CID of a blob in the hold's own repository, such as a scan's report.
    cid: String,
}

async fn get_blob(
    State(site): State<Site>,
    headers: HeaderMap,
    Params(wanted): Params<Wanted>,
    answer: BlobAnswer,
) -> XrpcResult<Response> {
    site.authorize_read(&headers)?;
    if let Ok(cid) = wanted.cid.parse() {
        return sync::blob(&site, &wanted.did, cid).await;
    }
    let digest: Digest = wanted.cid.parse().map_err(|_| XrpcError::invalid("cid must be sha256:<hex> or a CID"))?;
    if !site.has_blob(&digest) {
        return Err(XrpcError::new(StatusCode::NOT_FOUND, "BlobNotFound", "Blob not found"));
    }
    let url = site.presign(&digest);
    Ok(match answer {
        BlobAnswer::Redirect => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, url)]).into_response(),
        BlobAnswer::Json => Json(json!({"url": url, "method": "GET"})).into_response(),
    })
}

impl Site {
    /// The hold itself.
    fn actor<'a>(&self, state: &'a crate::network::State) -> XrpcResult<&'a Account> {
        let View::Hold(index) = self.view else { return Err(XrpcError::invalid("not a hold")) };
        let actor = state.accounts().find(|account| account.home == Home::Hold(index));
        actor.ok_or_else(|| XrpcError::bad("RepoNotFound", "the hold has no repository"))
    }

    /// Public holds are for anyone; private ones for the captain and crew that may read or write blobs.
    fn authorize_read(&self, headers: &HeaderMap) -> XrpcResult<()> {
        let state = self.network.state();
        let hold = self.actor(&state)?;
        let captain = hold.repo.get("io.atcr.hold.captain/self");
        let captain = captain.ok_or_else(|| XrpcError::forbidden("the hold has no captain"))?;
        if captain.value["public"] == json!(true) {
            return Ok(());
        }
        let key_of = |did: &Did| identity::signing_key(&identity::did_document(self, state.account(did)?).ok()?);
        let caller = token::verify_service(key_of, headers, &hold.did, GET_BLOB)?
            .ok_or_else(|| XrpcError::unauthorized("this hold is private: send a service token"))?;
        let is_caller = |value: &Value| *value == json!(caller);
        let reads = |crew: &Value| {
            let permissions = crew["permissions"].as_array();
            permissions.is_some_and(|all| all.iter().any(|one| *one == "blob:read" || *one == "blob:write"))
        };
        let crew = || hold.repo.list("io.atcr.hold.crew").map(|(_, record)| &record.value);
        if is_caller(&captain.value["owner"]) || crew().any(|crew| is_caller(&crew["member"]) && reads(crew)) {
            return Ok(());
        }
        Err(XrpcError::forbidden("this hold is private, and you are not of its crew"))
    }
}
