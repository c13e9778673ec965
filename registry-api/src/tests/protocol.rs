//! The ping, tokens, and what is refused before anybody is asked.

use axum::{
    body::Body,
    http::{Method, Request},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;

use super::app::{Answer, App};

async fn post_token(app: &App, form: &'static str) -> Answer {
    let request = Request::builder().method(Method::POST).uri("/auth/token");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    app.request(request.body(Body::from(form)).unwrap()).await
}

#[tokio::test]
async fn the_ping_challenges_until_a_token_comes() {
    let app = App::start().await;
    for path in ["/v2", "/v2/"] {
        let answer = app.get(path).await;
        answer.refusal(401, "UNAUTHORIZED");
        let challenge = r#"Bearer realm="http://127.0.0.1:5000/auth/token",service="127.0.0.1:5000""#;
        assert_eq!(answer.header("www-authenticate"), challenge);
        assert_eq!(app.head(path).await.status, 401);
    }
    let answer = app.get("/auth/token?service=127.0.0.1:5000&scope=repository:alice.test/app:pull,push").await;
    let (body, token) = (answer.json(), answer.json()["token"].as_str().unwrap().to_owned());
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    assert_eq!((&body["access_token"], &body["expires_in"]), (&json!(token), &json!(300)));
    assert!(body["issued_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().is_ok());
    let access = json!(app.registry.tokens.verify(&token).unwrap().access);
    assert_eq!(access, json!([{ "type": "repository", "name": "alice.test/app", "actions": ["pull"] }]));
    for scheme in ["Bearer", "bearer"] {
        let answer = app.get_with("/v2/", "authorization", &format!("{scheme} {token}")).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({})));
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_with_the_way_to_a_good_one() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    app.image(&alice, "app", "v1").await;
    for value in ["Bearer x", "Bearer eyJhbGciOiJub25lIn0.e30.", "Basic YTpi", "", "Bearer"] {
        app.get_with("/v2/", "authorization", value).await.refusal(401, "UNAUTHORIZED");
        let answer = app.get_with("/v2/alice.test/app/manifests/v1", "authorization", value).await;
        answer.refusal(401, "UNAUTHORIZED");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains(r#",scope="repository:alice.test/app:pull""#), "{challenge}");
        let is_token = value.starts_with("Bearer ");
        assert_eq!(challenge.ends_with(r#",error="invalid_token""#), is_token, "{value}: {challenge}");
    }
}

#[tokio::test]
async fn nobody_s_credentials_are_none() {
    let app = App::start().await;
    let answer = app.get_with("/auth/token", "authorization", &format!("Basic {}", BASE64.encode(":"))).await;
    assert_eq!(answer.status, 200);
    let answer = post_token(&app, "grant_type=password&username=&password=&scope=repository:a.test/x:pull").await;
    let claims = app.registry.tokens.verify(answer.json()["access_token"].as_str().unwrap()).unwrap();
    assert!(claims.sub.is_empty() && claims.signed_in().is_none());
}

#[tokio::test]
async fn writes_are_refused_before_anything_else() {
    let app = App::start().await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for path in ["/v2/", "/v2/alice.test/app/blobs/uploads/", "/v2/nonsense", "/v2/alice.test/app/manifests/v1"] {
            let answer = app.ask(method.clone(), path).await;
            assert!(answer.refusal(405, "UNSUPPORTED").contains("atcr.io"));
            assert_eq!(answer.header("allow"), "GET, HEAD");
        }
    }
    app.ask(Method::DELETE, "/auth/token").await.refusal(405, "UNSUPPORTED");
}

#[tokio::test]
async fn names_that_are_none_ask_nobody() {
    let app = App::start().await;
    let long = format!("/v2/alice.test/{}/manifests/v1", "a".repeat(10_000));
    for (path, status, code) in [
        ("/v2/nginx/manifests/latest", 404, "NAME_INVALID"),
        ("/v2/alice/app/manifests/latest", 404, "NAME_INVALID"),
        ("/v2/alice.test/MyApp/manifests/latest", 400, "NAME_INVALID"),
        ("/v2/alice.test/../app/manifests/latest", 400, "NAME_INVALID"),
        ("/v2/alice.test/%2e%2e%2fapp/manifests/latest", 400, "NAME_INVALID"),
        ("/v2/alice.test/%ff/manifests/latest", 400, "NAME_INVALID"),
        ("/v2/alice.test/app/manifests/sha256:zz", 400, "DIGEST_INVALID"),
        ("/v2/alice.test/app/blobs/sha256:", 400, "DIGEST_INVALID"),
        ("/v2/alice.test/app/referrers/x", 400, "DIGEST_INVALID"),
        ("/v2/alice.test/app/nothing", 404, "UNSUPPORTED"),
        (&long, 400, "NAME_INVALID"),
    ] {
        app.get(path).await.refusal(status, code);
    }
    assert_eq!(app.network.asked(""), 0);
}
