//! What happens on the demo's network shows at once, and outlives a kill.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::harness::clients::skopeo_copy;
use crate::harness::crowsnest::Crowsnest;
use crate::harness::demo::Demo;
use crate::harness::publish::TAGS;
use crate::harness::scratch::Scratch;
use crate::harness::{http, passed};

#[tokio::test]
async fn a_tag_follows_its_record_and_outlives_a_kill() -> Result<()> {
    let demo = Demo::start().await?;
    let alice = demo.account("alice.test").await?;
    let targets =
        [demo.published("alice.test", "hello", "v1").await?, demo.published("alice.test", "hello", "latest").await?];
    let mut times = Vec::new();
    // First a new tag, then the same one moved to and fro.
    for (uri, digest) in targets.iter().cycle().take(5) {
        let record = json!({
            "$type": TAGS, "repository": "hello", "tag": "fresh", "manifest": uri, "updatedAt": "2026-01-10T12:00:00Z",
        });
        alice.put_record(TAGS, "hello_fresh", &record).await?;
        times.push(demo.pullable("alice.test/hello", "fresh", digest).await?);
    }
    times.sort();
    println!("published record to pull, demo: median {:?} of {times:?}", times[2]);

    let demo = demo.kill_and_restart().await?;
    let digest = &targets[0].1;
    demo.pullable("alice.test/hello", "fresh", digest).await?;
    let image = demo.crowsnest.image("alice.test/hello:fresh");
    assert_eq!(skopeo_copy(&demo.scratch, "layout", &image).await?.manifest()?, *digest);
    passed()
}

#[tokio::test]
async fn what_the_instructions_pull_is_there_when_it_says_ready() -> Result<()> {
    let scratch = Scratch::new()?;
    let crowsnest = Crowsnest::up(&scratch.folder("data")?, &["--demo"]).await?;
    let found = http::json(&crowsnest.url("/api/v1/search?q=hello")).await?;
    let is_it = |item: &Value| item["name"] == "hello" && item["owner"]["handle"] == "alice.test";
    ensure!(found["items"].as_array().is_some_and(|items| items.iter().any(is_it)), "{found}");
    passed()
}
