//! The relay: every PDS and every hold but one, as one stream.

use axum::{Json, Router, extract::State, routing::get};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Site, identity, sync,
    xrpc::{Params, unknown_method},
};

pub(crate) fn router(site: Site) -> Router {
    sync::listing()
        .merge(identity::router())
        .route("/xrpc/_health", get(async || Json(json!({"status": "ok"}))))
        .route("/xrpc/com.atproto.sync.listReposByCollection", get(list_repos_by_collection))
        .fallback(unknown_method)
        .with_state(site)
}

#[derive(Deserialize)]
struct ByCollection {
    collection: String,
}

async fn list_repos_by_collection(
    State(site): State<Site>,
    Params(ByCollection { collection }): Params<ByCollection>,
    Params(page): Params<sync::Page>,
) -> Json<Value> {
    page.repos(
        &site,
        |account| account.status.is_none() && account.repo.list(&collection).next().is_some(),
        |account| Some(json!({"did": account.did})),
    )
}
