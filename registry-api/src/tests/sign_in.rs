//! Signing in with a handle or DID and a password, at the reader's own PDS.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures::future::join_all;
use serde_json::json;
use service::client::Client;
use types::Did;

use super::{
    app::{Answer, App},
    log::Log,
    readers::SignInMood,
};

const CREATE: &str = "createSession";

/// A reader that the index need not know.
pub fn reader(app: &App, name: &str) -> Did {
    let did: Did = format!("did:plc:{name}").parse().unwrap();
    app.network.account(&did, &format!("{name}.test"));
    app.network.with(|state| state.readers.passwords.insert(did.clone(), format!("{name}-password")));
    did
}

/// What docker sends for a private image.
pub async fn ask(app: &App, who: &str, password: &str, name: &str) -> Answer {
    let path = format!("/auth/token?account={who}&scope=repository%3A{name}%3Apull&service=127.0.0.1%3A5000");
    app.get_with(&path, "authorization", &format!("Basic {}", BASE64.encode(format!("{who}:{password}")))).await
}

/// The status of a sign-in from an address.
async fn sign_in_from(app: &App, address: &str, who: &str, password: &str) -> u16 {
    let basic = format!("Basic {}", BASE64.encode(format!("{who}:{password}")));
    let request = Request::builder().uri("/auth/token").header("authorization", basic);
    let client = Client::at(address.parse().unwrap());
    app.request(request.extension(client).body(Body::empty()).unwrap()).await.status.as_u16()
}

/// A reader's token for a name.
pub async fn token(app: &App, who: &str, name: &str) -> String {
    let answer = ask(app, &format!("{who}.test"), &format!("{who}-password"), name).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["token"].as_str().unwrap().to_owned()
}

async fn post(app: &App, form: &str) -> Answer {
    let request = Request::builder().method(Method::POST).uri("/auth/token");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    app.request(request.body(Body::from(form.to_owned())).unwrap()).await
}

#[tokio::test]
async fn docker_login_and_containerd_s_form() {
    let app = App::start().await;
    let did = reader(&app, "bob");
    let challenge = app.get("/v2/").await;
    assert!(challenge.header("www-authenticate").starts_with("Bearer realm=\"http://127.0.0.1:5000/auth/token\""));
    let login = "/auth/token?account=bob.test&client_id=docker&offline_token=true&service=127.0.0.1%3A5000";
    let basic = format!("Basic {}", BASE64.encode("bob.test:bob-password"));
    let answer = app.get_with(login, "authorization", &basic).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(app.get_with("/v2/", "authorization", &format!("Bearer {token}")).await.status, 200);
    let claims = app.registry.tokens.verify(&token).unwrap();
    assert_eq!((claims.sub.as_str(), claims.exp - claims.iat), (did.as_str(), 300));

    let form = "grant_type=password&service=127.0.0.1%3A5000&client_id=containerd&username=did%3Aplc%3Abob&\
                password=bob-password&scope=repository%3Abob.test%2Fx%3Apull";
    let answer = post(&app, form).await;
    let claims = app.registry.tokens.verify(answer.json()["access_token"].as_str().unwrap()).unwrap();
    assert_eq!((claims.sub.as_str(), claims.access[0].name.as_str()), (did.as_str(), "bob.test/x"));
    let message = post(&app, "grant_type=refresh_token&refresh_token=x").await.refusal(401, "UNAUTHORIZED");
    assert!(message.contains("app password"), "{message}");
}

#[tokio::test]
async fn what_is_no_sign_in_asks_nobody() {
    let app = App::start().await;
    for header in ["Basic %%%", "Bearer x", "Basic", &format!("Basic {}", BASE64.encode("bob.test"))] {
        app.get_with("/auth/token", "authorization", header).await.refusal(401, "UNAUTHORIZED");
    }
    for name in ["bob", "bob@example.com", "did:x", ""] {
        ask(&app, name, "password", "a.test/x").await.refusal(401, "UNAUTHORIZED");
    }
    assert_eq!(app.network.asked(""), 0);
}

#[tokio::test]
async fn a_wrong_password_and_a_name_that_is_nobody_s() {
    let app = App::start().await;
    reader(&app, "bob");
    let message = ask(&app, "bob.test", "wrong", "a.test/x").await.refusal(401, "UNAUTHORIZED");
    assert!(message.contains("app password") && message.contains("bob.test"), "{message}");
    let message = ask(&app, "nobody.test", "wrong", "a.test/x").await.refusal(401, "UNAUTHORIZED");
    assert!(message.contains("nobody.test"), "{message}");
    ask(&app, "did:plc:nobody", "wrong", "a.test/x").await.refusal(401, "UNAUTHORIZED");
    assert_eq!(app.network.asked(CREATE), 1, "a password is sent to nobody but its account's PDS");
    app.network.with(|state| state.readers.sign_in = SignInMood::Refuses(401, "AuthFactorTokenRequired"));
    let message = ask(&app, "bob.test", "bob-password", "a.test/x").await.refusal(401, "UNAUTHORIZED");
    assert!(message.contains("code besides") && message.contains("app password"), "{message}");
}

/// Whose handle does not resolve both ways is not who it says, and no password is sent after it.
#[tokio::test]
async fn a_handle_that_its_account_does_not_claim() {
    let app = App::start().await;
    reader(&app, "bob");
    app.network.with(|state| {
        let bob = state.handles["bob.test"].clone();
        state.handles.insert("aaa.test".into(), bob);
    });
    // The document of the fake names one of the two.
    let statuses = join_all(["bob.test", "aaa.test"].map(|who| ask(&app, who, "bob-password", "a.test/x"))).await;
    let mut statuses: Vec<u16> = statuses.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    assert_eq!(app.network.asked(CREATE), 1);
}

#[tokio::test]
async fn a_pds_in_trouble_is_never_a_wrong_password() {
    let app = App::start().await;
    reader(&app, "bob");
    for (mood, status, code, text) in [
        (SignInMood::Refuses(429, "RateLimitExceeded"), 503, "UNKNOWN", "limits"),
        (SignInMood::Refuses(500, "InternalServerError"), 503, "UNKNOWN", "does not answer"),
        (SignInMood::Refuses(502, "UpstreamFailure"), 503, "UNKNOWN", "does not answer"),
        (SignInMood::Refuses(404, "MethodNotImplemented"), 502, "UNKNOWN", "unusable"),
        (SignInMood::Refuses(307, ""), 502, "UNKNOWN", "unusable"),
        (SignInMood::Nonsense, 502, "UNKNOWN", "unusable"),
        (SignInMood::Another, 502, "UNKNOWN", "another account"),
        (SignInMood::Refuses(401, "AccountTakedown"), 403, "DENIED", "taken down"),
        (SignInMood::Inactive("deactivated"), 403, "DENIED", "deactivated"),
        (SignInMood::Inactive("takendown"), 403, "DENIED", "taken down"),
    ] {
        app.network.with(|state| state.readers.sign_in = mood);
        let answer = ask(&app, "bob.test", "bob-password", "a.test/x").await;
        let message = answer.refusal(status, code);
        assert!(message.contains(text) && !message.contains("bob-password"), "{mood:?}: {message}");
        assert_eq!(
            answer.header("retry-after").is_empty(),
            !message.contains("limits") && !message.contains("answer") || message.contains("another"),
            "{mood:?}"
        );
    }
    app.network.with(|state| state.readers.sign_in = SignInMood::Works);
    assert_eq!(ask(&app, "bob.test", "bob-password", "a.test/x").await.status, 200, "none of these was remembered");
}

#[tokio::test]
async fn a_pds_that_hangs_is_not_waited_for() {
    let app = App::start().await;
    reader(&app, "bob");
    app.network.with(|state| state.readers.sign_in = SignInMood::Hangs);
    let asking = tokio::time::timeout(Duration::from_secs(20), ask(&app, "bob.test", "bob-password", "a.test/x"));
    asking.await.unwrap().refusal(503, "UNKNOWN");
}

#[tokio::test]
async fn the_pds_is_asked_once_for_many() {
    let app = App::start().await;
    reader(&app, "bob");
    let answers = join_all((0..20).map(|_| ask(&app, "bob.test", "bob-password", "a.test/x"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let tokens: std::collections::BTreeSet<_> =
        answers.iter().map(|answer| answer.json()["token"].to_string()).collect();
    assert_eq!((app.network.asked(CREATE), tokens.len()), (1, 20), "one session, tokens of their own");
    app.network.with(|state| state.pds_down = true);
    assert_eq!(ask(&app, "bob.test", "bob-password", "a.test/y").await.status, 200);
    ask(&app, "bob.test", "bob-passwor", "a.test/x").await.refusal(503, "UNKNOWN");
}

#[tokio::test]
async fn nobody_guesses_here() {
    let app = App::start().await;
    reader(&app, "bob");
    reader(&app, "carol");
    token(&app, "bob", "a.test/x").await;
    let guesses: Vec<_> = (0..40).map(|n| format!("guess {n}")).collect();
    let answers = join_all(guesses.iter().enumerate().map(|(n, guess)| {
        let who = if n % 2 == 0 { "bob.test" } else { "did:plc:bob" };
        ask(&app, who, guess, "a.test/x")
    }))
    .await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!((refused.len(), app.network.asked(CREATE)), (25, 16), "15 wrong ones are tried, by whatever name");
    refused[0].refusal(429, "TOOMANYREQUESTS");
    assert!((200..=301).contains(&refused[0].header("retry-after").parse().unwrap()));
    // Who signed in before, and others, are not held up.
    token(&app, "bob", "a.test/x").await;
    token(&app, "carol", "a.test/x").await;
}

#[tokio::test]
async fn an_address_that_is_wrong_again_and_again_waits() {
    let app = App::start().await;
    reader(&app, "bob");
    let sign_in = async |address: &str, who: &str| sign_in_from(&app, address, who, "bob-password").await;
    for n in 0..30 {
        assert_eq!(sign_in("2001:db8::1", &format!("nobody-{n}.test")).await, 401);
    }
    assert_eq!([sign_in("2001:db8::2", "bob.test").await, sign_in("192.0.2.1", "bob.test").await], [429, 200]);
}

#[tokio::test]
async fn a_stranger_s_guesses_do_not_lock_a_reader_out_of_where_it_was_before() {
    let app = App::start().await;
    reader(&app, "bob");
    let sign_in = async |address: &str, password: &str| sign_in_from(&app, address, "bob.test", password).await;
    assert_eq!(sign_in("192.0.2.1", "bob-password").await, 200);
    for n in 0..15 {
        assert_eq!(sign_in("203.0.113.1", &format!("guess {n}")).await, 401);
    }
    assert_eq!(sign_in("203.0.113.2", "another guess").await, 429);
    assert_eq!(sign_in("192.0.2.1", "mistyped").await, 401);
    // Not what was believed: the password was tried again.
    app.network.with(|state| state.readers.passwords.insert("did:plc:bob".parse().unwrap(), "changed".into()));
    assert_eq!(sign_in("192.0.2.1", "changed").await, 200);
    for n in 0..15 {
        sign_in("192.0.2.1", &format!("guess {n}")).await;
    }
    assert_eq!(sign_in("192.0.2.1", "one more guess").await, 429);
}

/// Whatever goes wrong, and whatever a PDS answers.
#[tokio::test]
async fn no_secret_is_logged_or_stored_in_the_clear() {
    let app = App::start().await;
    let did = reader(&app, "bob");
    let (log, _listening) = Log::listen_to_all();
    for mood in [
        SignInMood::Refuses(401, "AuthenticationRequired"),
        SignInMood::Refuses(500, "InternalServerError"),
        SignInMood::Refuses(418, "Teapot"),
        SignInMood::Nonsense,
        SignInMood::Another,
        SignInMood::Works,
    ] {
        app.network.with(|state| state.readers.sign_in = mood);
        ask(&app, "bob.test", "bob-password", "a.test/x").await;
    }
    let text = log.text();
    assert!(text.contains("unusable answer"), "it listens: {text}");
    let encoded = BASE64.encode("bob.test:bob-password");
    for secret in ["bob-password", &encoded, "access-did", "refresh-did"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let client = app.client().await.client;
    let rows = client.query("SELECT s::text, encode(sealed, 'escape') FROM registry_session s", &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    let (row, sealed): (String, String) = (rows[0].get(0), rows[0].get(1));
    for secret in ["bob-password", "access-", "refresh-", did.as_str()] {
        assert!(!row.contains(secret) && !row.contains(&hex::encode(secret)) && !sealed.contains(secret), "{secret}");
    }
    let seen = app.network.with(|state| state.seen.clone());
    let with_password: Vec<_> = seen.iter().filter(|seen| format!("{seen:?}").contains("bob-password")).collect();
    assert_eq!(with_password.len(), 6);
    assert!(with_password.iter().all(|seen| seen.uri == "/xrpc/com.atproto.server.createSession"));
    let sent = json!({ "identifier": did, "password": "bob-password" });
    assert_eq!(with_password[0].body.parse::<serde_json::Value>().unwrap(), sent);
}

#[tokio::test]
async fn sessions_end() {
    let app = App::start().await;
    reader(&app, "bob");
    reader(&app, "carol");
    let token = token(&app, "bob", "a.test/x").await;
    let session = app.registry.tokens.verify(&token).unwrap().signed_in().unwrap().session;
    let kept = async || crate::sign_in::sessions::find(&app.registry, session).await.unwrap().is_some();
    assert!(kept().await);
    let client = app.client().await.client;
    client.execute("UPDATE registry_session SET expires_at = now()", &[]).await.unwrap();
    assert!(!kept().await, "not a moment longer");
    self::token(&app, "carol", "a.test/x").await;
    let rows = client.query_one("SELECT count(*) FROM registry_session", &[]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), 1, "the next one sweeps");
    self::token(&app, "bob", "a.test/x").await;
    assert_eq!(app.network.asked(CREATE), 3, "a session that is gone is made anew");
}
