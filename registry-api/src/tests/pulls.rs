//! Pulls are counted, each once, whichever process serves them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Method, Request},
};
use store::queries::{RepositoryItem, TagsAsked};

use super::app::App;
use crate::Registry;

async fn ask(registry: &Arc<Registry>, method: Method, reference: &str, agent: &str) -> u16 {
    let uri = format!("/v2/alice.test/app/manifests/{reference}");
    let request = Request::builder().method(method).uri(uri).header("user-agent", agent);
    App::request_to(registry, request.body(Body::empty()).unwrap()).await.status.as_u16()
}

/// What pages show, as soon as it is this many; a killed process would lose less than a second.
async fn shown(app: &App, expected: i64) -> i64 {
    let (did, name) = (app.account("alice").await, "app".parse().unwrap());
    let began = Instant::now();
    loop {
        let found = app.registry.reader.repository(&did, &name).await.unwrap();
        let RepositoryItem { pulls, .. } = found.unwrap().item;
        if pulls >= expected || began.elapsed() > Duration::from_secs(10) {
            return pulls;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn pulls_of_two_processes_add_up_and_looks_do_not() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    let digest = image.digest.as_str();
    let other = app.another().await;
    // docker: a HEAD by tag and a GET by digest are one pull.
    assert_eq!(ask(&app.registry, Method::HEAD, "v1", "docker/27").await, 200);
    assert_eq!(ask(&app.registry, Method::GET, digest, "docker/27").await, 200);
    // podman, from another process.
    assert_eq!(ask(&other, Method::GET, "v1", "containers/5").await, 200);
    // Neither a bot, nor a look, nor what is not there.
    assert_eq!(ask(&other, Method::GET, "v1", "Examplebot/1").await, 200);
    assert_eq!(ask(&other, Method::HEAD, "v1", "docker/27").await, 200);
    assert_eq!(ask(&other, Method::GET, "v9", "docker/27").await, 404);
    assert_eq!(shown(&app, 2).await, 2);
    let all = TagsAsked { limit: 9, ..TagsAsked::default() };
    let tags = app.registry.reader.tags(&alice, &"app".parse().unwrap(), &all).await.unwrap().items;
    assert_eq!(tags[0].pulls, 2);
    // By digest, without a tag: the repository's pull, nobody's tag.
    assert_eq!(ask(&other, Method::GET, digest, "crane/1").await, 200);
    assert_eq!(shown(&app, 3).await, 3);
    let all = TagsAsked { limit: 9, ..TagsAsked::default() };
    let tags = app.registry.reader.tags(&alice, &"app".parse().unwrap(), &all).await.unwrap().items;
    assert_eq!(tags[0].pulls, 2);
}

#[tokio::test]
async fn a_mirror_answers_for_one_registry_alone() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    app.image(&alice, "app", "v1").await;
    let path = "/v2/alice.test/app/manifests/v1";
    assert_eq!(app.get(&format!("{path}?ns=atcr.io")).await.status, 200);
    assert_eq!(app.head(&format!("{path}?ns=atcr.io")).await.status, 200);
    let refusal = app.get(&format!("{path}?ns=registry.example")).await.refusal(404, "NAME_UNKNOWN");
    assert!(refusal.contains("mirror of atcr.io"), "{refusal}");
    assert!(refusal.contains("registry.example"), "{refusal}");
}
