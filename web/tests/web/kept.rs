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
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::seed::{ALICE, Seeded};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_kept_until_what_it_shows_changes() {
    let seeded = Seeded::new().await;
    let (freshness, over) = (Arc::new(Freshness::default()), CancellationToken::new());
    let _over = over.clone().drop_guard();
    tokio::spawn(freshness::follow(seeded.url().to_owned(), freshness.clone(), over.clone()));
    let beats = store::connect(seeded.url(), None).await.unwrap().client;
    tokio::spawn(async move {
        while !over.is_cancelled() {
            freshness::beat(&beats).await.unwrap();
            sleep(Duration::from_millis(50)).await;
        }
    });
    let config = WebConfig { freshness: freshness.clone(), ..Seeded::config() };
    let router = crowsnest_web::router(config, seeded.reader.clone());
    let page = async || {
        let request = Request::get("/r/alice.test/hello").body(Body::empty()).unwrap();
        let body = router.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        String::from_utf8_lossy(&body).into_owned()
    };
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
        assert!(began.elapsed() < Duration::from_secs(20), "nothing is kept");
        sleep(Duration::from_millis(50)).await;
    }
    let keys = [format!("repository:{ALICE}/hello")];
    let began = Instant::now();
    say("told").await;
    observe::changed(&seeded.client, seeded.reader.generation(), &keys).await.unwrap();
    while !page().await.contains("told") {
        assert!(began.elapsed() < Duration::from_millis(1_000), "it was changed a second ago");
        sleep(Duration::from_millis(5)).await;
    }
}
