//! A hold of the old generation: no actor, declared by a record in its owner's repository.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use types::Digest;

use super::{
    Site, presign,
    xrpc::{Input, XrpcError, XrpcResult},
};

pub(crate) fn router(site: Site) -> Router {
    presign::router()
        .route("/get-presigned-url", post(presigned_url))
        .route("/blobs/{digest}", get(blob))
        .route("/health", get(async || Json(json!({"status": "ok"}))))
        .with_state(site)
}

#[derive(Deserialize)]
struct Wanted {
    digest: Digest,
}

fn not_found() -> XrpcError {
    XrpcError::new(StatusCode::NOT_FOUND, "BlobNotFound", "blob not found")
}

async fn presigned_url(State(site): State<Site>, Input(Wanted { digest }): Input<Wanted>) -> XrpcResult {
    if !site.has_blob(&digest) {
        return Err(not_found());
    }
    Ok(Json(json!({"url": site.presign(&digest)})))
}

async fn blob(State(site): State<Site>, Path(digest): Path<String>) -> XrpcResult<Response> {
    let digest: Digest = digest.parse().map_err(|_| XrpcError::invalid("not a digest"))?;
    if !site.has_blob(&digest) {
        return Err(not_found());
    }
    let bytes = site.network.read_blob(&digest).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}
