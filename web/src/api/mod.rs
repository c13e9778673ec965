//! `/api/v1`: the index as JSON. One file a noun; lists are `[]`, never null; errors are `{error, message}`.

mod holds;
mod repository;
mod search;
pub mod status;
mod user;

use axum::{Router, extract::OriginalUri, routing::get};
use serde::Serialize;

use crate::{error::WebError, live, state::Web};

/// A list and where its next part begins.
#[derive(Serialize)]
struct List<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// The routes below `/api/v1`. `/` in a repository's name is percent-encoded.
pub fn router() -> Router<Web> {
    Router::new()
        .route("/status", get(status::get))
        .route("/search", get(search::get))
        .route("/events", get(live::json))
        .route("/holds", get(holds::list))
        .route("/holds/{did}", get(holds::get))
        .route("/search/suggestions", get(search::suggestions))
        .route("/repositories/{owner}/{repository}", get(repository::get))
        .route("/repositories/{owner}/{repository}/tags", get(repository::list_tags))
        .route("/repositories/{owner}/{repository}/tags/{tag}/history", get(repository::history))
        .route("/repositories/{owner}/{repository}/manifests/{digest}", get(repository::manifest))
        .route("/users/{owner}", get(user::get))
        .route("/users/{owner}/stars", get(user::stars))
        .fallback(unknown)
}

/// What is not there. The whole address is said, not what is left of it below `/api/v1`.
pub async fn unknown(OriginalUri(address): OriginalUri) -> WebError {
    WebError::NoPage { path: address.path().chars().take(200).collect() }
}
