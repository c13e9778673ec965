use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use serde_json::json;
use types::{Did, Digest};
use url::Url;

use super::{Caller, HoldClient, HoldError, HoldTarget};
use crate::testing::{Names, outbound, outbound_with, serve};

const CONFIG: &[u8] = br#"{"config":{}}"#;

/// Every request that a hold saw: method, URI, body.
type Log = Arc<Mutex<Vec<String>>>;
type Behaviour = fn(&str) -> Response;

async fn record(State((log, behaviour)): State<(Log, Behaviour)>, request: Request<Body>) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 10_000).await.unwrap();
    log.lock().unwrap().push(format!("{line} {}", String::from_utf8_lossy(&body)));
    if path == "/hang" { std::future::pending().await } else { behaviour(&path) }
}

async fn hold(behaviour: Behaviour) -> (Url, Log) {
    let log = Log::default();
    (serve(Router::new().fallback(record).with_state((log.clone(), behaviour))).await, log)
}

fn current(endpoint: &Url) -> HoldTarget {
    HoldTarget::Current { did: Did::web("127.0.0.1", endpoint.port()).unwrap(), endpoint: endpoint.clone() }
}

fn legacy(endpoint: &Url) -> HoldTarget {
    HoldTarget::Legacy { endpoint: endpoint.clone() }
}

fn owner() -> Did {
    "did:plc:owner".parse().unwrap()
}

async fn locate(target: &HoldTarget) -> Result<Url, HoldError> {
    HoldClient::new(outbound()).locate_blob(target, &owner(), &Digest::sha256(CONFIG)).await
}

async fn read(target: &HoldTarget, max_bytes: u64) -> Result<Bytes, HoldError> {
    HoldClient::new(outbound()).read_blob(target, &owner(), &Digest::sha256(CONFIG), max_bytes).await
}

fn json_bytes() -> Response {
    ([(CONTENT_TYPE, "application/json")], CONFIG).into_response()
}

#[tokio::test]
async fn a_redirect_is_followed_by_whoever_reads() {
    let (url, log) = hold(|path| match path {
        "/bytes" => CONFIG.into_response(),
        _ => Redirect::temporary("/bytes?signature=1").into_response(),
    })
    .await;
    assert_eq!(locate(&current(&url)).await.unwrap(), url.join("/bytes?signature=1").unwrap());
    let asked = format!("did=did%3Aplc%3Aowner&cid={}", Digest::sha256(CONFIG)).replace("sha256:", "sha256%3A");
    assert_eq!(log.lock().unwrap().as_slice(), [format!("GET /xrpc/com.atproto.sync.getBlob?{asked} ")]);
    assert_eq!(read(&current(&url), 1000).await.unwrap(), CONFIG);
}

#[tokio::test]
async fn a_json_pointer_and_bytes() {
    let (url, _) = hold(|path| match path {
        "/bytes" => CONFIG.into_response(),
        _ => Json(json!({ "url": "https://bucket.example/x?signature=1" })).into_response(),
    })
    .await;
    let (owner, digest) = (owner(), Digest::sha256(CONFIG));
    let client = HoldClient::new(outbound_with(true, Names::of([("bucket.example", "127.0.0.1")])));
    let located = client.locate_blob(&current(&url), &owner, &digest).await.unwrap();
    assert_eq!(located.as_str(), "https://bucket.example/x?signature=1");
    let client = HoldClient::new(outbound_with(true, Names::of([])));
    let nowhere = client.locate_blob(&current(&url), &owner, &digest).await;
    assert!(matches!(nowhere, Err(HoldError::Down(_))), "a name that does not resolve is no place to send anybody to");
    for behaviour in
        [(|_| CONFIG.into_response()) as Behaviour, |_| json_bytes(), |_| vec![b'x'; 100_000].into_response()]
    {
        let (url, _) = hold(behaviour).await;
        assert!(locate(&current(&url)).await.unwrap().as_str().starts_with(url.as_str()));
    }
    let (url, _) = hold(|_| json_bytes()).await;
    assert_eq!(read(&current(&url), 1000).await.unwrap(), CONFIG);
    assert!(matches!(read(&current(&url), 5).await, Err(HoldError::Unusable(_))));
}

#[tokio::test]
async fn wrong_bytes_are_never_given() {
    for target in [current, legacy] {
        let (url, _) = hold(|_| "something else".into_response()).await;
        assert!(matches!(read(&target(&url), 1000).await, Err(HoldError::WrongHash { .. })));
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, kind) in
        [(401, "denied"), (403, "denied"), (404, "not found"), (500, "down"), (503, "down"), (418, "odd")]
    {
        let behaviour: Behaviour = match status {
            401 => |_| StatusCode::UNAUTHORIZED.into_response(),
            403 => |_| StatusCode::FORBIDDEN.into_response(),
            404 => |_| StatusCode::NOT_FOUND.into_response(),
            500 => |_| StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            503 => |_| StatusCode::SERVICE_UNAVAILABLE.into_response(),
            _ => |_| StatusCode::IM_A_TEAPOT.into_response(),
        };
        let (url, log) = hold(behaviour).await;
        for target in [current(&url), legacy(&url)] {
            let found = match locate(&target).await.unwrap_err() {
                HoldError::Denied(_) => "denied",
                HoldError::NotFound(_) => "not found",
                HoldError::Down(_) => "down",
                HoldError::Unusable(_) => "odd",
                HoldError::WrongHash { .. } => "wrong",
            };
            assert_eq!(found, kind, "{status} {target:?}");
        }
        assert!(!log.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_location_that_the_guard_refuses() {
    for target in ["ftp://127.0.0.1/x", "http://user:pw@127.0.0.1/x", "javascript:alert(1)"] {
        let behaviour: Behaviour = match target {
            "ftp://127.0.0.1/x" => |_| Redirect::temporary("ftp://127.0.0.1/x").into_response(),
            "javascript:alert(1)" => |_| Json(json!({ "url": "javascript:alert(1)" })).into_response(),
            _ => |_| Json(json!({ "url": "http://user:pw@127.0.0.1/x" })).into_response(),
        };
        let (url, _) = hold(behaviour).await;
        for hold in [current(&url), legacy(&url)] {
            assert!(matches!(locate(&hold).await, Err(HoldError::Unusable(_))), "{target}");
        }
    }
}

/// A legacy hold believes the DID that it is told: the owner's would open everything.
#[tokio::test]
async fn a_legacy_hold_never_hears_of_the_owner() {
    let behaviours: [Behaviour; 3] = [
        |path| match path {
            "/get-presigned-url" => Json(json!({ "url": "http://127.0.0.1:1/presigned" })).into_response(),
            _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
        |path| match path {
            "/get-presigned-url" => StatusCode::NOT_FOUND.into_response(),
            _ => CONFIG.into_response(),
        },
        |path| match path {
            "/get-presigned-url" => Json(json!({})).into_response(),
            _ => Redirect::temporary("http://127.0.0.1:1/presigned").into_response(),
        },
    ];
    for (requests, behaviour) in [1, 2, 2].into_iter().zip(behaviours) {
        let (url, log) = hold(behaviour).await;
        locate(&legacy(&url)).await.unwrap();
        let log = log.lock().unwrap().clone();
        let digest = Digest::sha256(CONFIG);
        assert_eq!(log[0], format!(r#"POST /get-presigned-url {{"did":"","digest":"{digest}"}}"#));
        assert_eq!(log.len(), requests);
        assert!(log.iter().skip(1).all(|line| *line == format!("GET /blobs/{digest}?did= ")), "{log:?}");
        assert!(!log.iter().any(|line| line.contains("owner")), "{log:?}");
    }
}

#[tokio::test]
async fn a_hold_that_hangs_or_is_gone_is_down() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    for target in [current(&gone), legacy(&gone)] {
        assert!(matches!(locate(&target).await, Err(HoldError::Down(_))));
    }
    let (url, _) = hold(|_| Redirect::temporary("/hang").into_response()).await;
    let client = HoldClient { outbound: outbound(), patience: std::time::Duration::from_millis(200) };
    let hung = client.read_blob(&current(&url), &owner(), &Digest::sha256(CONFIG), 1000).await;
    assert!(matches!(hung, Err(HoldError::Down(_))));
}

#[tokio::test]
async fn the_captain_speaks() {
    let (url, log) =
        hold(|_| Json(json!({ "uri": "at://x/io.atcr.hold.captain/self", "value": {} })).into_response()).await;
    let did: Did = "did:web:hold.example".parse().unwrap();
    let captain = HoldClient::new(outbound()).captain(&did, &url).await.unwrap().unwrap();
    assert_eq!((captain.rkey(), captain.cid), ("self", None));
    assert!(log.lock().unwrap()[0].contains("collection=io.atcr.hold.captain&rkey=self"));
}

/// Everything that a request said, its authorization first.
async fn confide(State((log, next)): State<(Log, &'static str)>, request: Request<Body>) -> Response {
    let token = request.headers().get("authorization").map(|value| value.to_str().unwrap()).unwrap_or("nothing");
    let line = format!("{token} {}", request.uri());
    let body = axum::body::to_bytes(request.into_body(), 10_000).await.unwrap();
    log.lock().unwrap().push(format!("{line} {}", String::from_utf8_lossy(&body)));
    match next {
        "" => CONFIG.into_response(),
        next => Redirect::temporary(next).into_response(),
    }
}

#[tokio::test]
async fn a_token_goes_to_the_hold_and_no_further() {
    let log = Log::default();
    let bucket = serve(Router::new().fallback(confide).with_state((log.clone(), ""))).await;
    let location: &'static str = bucket.join("/x?signature=1").unwrap().to_string().leak();
    let hold = serve(Router::new().fallback(confide).with_state((log.clone(), location))).await;
    let (owner, digest, token) = (owner(), Digest::sha256(CONFIG), "SECRET".to_owned().into());
    let client = HoldClient::new(outbound());
    let ask = async |caller, target: &HoldTarget| client.locate_blob_for(caller, target, &owner, &digest).await;
    let located = ask(Caller::Token(&token), &current(&hold)).await.unwrap();
    assert_eq!(located.as_str(), location);
    let lines = std::mem::take(&mut *log.lock().unwrap());
    assert!(lines.len() == 1 && lines[0].starts_with("Bearer SECRET /xrpc/com.atproto.sync.getBlob?did="), "{lines:?}");
    assert!(!format!("{:?}", Caller::Token(&token)).contains("SECRET"));
    // Bytes that want a token are nowhere that anybody could be sent to.
    let own = ask(Caller::Token(&token), &current(&bucket)).await;
    assert!(matches!(own, Err(HoldError::Unusable(_))), "{own:?}");
    assert!(!format!("{own:?}").contains("SECRET"));
    log.lock().unwrap().clear();
    // The callers of one generation are no use to the other.
    let reader: Did = "did:plc:reader".parse().unwrap();
    ask(Caller::Account(&reader), &current(&hold)).await.unwrap();
    ask(Caller::Token(&token), &legacy(&bucket)).await.unwrap();
    ask(Caller::Account(&reader), &legacy(&bucket)).await.unwrap();
    let lines = log.lock().unwrap().clone();
    assert!(lines.iter().all(|line| line.starts_with("nothing ")), "{lines:?}");
    let told: Vec<bool> = lines.iter().map(|line| line.contains("reader")).collect();
    assert_eq!(told, [false, false, false, true, true], "{lines:?}");
    assert!(lines[4].contains("?did=did%3Aplc%3Areader "), "{lines:?}");
}
