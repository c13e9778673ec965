//! Those who ask for too much.

use axum::{body::Body, http::Request};

use super::app::App;
use crate::{Limits, Rate};

const HERE: &str = "127.0.0.1";
const THERE: &str = "203.0.113.7";
const ELSEWHERE: &str = "2001:db8::1";

async fn app(limits: Limits) -> App {
    App::start_as(|config| config.limits = limits).await
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let app = app(Limits { requests: Rate { per_second: 1, burst: 3 }, ..Limits::NONE }).await;
    for _ in 0..3 {
        assert_eq!(app.get_from(THERE, "/v2/").await.status, 401);
    }
    for path in ["/v2/", "/v2/nginx/manifests/latest", "/auth/token"] {
        let answer = app.get_from(THERE, path).await;
        answer.refusal(429, "TOOMANYREQUESTS");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    assert_eq!(app.get_from(ELSEWHERE, "/v2/").await.status, 401, "others are not hindered");
    for _ in 0..10 {
        assert_eq!(app.get_from(HERE, "/v2/").await.status, 401, "nor is this machine");
    }
}

#[tokio::test]
async fn a_token_is_counted_wherever_it_is_used() {
    let app = app(Limits { requests: Rate { per_second: 1, burst: 3 }, ..Limits::NONE }).await;
    let ask = async |n: u8, token: &str| {
        let client = service::client::Client::at([203, 0, 113, n].into());
        let request =
            Request::builder().uri("/v2/").extension(client).header("authorization", format!("Bearer {token}"));
        app.request(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!([ask(1, "a").await, ask(2, "a").await, ask(3, "a").await, ask(4, "a").await], [401, 401, 401, 429]);
    assert_eq!(ask(5, "b").await, 401);
}

#[tokio::test]
async fn look_ups_are_limited_a_client_and_what_was_looked_up_costs_nothing() {
    let app = app(Limits { lookups: Rate { per_second: 1, burst: 2 }, ..Limits::NONE }).await;
    let alice = app.account("alice").await;
    app.image(&alice, "app", "v1").await;
    let ask =
        async |address: &str, tag: &str| app.get_from(address, &format!("/v2/alice.test/app/manifests/{tag}")).await;
    for _ in 0..5 {
        ask(THERE, "none").await.refusal(404, "MANIFEST_UNKNOWN");
    }
    ask(THERE, "none2").await.refusal(404, "MANIFEST_UNKNOWN");
    let answer = ask(THERE, "none3").await;
    assert!(answer.refusal(429, "TOOMANYREQUESTS").contains("not indexed"));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    app.get_from(THERE, "/v2/unknown.test/app/manifests/v1").await.refusal(429, "TOOMANYREQUESTS");
    app.get_from(THERE, "/v2/did_plc_new/app/tags/list").await.refusal(429, "TOOMANYREQUESTS");
    assert_eq!(ask(THERE, "v1").await.status, 200, "what is indexed is no look-up");
    ask(ELSEWHERE, "none3").await.refusal(404, "MANIFEST_UNKNOWN");
    ask(HERE, "none4").await.refusal(404, "MANIFEST_UNKNOWN");
    ask(HERE, "none5").await.refusal(404, "MANIFEST_UNKNOWN");
    ask(HERE, "none6").await.refusal(429, "TOOMANYREQUESTS");
}

#[tokio::test]
async fn a_server_is_not_asked_more_than_it_likes_by_all_together() {
    let app = app(Limits { per_server: Rate { per_second: 1, burst: 2 }, ..Limits::NONE }).await;
    let alice = app.account("alice").await;
    app.image(&alice, "app", "v1").await;
    for (n, status) in [(1, 404), (2, 404), (3, 429)] {
        let answer = app.get_from(&format!("203.0.113.{n}"), &format!("/v2/alice.test/app/manifests/none{n}")).await;
        assert_eq!(answer.status, status);
        if status == 429 {
            assert!(answer.refusal(429, "TOOMANYREQUESTS").contains("127.0.0.1"));
        }
    }
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let app = App::start().await;
    for (lines, bytes) in [(100, 1), (1, 20_000)] {
        let mut request = Request::builder().uri("/v2/alice.test/app/manifests/v1");
        for n in 0..lines {
            request = request.header(format!("x-{n}"), "a".repeat(bytes));
        }
        let answer = app.request(request.body(Body::empty()).unwrap()).await;
        assert!(answer.refusal(431, "UNSUPPORTED").contains("64 headers"));
    }
}
