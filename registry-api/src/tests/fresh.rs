//! Nothing is served for longer than a second after it was changed, by any process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{body::Body, http::Request};

use super::app::{App, tag_path, tag_record};
use crate::Registry;

const PATH: &str = "/v2/alice.test/app/manifests/v1";
const KEY: &str = "alice.test/app@v1";

async fn ask(registry: &Arc<Registry>) -> (u16, String) {
    let answer = App::request_to(registry, Request::builder().uri(PATH).body(Body::empty()).unwrap()).await;
    (answer.status.as_u16(), answer.header("docker-content-digest").to_owned())
}

/// Asks until what is served is at hand.
async fn warm(registry: &Arc<Registry>, digest: &str) {
    let began = Instant::now();
    while registry.ready.get(KEY).is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "nothing is kept at hand");
        assert_eq!(ask(registry).await, (200, digest.to_owned()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ask(registry).await, (200, digest.to_owned()));
}

/// The old is served for less than a second, and then never again.
async fn becomes(registries: &[Arc<Registry>], expected: (u16, &str)) {
    let began = Instant::now();
    for registry in registries {
        while ask(registry).await != (expected.0, expected.1.to_owned()) {
            assert!(began.elapsed() < Duration::from_secs(1), "stale after {:?}", began.elapsed());
        }
    }
    for registry in registries {
        assert_eq!(ask(registry).await, (expected.0, expected.1.to_owned()));
    }
}

#[tokio::test]
async fn a_tag_that_moves_a_tag_that_goes_and_an_account_that_is_hidden_are_seen_by_every_process() {
    let app = App::start().await;
    let _beating = app.beat().await;
    let alice = app.account("alice").await;
    let one = app.image(&alice, "app", "v1").await;
    let two = app.image(&alice, "app", "v2").await;
    let registries = [app.registry.clone(), app.another().await];
    for registry in &registries {
        warm(registry, one.digest.as_str()).await;
    }
    app.index(&alice, &tag_path("app", "v1"), &tag_record(&alice, "app", "v1", &two)).await;
    becomes(&registries, (200, two.digest.as_str())).await;
    for registry in &registries {
        warm(registry, two.digest.as_str()).await;
    }
    app.see(&alice, "alice", false).await;
    becomes(&registries, (404, "")).await;
    app.see(&alice, "alice", true).await;
    becomes(&registries, (200, two.digest.as_str())).await;
    for registry in &registries {
        warm(registry, two.digest.as_str()).await;
    }
    app.delete(&alice, &tag_path("app", "v1")).await;
    becomes(&registries, (404, "")).await;
}

#[tokio::test]
async fn a_handle_that_another_account_has_now_leads_there() {
    let app = App::start().await;
    let _beating = app.beat().await;
    let alice = app.account("alice").await;
    let bob = app.account("bob").await;
    let hers = app.image(&alice, "app", "v1").await;
    let his = app.image(&bob, "app", "v1").await;
    warm(&app.registry, hers.digest.as_str()).await;
    app.see(&bob, "alice", true).await;
    becomes(std::slice::from_ref(&app.registry), (200, his.digest.as_str())).await;
}

#[tokio::test]
async fn without_a_writer_nothing_is_kept_at_hand() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    // What the test wrote was a sign of life.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        assert_eq!(ask(&app.registry).await, (200, image.digest.to_string()));
        assert!(app.registry.ready.get(KEY).is_none());
    }
}
