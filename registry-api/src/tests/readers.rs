//! What a PDS does for readers who sign in, and a private hold that believes nobody but what a PDS signed.

use std::collections::{BTreeSet, HashMap};

use atrium_crypto::verify::verify_signature;
use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};
use types::Did;

use super::{
    network::{Network, SEED, refusal},
    repo,
};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub uri: String,
    pub authorization: String,
    pub body: String,
}

/// How the PDS answers a sign-in that is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignInMood {
    #[default]
    Works,
    /// With this status and error; the message repeats the request.
    Refuses(u16, &'static str),
    Hangs,
    /// It signs somebody else in.
    Another,
    /// In JSON that is something else.
    Nonsense,
    /// The account has this status.
    Inactive(&'static str),
}

#[derive(Default)]
pub struct Readers {
    pub passwords: HashMap<Did, String>,
    pub sign_in: SignInMood,
    /// How often each session was refreshed; its tokens carry the number.
    pub generations: HashMap<Did, u32>,
    /// Whom the hold admits.
    pub admitted: BTreeSet<Did>,
    /// The hold takes no token twice.
    pub once: bool,
    taken: BTreeSet<String>,
}

pub async fn note(State(network): State<Network>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let authorization = parts.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let seen = Seen {
        uri: parts.uri.to_string(),
        authorization: authorization.unwrap_or_default(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    network.with(|state| state.seen.push(seen));
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// `createSession` and `refreshSession`. A refresh token is good for once.
pub async fn session(
    State(network): State<Network>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    network.with(|state| state.log.push(format!("/xrpc/{method}")));
    if network.with(|state| state.pds_down) {
        return refusal(502, "UpstreamFailure");
    }
    match method.as_str() {
        "com.atproto.server.createSession" => create_session(&network, &body).await,
        "com.atproto.server.refreshSession" => {
            let token = bearer(&headers);
            // Long enough that those who come together find it under way.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            network.with(|state| {
                let generations = &mut state.readers.generations;
                let found = generations.iter_mut().find(|(did, n)| token == format!("refresh-{did}-{n}"));
                let Some((did, generation)) = found else { return refusal(400, "ExpiredToken") };
                *generation += 1;
                Json(tokens(did, *generation)).into_response()
            })
        }
        _ => refusal(501, "MethodNotImplemented"),
    }
}

async fn create_session(network: &Network, body: &Bytes) -> Response {
    let sent: Value = serde_json::from_slice(body).unwrap();
    let did: Did = sent["identifier"].as_str().unwrap().parse().unwrap();
    let mood = network.with(|state| state.readers.sign_in);
    let refused = |status: u16, error: &str| {
        let status = axum::http::StatusCode::from_u16(status).unwrap();
        (status, Json(json!({ "error": error, "message": format!("you sent {sent}") }))).into_response()
    };
    let is_right =
        network.with(|state| state.readers.passwords.get(&did).is_some_and(|right| sent["password"] == **right));
    let answer = network.with(|state| {
        let generation = *state.readers.generations.entry(did.clone()).or_default();
        tokens(&did, generation)
    });
    let with = |changes: Value| {
        let mut answer = answer.clone();
        answer.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        Json(answer).into_response()
    };
    match mood {
        SignInMood::Refuses(status, error) => refused(status, error),
        SignInMood::Hangs => std::future::pending().await,
        _ if !is_right => refused(401, "AuthenticationRequired"),
        SignInMood::Works => with(json!({})),
        SignInMood::Another => with(json!({ "did": "did:plc:another" })),
        SignInMood::Nonsense => Json(json!({ "did": did, "accessJwt": 7, "sent": sent })).into_response(),
        SignInMood::Inactive(status) => with(json!({ "active": false, "status": status })),
    }
}

fn tokens(did: &Did, generation: u32) -> Value {
    json!({ "did": did, "handle": "x.test", "active": true, "accessJwt": format!("access-{did}-{generation}"),
            "refreshJwt": format!("refresh-{did}-{generation}") })
}

fn bearer(headers: &HeaderMap) -> String {
    let value = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap()).unwrap_or_default();
    value.strip_prefix("Bearer ").unwrap_or_default().to_owned()
}

/// `getServiceAuth`: signed with the key of every account here.
pub fn service_auth(network: &Network, headers: &HeaderMap, params: &HashMap<String, String>) -> Response {
    let token = bearer(headers);
    let did = network.with(|state| {
        let mut generations = state.readers.generations.iter();
        generations.find(|(did, n)| token == format!("access-{did}-{n}")).map(|(did, _)| did.clone())
    });
    let Some(did) = did else { return refusal(400, "ExpiredToken") };
    let claims = json!({ "iss": did, "aud": params["aud"], "lxm": params["lxm"], "iat": chrono::Utc::now().timestamp(),
                         "exp": params["exp"].parse::<i64>().unwrap(), "jti": rand::random::<u64>() });
    Json(json!({ "token": sign(&claims) })).into_response()
}

/// A service token as a PDS signs it.
pub fn sign(claims: &Value) -> String {
    let header = BASE64.encode(json!({ "typ": "JWT", "alg": "ES256" }).to_string());
    let signed = format!("{header}.{}", BASE64.encode(claims.to_string()));
    let signature = repo::keypair(SEED).sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64.encode(signature))
}

/// What a token says.
pub fn claims(token: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// Whether a private hold serves who comes with these headers; else the status and error of its refusal.
pub fn admits(network: &Network, headers: &HeaderMap) -> Result<(), (u16, &'static str)> {
    let token = bearer(headers);
    let invalid = |why| (401, why);
    let (signed, signature) = token.rsplit_once('.').ok_or_else(|| invalid("AuthMissing"))?;
    let signature = BASE64.decode(signature).map_err(|_| invalid("BadJwt"))?;
    verify_signature(&repo::did_key(SEED), signed.as_bytes(), &signature).map_err(|_| invalid("BadJwtSignature"))?;
    let (claims, now) = (claims(&token), chrono::Utc::now().timestamp());
    if claims["aud"] != json!(network.hold()) || claims["lxm"] != "com.atproto.sync.getBlob" {
        return Err(invalid("BadJwtAudience"));
    }
    if !(now..=now + 60).contains(&claims["exp"].as_i64().unwrap()) {
        return Err(invalid("JwtExpired"));
    }
    let did: Did = claims["iss"].as_str().unwrap().parse().unwrap();
    network.with(|state| {
        if !state.readers.taken.insert(token) && state.readers.once {
            return Err((401, "NonceNotUnique"));
        }
        if state.readers.admitted.contains(&did) { Ok(()) } else { Err((403, "Forbidden")) }
    })
}

pub async fn hold_document(State(network): State<Network>) -> Json<Value> {
    Json(json!({ "id": network.hold(), "service": [
        { "id": "#atcr_hold", "type": "AtcrHoldService", "serviceEndpoint": network.url }] }))
}
