//! `com.atproto.server.*` and the account's own handle.

use axum::{
    Json, Router,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Did, Handle};

use super::{
    Site, View, identity,
    token::{self, Scope},
    xrpc::{Input, Params, XrpcError, XrpcResult},
};
use crate::network::Home;

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .route("/xrpc/com.atproto.server.describeServer", get(describe_server))
        .route("/xrpc/com.atproto.server.createAccount", post(create_account))
        .route("/xrpc/com.atproto.server.createSession", post(create_session))
        .route("/xrpc/com.atproto.server.refreshSession", post(refresh_session))
        .route("/xrpc/com.atproto.server.getSession", get(get_session))
        .route("/xrpc/com.atproto.server.getServiceAuth", get(get_service_auth))
        .route("/xrpc/com.atproto.server.activateAccount", post(activate))
        .route("/xrpc/com.atproto.server.deactivateAccount", post(deactivate))
        .route("/xrpc/com.atproto.identity.updateHandle", post(update_handle))
}

async fn describe_server(State(site): State<Site>) -> Json<Value> {
    let host = match site.view {
        View::Pds(index) => site.urls.home(Home::Pds(index)),
        _ => "",
    };
    let did = format!("did:web:{}", host.trim_start_matches("http://").replace(':', "%3A"));
    Json(json!({"did": did, "availableUserDomains": [".test"], "inviteCodeRequired": false, "links": {}}))
}

#[derive(Deserialize)]
struct NewAccount {
    handle: Handle,
    password: String,
}

async fn create_account(State(site): State<Site>, Input(new): Input<NewAccount>) -> XrpcResult {
    let View::Pds(index) = site.view else { return Err(XrpcError::forbidden("accounts are made on a PDS")) };
    let did = site.network.keys.did_plc(new.handle.as_str())?;
    site.network.create_account(did.clone(), new.handle, Home::Pds(index), &new.password, None)?;
    session(&site, &did)
}

/// Fresh tokens and what goes with them.
fn session(site: &Site, did: &Did) -> XrpcResult {
    let mut session = describe_session(site, did)?;
    session["accessJwt"] = json!(token::session(&site.network.keys, did, Scope::Access));
    session["refreshJwt"] = json!(token::session(&site.network.keys, did, Scope::Refresh));
    Ok(Json(session))
}

fn describe_session(site: &Site, did: &Did) -> XrpcResult<Value> {
    let state = site.network.state();
    let account = site.account(&state, did.as_str())?;
    let mut session = json!({"did": did, "handle": account.handle, "active": account.status.is_none(),
                             "didDoc": identity::did_document(site, account)?});
    if let Some(status) = &account.status {
        session["status"] = json!(status);
    }
    Ok(session)
}

#[derive(Deserialize)]
struct Credentials {
    identifier: String,
    password: String,
}

async fn create_session(State(site): State<Site>, Input(credentials): Input<Credentials>) -> XrpcResult {
    let did = {
        let state = site.network.state();
        let account = site.account(&state, &credentials.identifier).ok();
        account.filter(|account| account.password == credentials.password).map(|account| account.did.clone())
    };
    session(&site, &did.ok_or_else(|| XrpcError::unauthorized("Invalid identifier or password"))?)
}

async fn refresh_session(State(site): State<Site>, headers: HeaderMap) -> XrpcResult {
    session(&site, &token::verify_session(&site.network.keys, &headers, Scope::Refresh)?)
}

async fn get_session(State(site): State<Site>, headers: HeaderMap) -> XrpcResult {
    describe_session(&site, &site.signed_in(&headers)?).map(Json)
}

#[derive(Deserialize)]
struct ServiceAuth {
    aud: String,
    lxm: Option<String>,
    exp: Option<u64>,
}

/// At most an hour for one method, a minute for all of them.
async fn get_service_auth(
    State(site): State<Site>,
    headers: HeaderMap,
    Params(wanted): Params<ServiceAuth>,
) -> XrpcResult {
    let did = site.signed_in(&headers)?;
    let now = token::now();
    let (exp, most) = (wanted.exp.unwrap_or(now + 60), if wanted.lxm.is_some() { 3600 } else { 60 });
    if exp < now || exp > now + most {
        return Err(XrpcError::bad("BadExpiration", format!("expiration must be within {most} s from now")));
    }
    let token = token::service(&site.network.keys, &did, &wanted.aud, wanted.lxm, exp)?;
    Ok(Json(json!({"token": token})))
}

async fn activate(State(site): State<Site>, headers: HeaderMap) -> XrpcResult<()> {
    Ok(site.network.set_status(&site.signed_in(&headers)?, None)?)
}

async fn deactivate(State(site): State<Site>, headers: HeaderMap) -> XrpcResult<()> {
    Ok(site.network.set_status(&site.signed_in(&headers)?, Some("deactivated"))?)
}

#[derive(Deserialize)]
struct NewHandle {
    handle: Handle,
}

async fn update_handle(
    State(site): State<Site>,
    headers: HeaderMap,
    Input(NewHandle { handle }): Input<NewHandle>,
) -> XrpcResult<()> {
    Ok(site.network.set_handle(&site.signed_in(&headers)?, handle)?)
}

impl Site {
    /// Whose access token the request carries.
    pub(super) fn signed_in(&self, headers: &HeaderMap) -> XrpcResult<Did> {
        let did = token::verify_session(&self.network.keys, headers, Scope::Access)?;
        self.account(&self.network.state(), did.as_str())?;
        Ok(did)
    }
}
