//! Pages that are kept for a moment.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use crowsnest_web::WebConfig;
use http::Request;
use http_body_util::BodyExt as _;
use store::{
    freshness::{self, Freshness},
    observe,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

use crate::seed::{ALICE, Seeded};

/// A router that hears of changes, as long as the guard is there.
fn hearing(seeded: &Seeded) -> (axum::Router, DropGuard) {
    let (freshness, over) = (Arc::new(Freshness::default()), CancellationToken::new());
    tokio::spawn(freshness::follow(seeded.url().to_owned(), freshness.clone(), over.clone()));
    let (url, beating) = (seeded.url().to_owned(), over.clone());
    tokio::spawn(async move {
        let beats = store::connect(&url, None).await.unwrap().client;
        while !beating.is_cancelled() {
            freshness::beat(&beats).await.unwrap();
            sleep(Duration::from_millis(50)).await;
        }
    });
    let config = WebConfig { freshness, ..Seeded::config() };
    (crowsnest_web::router(config, seeded.reader.clone()), over.drop_guard())
}

async fn body(router: &axum::Router, path: &str) -> String {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let body = router.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_kept_until_what_it_shows_changes() {
    for (path, key) in [
        ("/r/alice.test/hello", format!("repository:{ALICE}/hello")),
        // What lists are made of has no name of its own: any change will do.
        ("/", "did:plc:someone".to_owned()),
        ("/explore", "did:plc:someone".to_owned()),
        ("/u/alice.test", "did:plc:someone".to_owned()),
    ] {
        kept_until_told(path, &key).await;
    }
}

async fn kept_until_told(path: &str, key: &str) {
    let seeded = Seeded::new().await;
    let (router, _over) = hearing(&seeded);
    let page = async || body(&router, path).await;
    let say = async |what: &str| {
        let sql = "UPDATE repository SET summary = $3 WHERE did = $1 AND name = $2";
        seeded.client.execute(sql, &[&ALICE, &"hello", &what]).await.unwrap();
    };
    // Only when the writer is heard is anything kept: seen by a change that nobody told of.
    let began = Instant::now();
    let mut said = 0;
    loop {
        page().await;
        said += 1;
        say(&format!("said {said}")).await;
        if !page().await.contains(&format!("said {said}")) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{path}: nothing is kept");
        sleep(Duration::from_millis(50)).await;
    }
    let keys = [key.to_owned()];
    let began = Instant::now();
    say("told").await;
    observe::changed(&seeded.client, seeded.reader.generation(), &keys).await.unwrap();
    while !page().await.contains("told") {
        assert!(began.elapsed() < Duration::from_millis(1_000), "{path}: it was changed a second ago");
        sleep(Duration::from_millis(5)).await;
    }
}
