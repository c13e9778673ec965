//! The PLC directory, to read (<https://web.plc.directory/>).

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use serde_json::{Value, json};
use types::Did;

use super::{Site, identity};
use crate::network::Home;

pub(crate) fn router(site: Site) -> Router {
    Router::new()
        .route("/_health", get(async || Json(json!({"version": "devnet"}))))
        .route("/{did}", get(document))
        .route("/{did}/data", get(data))
        .with_state(site)
}

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

fn not_registered(status: StatusCode, did: &str) -> (StatusCode, Json<Value>) {
    let what = if status == StatusCode::GONE { "not available" } else { "not registered" };
    (status, Json(json!({"message": format!("DID {what}: {did}")})))
}

async fn document(State(site): State<Site>, Path(did): Path<String>) -> Answer {
    let parsed: Did = did.parse().map_err(|_| not_registered(StatusCode::NOT_FOUND, &did))?;
    let state = site.network.state();
    let account = state
        .account(&parsed)
        .filter(|account| matches!(account.home, Home::Pds(_)))
        .ok_or_else(|| not_registered(StatusCode::NOT_FOUND, &did))?;
    if account.status.as_deref() == Some("deleted") {
        return Err(not_registered(StatusCode::GONE, &did));
    }
    let document = identity::did_document(&site, account);
    document.map(Json).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"message": error.to_string()}))))
}

async fn data(State(site): State<Site>, Path(did): Path<String>) -> Answer {
    let Json(document) = document(State(site), Path(did)).await?;
    let key = document["verificationMethod"][0]["publicKeyMultibase"].as_str().unwrap_or_default();
    Ok(Json(json!({
        "did": document["id"], "alsoKnownAs": document["alsoKnownAs"], "rotationKeys": [format!("did:key:{key}")],
        "verificationMethods": {"atproto": format!("did:key:{key}")},
        "services": {"atproto_pds": {"type": "AtprotoPersonalDataServer",
                                     "endpoint": document["service"][0]["serviceEndpoint"]}},
    })))
}
