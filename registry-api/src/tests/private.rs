//! Blobs of private holds, for those who may read them.

use std::sync::Arc;

use axum::{body::Body, http::Request};
use futures::future::join_all;
use serde_json::{Value, json};
use service::config::Blobs;
use types::Did;

use super::{
    app::{Answer, App, Image, tag_path, tag_record},
    network::{HoldMood, Network},
    readers::{self, Seen},
    sign_in::{reader, token},
};
use crate::{Registry, RegistryConfig};

const LAYER: &[u8] = b"for Carol and her crew";
const NAME: &str = "alice.test/app";
const GET_BLOB: &str = "getBlob?did=did%3Aplc%3Aalice";
const MINT: &str = "getServiceAuth";

fn captain(owner: &str, public: bool) -> Value {
    json!({ "$type": "io.atcr.hold.captain", "owner": owner, "public": public, "allowAllCrew": true,
            "enableBlueskyPosts": false, "deployedAt": "2026-01-10T12:00:00Z" })
}

fn crew(member: &str, permissions: &[&str]) -> Value {
    json!({ "$type": "io.atcr.hold.crew", "member": member, "role": "x", "permissions": permissions,
            "addedAt": "2026-01-10T12:00:00Z" })
}

/// Alice's image on Carol's private hold, of whose crew are bob, dan and erin; and the path of its layer. Everybody has a
/// password; the hold admits those who may read.
async fn app() -> (App, String) {
    app_as(|_| {}).await
}

async fn app_as(change: impl FnOnce(&mut RegistryConfig)) -> (App, String) {
    let app = App::start_as(change).await;
    let alice = app.account("alice").await;
    let image = Image::holding(LAYER);
    app.index(&alice, &image.path(), &image.record("app", &app.network.hold())).await;
    app.index(&alice, &tag_path("app", "v1"), &tag_record(&alice, "app", "v1", &image)).await;
    app.keep(&image.bytes).await;
    app.network.with(|state| state.layer = LAYER.to_vec());
    let hold = app.network.hold();
    for (path, record) in [
        ("io.atcr.hold.captain/self", captain("did:plc:carol", false)),
        ("io.atcr.hold.crew/bob", crew("did:plc:bob", &["blob:read"])),
        ("io.atcr.hold.crew/dan", crew("did:plc:dan", &["blob:write"])),
        ("io.atcr.hold.crew/erin", crew("did:plc:erin", &["crew:admin"])),
    ] {
        app.network.publish(&hold, path, &record);
        app.index(&hold, path, &record).await;
    }
    for name in ["alice", "bob", "carol", "dan", "erin", "mallory"] {
        reader(&app, name);
    }
    app.network.with(|state| {
        state.hold = HoldMood::Private;
        state.readers.admitted = ["bob", "carol", "dan"].map(|name| format!("did:plc:{name}").parse().unwrap()).into();
    });
    (app, format!("/v2/{NAME}/blobs/{}", image.layer))
}

async fn get_from(registry: &Arc<Registry>, path: &str, token: &str) -> Answer {
    let request = Request::builder().uri(path).header("authorization", format!("Bearer {token}"));
    App::request_to(registry, request.body(Body::empty()).unwrap()).await
}

async fn get(app: &App, path: &str, token: &str) -> Answer {
    get_from(&app.registry, path, token).await
}

/// The requests that came with a service token.
fn with_service_tokens(network: &Network) -> Vec<Seen> {
    let seen = network.with(|state| state.seen.clone());
    seen.into_iter().filter(|seen| seen.authorization.starts_with("Bearer ey")).collect()
}

#[tokio::test]
async fn anybody_is_told_to_sign_in() {
    let (app, path) = app().await;
    let anonymous = app.get(&format!("/auth/token?scope=repository:{NAME}:pull")).await;
    let anonymous = anonymous.json()["token"].as_str().unwrap().to_owned();
    for answer in [app.get(&path).await, get(&app, &path, &anonymous).await] {
        let message = answer.refusal(401, "UNAUTHORIZED");
        assert!(message.contains("private") && message.contains("app password"), "{message}");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.ends_with(&format!(",scope=\"repository:{NAME}:pull\"")), "{challenge}");
    }
    assert_eq!(app.network.asked(GET_BLOB), 0);
    assert_eq!(app.get(&format!("/v2/{NAME}/manifests/v1")).await.status, 200, "the manifest is public");
    assert_eq!(app.head(&path).await.status, 200, "and so is what it says of its layers");
}

#[tokio::test]
async fn the_captain_and_crew_who_may_read() {
    let (app, path) = app().await;
    for name in ["carol", "bob", "dan"] {
        let answer = get(&app, &path, &token(&app, name, NAME).await).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (307, "no-store"), "{name}");
        assert!(answer.header("location").contains("signature"));
    }
    for name in ["alice", "erin", "mallory"] {
        let message = get(&app, &path, &token(&app, name, NAME).await).await.refusal(403, "DENIED");
        assert!(message.contains("did:plc:carol") && message.contains("blob:read"), "{message}");
    }
    assert_eq!((app.network.asked(MINT), app.network.asked(GET_BLOB)), (3, 3), "none for who may not read");
    for Seen { uri, authorization, .. } in with_service_tokens(&app.network) {
        assert!(uri.starts_with("/xrpc/com.atproto.sync.getBlob?did=did%3Aplc%3Aalice&cid=sha256%3A"), "{uri}");
        let claims = readers::claims(&authorization);
        assert_eq!((&claims["aud"], &claims["lxm"]), (&json!(app.network.hold()), &json!("com.atproto.sync.getBlob")));
        assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 60);
    }
}

#[tokio::test]
async fn a_pull_of_many_layers_signs_in_once_and_takes_one_token() {
    let (app, path) = app().await;
    let token = token(&app, "bob", NAME).await;
    let answers = join_all((0..20).map(|_| get(&app, &path, &token))).await;
    assert!(answers.iter().all(|answer| answer.status == 307));
    assert_eq!((app.network.asked("createSession"), app.network.asked(MINT)), (1, 1));
    app.network.with(|state| state.readers.once = true);
    let answers = join_all((0..5).map(|_| get(&app, &path, &token))).await;
    assert!(answers.iter().all(|answer| answer.status == 307), "a hold may want a token of its own for each");
}

#[tokio::test]
async fn who_was_admitted_just_now_is_and_the_hold_is_read_once_for_all() {
    let (app, path) = app().await;
    app.network.publish(&app.network.hold(), "io.atcr.hold.crew/new", &crew("did:plc:mallory", &["blob:read"]));
    app.network.with(|state| state.readers.admitted.insert("did:plc:mallory".parse().unwrap()));
    let token = token(&app, "mallory", NAME).await;
    let answers = join_all((0..10).map(|_| get(&app, &path, &token))).await;
    assert!(answers.iter().all(|answer| answer.status == 307), "{:?}", answers[0].status);
    assert_eq!(app.network.asked("hold.captain"), 1);
}

#[tokio::test]
async fn nobody_is_refused_by_a_hold_that_cannot_be_read() {
    let (app, path) = app().await;
    let [bob, mallory] = [token(&app, "bob", NAME).await, token(&app, "mallory", NAME).await];
    get(&app, &path, &bob).await;
    app.network.with(|state| state.pds_down = true);
    let answer = get(&app, &path, &mallory).await;
    answer.refusal(503, "UNKNOWN");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(get(&app, &path, &bob).await.status, 307, "his token is good yet");
}

#[tokio::test]
async fn the_hold_decides() {
    let (app, path) = app().await;
    let bob = token(&app, "bob", NAME).await;
    app.network.with(|state| state.readers.admitted.clear());
    let message = get(&app, &path, &bob).await.refusal(403, "DENIED");
    assert!(message.contains("the hold decides") && message.contains("did:plc:bob"), "{message}");
    app.network.with(|state| state.hold = HoldMood::Refuses(500));
    get(&app, &path, &bob).await.refusal(503, "UNKNOWN");
}

#[tokio::test]
async fn a_token_opens_what_it_is_for() {
    let (app, path) = app().await;
    for scope in ["alice.test/other", "mallory.test/app", "", "alice.test/app/more"] {
        let answer = get(&app, &path, &token(&app, "bob", scope).await).await;
        answer.refusal(401, "UNAUTHORIZED");
        let challenge = answer.header("www-authenticate");
        let wanted = format!(",scope=\"repository:{NAME}:pull\",error=\"insufficient_scope\"");
        assert!(challenge.ends_with(&wanted), "{challenge}");
    }
    // What is written otherwise is asked for otherwise: clients do both the same way.
    let image = path.rsplit('/').next().unwrap();
    let escaped = token(&app, "bob", "did_plc_alice/app").await;
    assert_eq!(get(&app, &format!("/v2/did_plc_alice/app/blobs/{image}"), &escaped).await.status, 307);
    let bad = format!("{}x", token(&app, "bob", NAME).await);
    get(&app, &path, &bad).await.refusal(401, "UNAUTHORIZED");
    assert_eq!(app.network.asked(GET_BLOB), 1);
}

/// Another hold than the record names took over: it is asked with a token of its own, and its crew counts.
#[tokio::test]
async fn a_successor_gets_a_token_of_its_own() {
    let (app, path) = app().await;
    let other = Network::start().await;
    let (former, successor) = (app.network.hold(), other.hold());
    app.index(&successor, "io.atcr.hold.captain/self", &captain("did:plc:bob", false)).await;
    other.publish(&successor, "io.atcr.hold.captain/self", &captain("did:plc:bob", false));
    let mut moved = captain("did:plc:carol", false);
    moved["successor"] = json!(successor);
    app.index(&former, "io.atcr.hold.captain/self", &moved).await;
    other.with(|state| {
        state.hold = HoldMood::Private;
        state.readers.admitted.insert("did:plc:bob".parse().unwrap());
    });
    assert_eq!(get(&app, &path, &token(&app, "bob", NAME).await).await.status, 307);
    get(&app, &path, &token(&app, "dan", NAME).await).await.refusal(403, "DENIED");
    let seen = with_service_tokens(&other);
    assert_eq!((seen.len(), readers::claims(&seen[0].authorization)["aud"].clone()), (1, json!(successor)));
    assert!(with_service_tokens(&app.network).is_empty(), "the former one sees no token");
    // Who steals it gets nothing at another hold, nor later.
    let stolen = seen[0].authorization.strip_prefix("Bearer ").unwrap();
    let at = |network: &Network, token: &str| {
        let value = format!("Bearer {token}").parse().unwrap();
        readers::admits(network, &axum::http::HeaderMap::from_iter([(axum::http::header::AUTHORIZATION, value)]))
    };
    assert!(at(&other, stolen).is_ok() && at(&app.network, stolen).is_err());
    let mut late = readers::claims(stolen);
    late["exp"] = json!(chrono::Utc::now().timestamp() - 1);
    assert!(at(&other, &readers::sign(&late)).is_err());
}

/// Where the index thinks that a hold is does not matter: a token goes where its DID's document says.
#[tokio::test]
async fn a_document_that_cannot_be_read_gets_no_token() {
    let (app, _) = app().await;
    let alice: Did = "did:plc:alice".parse().unwrap();
    let image = Image::new("lost");
    let lost: Did = "did:web:127.0.0.1%3A1".parse().unwrap();
    app.index(&alice, &image.path(), &image.record("app", &lost)).await;
    app.keep(&image.bytes).await;
    app.index(&lost, "io.atcr.hold.captain/self", &captain("did:plc:bob", false)).await;
    let path = format!("/v2/{NAME}/blobs/{}", image.layer);
    get(&app, &path, &token(&app, "bob", NAME).await).await.refusal(503, "UNKNOWN");
    assert_eq!(app.network.asked(MINT), 0);
}

#[tokio::test]
async fn an_old_hold_hears_the_reader_s_name_and_never_the_owner_s() {
    let (app, _) = app().await;
    let alice: Did = "did:plc:alice".parse().unwrap();
    let image = Image::new("old");
    let mut record = image.record("old", &app.network.hold());
    record.as_object_mut().unwrap().remove("holdDid");
    // Known by an endpoint that is no declared hold's.
    record["holdEndpoint"] = json!(app.network.url.as_str().replace("127.0.0.1", "localhost"));
    app.index(&alice, &image.path(), &record).await;
    app.keep(&image.bytes).await;
    let path = format!("/v2/alice.test/old/blobs/{}", image.layer);
    app.get(&path).await.refusal(401, "UNAUTHORIZED");
    let answer = get(&app, &path, &token(&app, "mallory", "alice.test/old").await).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (307, "no-store"));
    let seen = app.network.with(|state| state.seen.clone());
    let told: Vec<Value> = (seen.iter().filter(|seen| seen.uri == "/get-presigned-url"))
        .map(|seen| serde_json::from_str::<Value>(&seen.body).unwrap()["did"].clone())
        .collect();
    assert_eq!(told, ["", "", "did:plc:mallory"]);
    assert!(with_service_tokens(&app.network).is_empty());
}

/// A hold that the index takes for public may be private by now.
#[tokio::test]
async fn a_public_hold_that_refuses_is_asked_in_the_reader_s_name() {
    let (app, path) = app().await;
    app.index(&app.network.hold(), "io.atcr.hold.captain/self", &captain("did:plc:carol", true)).await;
    app.get(&path).await.refusal(401, "UNAUTHORIZED");
    let _beating = app.beat().await;
    let bob = token(&app, "bob", NAME).await;
    for _ in 0..5 {
        assert_eq!(get(&app, &path, &bob).await.status, 307);
        app.get(&path).await.refusal(401, "UNAUTHORIZED");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    app.network.with(|state| state.hold = HoldMood::Redirects);
    assert_eq!(app.get(&path).await.status, 307);
}

#[tokio::test]
async fn any_process_with_the_key_uses_a_session_and_one_of_them_refreshes_it() {
    let (app, path) = app().await;
    let bob: Did = "did:plc:bob".parse().unwrap();
    let token = token(&app, "bob", NAME).await;
    let others = join_all((0..4).map(|_| app.another())).await;
    assert_eq!(get_from(&others[0], &path, &token).await.status, 307);
    // The PDS takes the access token no more; its refresh token is good for once.
    app.network.with(|state| state.readers.generations.insert(bob.clone(), 1));
    get_from(&others[1], &path, &token).await.refusal(401, "UNAUTHORIZED");
    let token = self::token(&app, "bob", NAME).await;
    assert_eq!(app.network.asked("createSession"), 2, "a session that ended is made anew");
    let session = app.registry.tokens.verify(&token).unwrap().signed_in().unwrap().session;
    let mut kept = crate::sign_in::sessions::find(&app.registry, session).await.unwrap().unwrap();
    kept.session.access = "access-no-more".to_owned().into();
    crate::sign_in::sessions::replace(&app.registry, session, &kept).await.unwrap();
    let before = app.network.asked("refreshSession");
    let answers = join_all(others[1..].iter().map(|registry| get_from(registry, &path, &token))).await;
    assert!(
        answers.iter().all(|answer| answer.status == 307),
        "{:?}",
        answers.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    assert_eq!(app.network.asked("refreshSession") - before, 1);
}

#[tokio::test]
async fn a_session_that_ended_asks_for_the_password_again() {
    let (app, path) = app().await;
    let token = token(&app, "bob", NAME).await;
    app.network.with(|state| state.readers.generations.clear());
    let answer = get(&app, &path, &token).await;
    assert!(answer.refusal(401, "UNAUTHORIZED").contains("sign in again"));
    assert!(answer.header("www-authenticate").contains("scope=\"repository:"));
    assert_eq!(get(&app, &path, &self::token(&app, "bob", NAME).await).await.status, 307);
}

#[tokio::test]
async fn a_pds_that_is_down_is_no_reason_to_sign_in_again() {
    let (app, path) = app().await;
    let token = token(&app, "bob", NAME).await;
    app.network.with(|state| state.pds_down = true);
    let answer = get(&app, &path, &token).await;
    answer.refusal(503, "UNKNOWN");
    assert!(!answer.header("retry-after").is_empty() && answer.header("www-authenticate").is_empty());
}

#[tokio::test]
async fn private_blobs_pass_through_for_who_may_read_and_are_kept_by_nobody() {
    let (app, path) = app_as(|config| config.blobs = Blobs::Proxy).await;
    app.get(&path).await.refusal(401, "UNAUTHORIZED");
    get(&app, &path, &token(&app, "mallory", NAME).await).await.refusal(403, "DENIED");
    let bob = token(&app, "bob", NAME).await;
    for public in [false, true] {
        app.index(&app.network.hold(), "io.atcr.hold.captain/self", &captain("did:plc:carol", public)).await;
        let answer = get(&app, &path, &bob).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "private, no-store"));
        assert_eq!(answer.body, LAYER);
    }
    assert!(with_service_tokens(&app.network).iter().all(|seen| seen.uri.contains("/xrpc/")), "the store sees none");
}
