//! The resolver against a small PLC directory and handle resolver.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use types::{Did, Handle};
use url::Url;

use super::{Ages, IdentityError, Resolver, ResolverConfig};
use crate::{
    Outbound, OutboundError,
    testing::{Names, outbound, outbound_with, serve},
};

/// What the directory and the handle resolver know, and how often they were asked.
#[derive(Default)]
struct Network {
    documents: HashMap<String, Value>,
    handles: HashMap<String, String>,
    down: bool,
    asked: usize,
}

type Shared = Arc<Mutex<Network>>;

async fn plc(State(network): State<Shared>, Path(did): Path<String>) -> Response {
    // Long enough that callers who come together find the first one still waiting.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let mut network = network.lock().unwrap();
    network.asked += 1;
    match network.documents.get(&did) {
        _ if network.down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Value::Null) => (StatusCode::GONE, Json(json!({ "message": "DID not available" }))).into_response(),
        Some(document) => Json(document.clone()).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({ "message": "DID not registered" }))).into_response(),
    }
}

async fn resolve_handle(State(network): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Response {
    let mut network = network.lock().unwrap();
    network.asked += 1;
    match network.handles.get(&query["handle"]) {
        _ if network.down => StatusCode::BAD_GATEWAY.into_response(),
        Some(did) => Json(json!({ "did": did })).into_response(),
        None => (StatusCode::BAD_REQUEST, Json(json!({ "error": "InvalidRequest", "message": "Unable to resolve" })))
            .into_response(),
    }
}

fn document(did: &str, handle: &str) -> Value {
    json!({ "id": did, "alsoKnownAs": [format!("at://{handle}")],
            "service": [{ "id": "#atproto_pds", "type": "AtprotoPersonalDataServer",
                          "serviceEndpoint": "https://pds.example.com" }] })
}

fn network() -> Shared {
    let documents = [
        ("did:plc:alice", document("did:plc:alice", "alice.test")),
        ("did:plc:mallory", document("did:plc:mallory", "alice.test")),
        ("did:plc:wrong", document("did:plc:alice", "alice.test")),
        ("did:plc:gone", Value::Null),
        ("did:plc:mute", json!({ "id": "did:plc:mute" })),
    ];
    let network = Network {
        documents: documents.into_iter().map(|(did, document)| (did.to_owned(), document)).collect(),
        handles: HashMap::from([("alice.test".into(), "did:plc:alice".into())]),
        ..Network::default()
    };
    Arc::new(Mutex::new(network))
}

async fn resolver_with(network: &Shared, outbound: Outbound, ages: Ages) -> Resolver {
    let app = Router::new()
        .route("/xrpc/com.atproto.identity.resolveHandle", get(resolve_handle))
        .route("/{did}", get(plc))
        .with_state(network.clone());
    let url = serve(app).await;
    let config = ResolverConfig { plc_url: url.clone(), handle_resolver_url: Some(url) };
    Resolver::with_ages(outbound, &config, ages).unwrap()
}

async fn resolver(network: &Shared) -> Resolver {
    resolver_with(network, outbound(), Ages::USUAL).await
}

fn did(name: &str) -> Did {
    format!("did:plc:{name}").parse().unwrap()
}

fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_handle_is_believed_in_both_directions_only() {
    let resolver = resolver(&network()).await;
    assert_eq!(resolver.verified_handle(&did("alice")).await.unwrap(), Some(handle("alice.test")));
    assert_eq!(resolver.verified_did(&handle("alice.test")).await.unwrap(), Some(did("alice")));
    assert_eq!(resolver.verified_handle(&did("mallory")).await.unwrap(), None);
    assert_eq!(resolver.verified_handle(&did("mute")).await.unwrap(), None);
    assert_eq!(resolver.resolve_handle(&handle("nobody.test")).await.unwrap(), None);
    assert_eq!(resolver.pds_endpoint(&did("alice")).await.unwrap().as_str(), "https://pds.example.com/");
}

#[tokio::test]
async fn what_is_wrong_is_told_apart() {
    let network = network();
    let resolver = resolver(&network).await;
    let error = async |name: &str| resolver.did_document(&did(name)).await.unwrap_err();
    assert!(matches!(error("nobody").await, IdentityError::NotFound(_)));
    assert!(matches!(error("gone").await, IdentityError::Tombstoned(_)));
    assert!(matches!(error("wrong").await, IdentityError::WrongId { found, .. } if found == did("alice")));
    assert!(matches!(resolver.pds_endpoint(&did("mute")).await.unwrap_err(), IdentityError::NoEndpoint(_)));
    for odd in ["did:key:zQ3", "did:web:a.example:users:b", "did:web:a.example%3A8443"] {
        let error = resolver.did_document(&odd.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, IdentityError::Unsupported(_)) && !error.is_transient(), "{odd}");
    }
    network.lock().unwrap().down = true;
    assert!(error("alice").await.is_transient());
    assert!(resolver.resolve_handle(&handle("alice.test")).await.unwrap_err().is_transient());
}

/// On the public network nobody is asked about `.test`, nor is a directory on loopback.
#[tokio::test]
async fn the_strict_dialer_asks_nobody_here() {
    let network = network();
    let resolver = resolver_with(&network, outbound_with(false, Names::of([])), Ages::USUAL).await;
    assert_eq!(resolver.resolve_handle(&handle("alice.test")).await.unwrap(), None);
    let error = resolver.did_document(&did("alice")).await.unwrap_err();
    assert!(matches!(error, IdentityError::Outbound(OutboundError::Blocked { .. })), "{error}");
    assert_eq!(network.lock().unwrap().asked, 0);
}

#[tokio::test]
async fn callers_who_come_together_share_a_look_up() {
    let network = network();
    let resolver = resolver(&network).await;
    let alice = did("alice");
    let answers = futures::future::join_all((0..20).map(|_| resolver.did_document(&alice))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(network.lock().unwrap().asked, 1);
    resolver.did_document(&alice).await.unwrap();
    assert_eq!(network.lock().unwrap().asked, 1);
    resolver.invalidate(&alice).await;
    resolver.did_document(&alice).await.unwrap();
    assert_eq!(network.lock().unwrap().asked, 2);
}

#[tokio::test]
async fn renewing_asks_for_both_directions() {
    let network = network();
    let resolver = resolver(&network).await;
    assert_eq!(resolver.renew(&did("alice")).await.unwrap().handle, Some(handle("alice.test")));
    {
        let mut network = network.lock().unwrap();
        network.documents.insert("did:plc:alice".into(), document("did:plc:alice", "alicia.test"));
        network.handles.insert("alicia.test".into(), "did:plc:alice".into());
    }
    assert_eq!(resolver.verified_handle(&did("alice")).await.unwrap(), Some(handle("alice.test")));
    assert_eq!(resolver.renew(&did("alice")).await.unwrap().handle, Some(handle("alicia.test")));
    assert_eq!(resolver.verified_handle(&did("alice")).await.unwrap(), Some(handle("alicia.test")));
    network.lock().unwrap().handles.remove("alicia.test");
    assert_eq!(resolver.renew(&did("alice")).await.unwrap().handle, None);
}

/// Polls, for a background look-up to be seen.
async fn eventually<T: PartialEq + std::fmt::Debug>(expected: T, mut actual: impl AsyncFnMut() -> T) {
    for _ in 0..200 {
        if actual().await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never {expected:?}, but {:?}", actual().await);
}

#[tokio::test]
async fn stale_answers_are_replaced_in_the_background_and_end() {
    let network = network();
    let ages = Ages {
        fresh: Duration::ZERO,
        most: Duration::from_millis(600),
        nothing: Duration::from_millis(50),
        retry: Duration::from_millis(50),
    };
    let resolver = resolver_with(&network, outbound(), ages).await;
    let first = async || resolver.did_document(&did("alice")).await.ok().and_then(|d| d.handles().next());
    assert_eq!(first().await, Some(handle("alice.test")));
    let renamed = document("did:plc:alice", "alicia.test");
    network.lock().unwrap().documents.insert("did:plc:alice".into(), renamed);
    assert_eq!(first().await, Some(handle("alice.test")), "the stale answer is given at once");
    eventually(Some(handle("alicia.test")), &first).await;
    network.lock().unwrap().down = true;
    assert_eq!(first().await, Some(handle("alicia.test")), "down: the stale answer stays");
    eventually(None, &first).await;
}

#[tokio::test]
async fn a_stale_answer_that_is_denied_goes() {
    let network = network();
    let ages = Ages { fresh: Duration::ZERO, retry: Duration::from_millis(50), ..Ages::USUAL };
    let resolver = resolver_with(&network, outbound(), ages).await;
    assert!(resolver.did_document(&did("alice")).await.is_ok());
    network.lock().unwrap().documents.insert("did:plc:alice".into(), Value::Null);
    eventually(false, async || resolver.did_document(&did("alice")).await.is_ok()).await;
}

#[tokio::test]
async fn a_did_web_on_loopback_and_its_hold() {
    let network = network();
    let resolver = resolver(&network).await;
    let served = Arc::new(Mutex::new(json!({})));
    let well_known = |State(document): State<Arc<Mutex<Value>>>| async move { Json(document.lock().unwrap().clone()) };
    let app = Router::new().route("/.well-known/did.json", get(well_known)).with_state(served.clone());
    let origin: Url = serve(app).await;
    let hold = Did::web("127.0.0.1", origin.port()).unwrap();
    assert_eq!(resolver.hold_endpoint(&hold).await.unwrap(), origin, "an unreadable document: the host itself");
    let service = json!([{ "id": "#atcr_hold", "type": "AtcrHoldService", "serviceEndpoint": "https://hold.example" }]);
    *served.lock().unwrap() = json!({ "id": hold, "service": service });
    assert_eq!(resolver.hold_endpoint(&hold).await.unwrap().as_str(), "https://hold.example/");
    assert!(matches!(resolver.hold_endpoint(&did("nobody")).await, Err(IdentityError::NotFound(_))));
    assert!(matches!(resolver.hold_endpoint(&did("mute")).await, Err(IdentityError::NoEndpoint(_))));
}

/// A host that serves no document, or another's, or nothing usable, is still the hold that its name says; an account of such a
/// name has no document at all.
#[tokio::test]
async fn a_did_web_without_its_document_is_a_hold_and_no_account() {
    let network = network();
    let resolver = resolver(&network).await;
    for (status, body) in [
        (StatusCode::NOT_FOUND, String::new()),
        (StatusCode::GONE, String::new()),
        (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        (StatusCode::OK, "<html>".to_owned()),
        (StatusCode::OK, json!({ "id": "did:web:other.example" }).to_string()),
    ] {
        let answer = body.clone();
        let app = Router::new().route("/.well-known/did.json", get(move || async move { (status, answer) }));
        let origin: Url = serve(app).await;
        let hold = Did::web("127.0.0.1", origin.port()).unwrap();
        assert_eq!(resolver.hold_endpoint(&hold).await.unwrap(), origin, "{status} {body}");
        let refused = resolver.did_document(&hold).await.unwrap_err();
        let told = match (status, &refused) {
            (StatusCode::NOT_FOUND, IdentityError::NotFound(_)) | (StatusCode::GONE, IdentityError::Tombstoned(_)) => {
                true
            }
            (StatusCode::INTERNAL_SERVER_ERROR, error) => error.is_transient(),
            (StatusCode::OK, IdentityError::WrongId { .. } | IdentityError::Outbound(_)) => !refused.is_transient(),
            _ => false,
        };
        assert!(told, "{status} {body}: {refused:?}");
        assert!(resolver.renew(&hold).await.is_err() && resolver.pds_endpoint(&hold).await.is_err());
    }
}

/// Who is asked for a password has to be who the handle means now.
#[tokio::test]
async fn a_handle_is_asked_afresh_when_it_matters() {
    let network = network();
    let resolver = resolver(&network).await;
    let alice = handle("alice.test");
    assert_eq!(resolver.verified_did(&alice).await.unwrap(), Some(did("alice")));
    network.lock().unwrap().handles.insert("alice.test".into(), "did:plc:mallory".into());
    assert_eq!(resolver.verified_did(&alice).await.unwrap(), Some(did("alice")), "it is remembered");
    assert_eq!(resolver.renew_handle(&alice).await.unwrap().unwrap().id, did("mallory"));
    assert_eq!(resolver.verified_did(&alice).await.unwrap(), Some(did("mallory")));
    network.lock().unwrap().handles.insert("alice.test".into(), "did:plc:mute".into());
    assert!(resolver.renew_handle(&alice).await.unwrap().is_none(), "its account does not claim it");
    assert!(resolver.renew_handle(&handle("nobody.test")).await.unwrap().is_none());
    network.lock().unwrap().down = true;
    resolver.renew_handle(&alice).await.unwrap_err();
    resolver.renew_document(&did("alice")).await.unwrap_err();
}
