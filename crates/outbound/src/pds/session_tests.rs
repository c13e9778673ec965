use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Redirect, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use types::Did;

use super::{AccountState, Pds, SessionError};
use crate::testing::{outbound, serve};

type Log = Arc<Mutex<Vec<String>>>;

/// A PDS that gives everyone the same answer, and repeats what it was sent.
#[derive(Clone)]
struct Parrot {
    status: StatusCode,
    answer: Value,
    log: Log,
}

async fn answer(State(parrot): State<Parrot>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let token = headers.get("authorization").map(|value| value.to_str().unwrap()).unwrap_or_default();
    let sent = format!("{uri} {token} {}", String::from_utf8_lossy(&body));
    parrot.log.lock().unwrap().push(sent.clone());
    if parrot.status.is_redirection() {
        return Redirect::temporary("/elsewhere").into_response();
    }
    let mut answer = parrot.answer;
    answer["message"] = json!(sent);
    (parrot.status, Json(answer)).into_response()
}

async fn pds(status: u16, answers: Value) -> (Pds, Log) {
    let parrot = Parrot { status: StatusCode::from_u16(status).unwrap(), answer: answers, log: Log::default() };
    let log = parrot.log.clone();
    (Pds::new(outbound(), serve(Router::new().fallback(answer).with_state(parrot)).await), log)
}

fn account() -> Did {
    "did:plc:reader".parse().unwrap()
}

fn tokens(did: &str) -> Value {
    json!({ "did": did, "handle": "reader.test", "accessJwt": "ACCESS", "refreshJwt": "REFRESH" })
}

#[tokio::test]
async fn a_session_its_successor_and_a_token() {
    let (pds, log) = pds(200, tokens("did:plc:reader")).await;
    let session = pds.create_session(&account(), &SecretString::from("PASSWORD")).await.unwrap();
    assert_eq!((session.access.expose_secret(), session.refresh.expose_secret()), ("ACCESS", "REFRESH"));
    pds.refresh_session(&session).await.unwrap();
    let hold = "did:web:127.0.0.1%3A8080".parse().unwrap();
    // It lacks a token.
    let unusable = pds.service_token(&session, &hold, "com.atproto.sync.getBlob", 1_800_000_000).await.unwrap_err();
    assert!(matches!(unusable, SessionError::Unusable(_)), "{unusable:?}");
    assert_eq!(
        log.lock().unwrap().as_slice(),
        [
            r#"/xrpc/com.atproto.server.createSession  {"identifier":"did:plc:reader","password":"PASSWORD"}"#,
            "/xrpc/com.atproto.server.refreshSession Bearer REFRESH ",
            "/xrpc/com.atproto.server.getServiceAuth?aud=did%3Aweb%3A127.0.0.1%253A8080&lxm=com.atproto.sync.getBlob\
             &exp=1800000000 Bearer ACCESS ",
        ]
    );
}

#[tokio::test]
async fn refusals_are_told_apart_and_repeat_no_secret() {
    for (status, body, expected) in [
        (401, json!({ "error": "AuthenticationRequired" }), "the PDS refuses the credentials"),
        (400, json!({ "error": "ExpiredToken" }), "the PDS refuses the credentials"),
        (401, json!({ "error": "AuthFactorTokenRequired" }), "the account asks for a second factor"),
        (400, json!({ "error": "AccountTakedown" }), "the account is taken down"),
        (401, json!({ "error": "AccountTakedown" }), "the account is taken down"),
        (429, json!({ "error": "RateLimitExceeded" }), "the PDS limits how often it is asked"),
        (500, json!({ "error": "PASSWORD" }), "the PDS is down"),
        (400, json!({ "error": "PASSWORD" }), "the PDS's answer is unusable"),
        (307, json!({}), "the PDS's answer is unusable"),
        (200, json!({ "did": "PASSWORD" }), "the PDS's answer is unusable"),
        (200, json!({ "accessJwt": "PASSWORD" }), "the PDS's answer is unusable"),
        (200, tokens("did:plc:other"), "the PDS answered for did:plc:other"),
    ] {
        let (pds, log) = pds(status, body.clone()).await;
        let error = pds.create_session(&account(), &SecretString::from("PASSWORD")).await.unwrap_err();
        assert_eq!(error.to_string(), expected, "{status} {body}");
        assert!(!format!("{error:?}").contains("PASSWORD"), "{status} {body}: {error:?}");
        assert_eq!(log.lock().unwrap().len(), 1, "a password is not sent after a redirect");
    }
    let mut inactive = tokens("did:plc:reader");
    inactive["active"] = json!(false);
    let (pds, _) = pds(200, inactive).await;
    let error = pds.create_session(&account(), &SecretString::from("PASSWORD")).await.unwrap_err();
    assert!(matches!(error, SessionError::Account(AccountState::Deactivated)));
}
