//! Handles and DID documents.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Did, Handle};

use super::{
    Site,
    xrpc::{Params, XrpcError, XrpcResult},
};
use crate::{
    Result,
    network::{Account, Home},
};

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .route("/xrpc/com.atproto.identity.resolveHandle", get(resolve_handle))
        .route("/.well-known/atproto-did", get(well_known_did))
}

/// The account's DID document, with a Multikey (<https://atproto.com/specs/did#did-documents>).
pub(crate) fn did_document(site: &Site, account: &Account) -> Result<Value> {
    let (did, endpoint) = (&account.did, site.urls.home(account.home));
    let key = site.network.keys.did_key(did)?;
    let mut services =
        vec![json!({"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": endpoint})];
    if matches!(account.home, Home::Hold(_)) {
        services.push(json!({"id": "#atcr_hold", "type": "AtcrHoldService", "serviceEndpoint": endpoint}));
    }
    Ok(json!({
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1",
                     "https://w3id.org/security/suites/secp256k1-2019/v1"],
        "id": did,
        "alsoKnownAs": [format!("at://{}", account.handle)],
        "verificationMethod": [{"id": format!("{did}#atproto"), "type": "Multikey", "controller": did,
                                "publicKeyMultibase": key.trim_start_matches("did:key:")}],
        "service": services,
    }))
}

/// The key that signs for an account, as its document names it: a `did:key`.
pub(super) fn signing_key(document: &Value) -> Option<String> {
    let id = format!("{}#atproto", document["id"].as_str()?);
    let method = document["verificationMethod"].as_array()?.iter().find(|method| method["id"] == id)?;
    Some(format!("did:key:{}", method["publicKeyMultibase"].as_str()?))
}

#[derive(Deserialize)]
struct Resolve {
    handle: String,
}

/// Answers for every account of the network, as a resolver does that asks others.
async fn resolve_handle(State(site): State<Site>, Params(Resolve { handle }): Params<Resolve>) -> XrpcResult {
    let handle: Handle = handle.parse().map_err(|_| XrpcError::invalid("handle is not a valid handle"))?;
    let state = site.network.state();
    let account = state.by_handle(&handle).ok_or_else(|| XrpcError::invalid("Unable to resolve handle"))?;
    Ok(Json(json!({"did": account.did})))
}

async fn well_known_did(State(site): State<Site>, headers: HeaderMap) -> Result<String, StatusCode> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let handle: Handle = host.split(':').next().unwrap_or_default().parse().map_err(|_| StatusCode::NOT_FOUND)?;
    let did: Option<Did> = {
        let state = site.network.state();
        state.by_handle(&handle).filter(|account| site.view.shows(account.home)).map(|account| account.did.clone())
    };
    did.map(String::from).ok_or(StatusCode::NOT_FOUND)
}
