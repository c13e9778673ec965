//! A PDS.

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::json;

use super::{
    Site, account, identity, repo, sync, write,
    xrpc::{XrpcError, unknown_method},
};

pub(crate) fn router(site: Site) -> Router {
    sync::router()
        .merge(repo::router())
        .merge(write::router())
        .merge(account::router())
        .merge(identity::router())
        .route("/xrpc/_health", get(async || Json(json!({"version": "devnet"}))))
        .route("/xrpc/com.atproto.sync.getBlob", get(sync::get_blob))
        .route("/xrpc/com.atproto.sync.listReposByCollection", get(only_relays))
        .fallback(unknown_method)
        .with_state(site)
}

/// As the reference PDS answers.
async fn only_relays() -> XrpcError {
    XrpcError::new(StatusCode::UNAUTHORIZED, "AuthMissing", "Authentication Required")
}
