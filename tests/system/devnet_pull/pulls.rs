//! Real clients pull what the demo's network publishes.

use anyhow::{Context as _, Result};
use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::clients::{Engine, skopeo_copy};
use crate::harness::demo::Demo;
use crate::harness::docker::Docker;
use crate::harness::http;
use crate::harness::passed;

#[tokio::test]
async fn skopeo_copies_what_is_published() -> Result<()> {
    let demo = Demo::start().await?;
    for (number, (owner, repository, tag)) in
        [("alice.test", "hello", "latest"), ("alice.test", "hello", "v1"), ("erin.test", "team/app", "latest")]
            .into_iter()
            .enumerate()
    {
        let (_, digest) = demo.published(owner, repository, tag).await?;
        let image = demo.crowsnest.image(&format!("{owner}/{repository}:{tag}"));
        let layout = skopeo_copy(&demo.scratch, &format!("layout-{number}"), &image).await?;
        assert_eq!(layout.manifest()?, digest, "{image}");
        assert!(layout.blobs()?.contains(&digest), "{image}");
    }
    let [latest, v1] =
        [demo.published("alice.test", "hello", "latest").await?, demo.published("alice.test", "hello", "v1").await?];
    assert_ne!(latest.1, v1.1);

    // docker's grammar has no room for a DID's colons.
    let owner = demo.account("alice.test").await?.did.replace(':', "_");
    let layout =
        skopeo_copy(&demo.scratch, "layout-did", &demo.crowsnest.image(&format!("{owner}/hello:latest"))).await?;
    assert_eq!(layout.manifest()?, latest.1);
    passed()
}

#[tokio::test]
async fn podman_pulls_the_image_of_its_platform_out_of_an_index() -> Result<()> {
    let demo = Demo::start().await?;
    let (_, digest) = demo.published("alice.test", "multi", "latest").await?;
    let index = http::json(&demo.crowsnest.url(&format!("/v2/alice.test/multi/manifests/{digest}"))).await?;
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let children = index["manifests"].as_array().context("an index has manifests")?;
    let ours = children.iter().find(|child| child["platform"]["architecture"] == architecture);
    let ours = ours.context("nothing for this machine")?["digest"].clone();
    let pulled =
        Engine::podman(&demo.scratch, "podman")?.pull(&demo.crowsnest.image("alice.test/multi:latest")).await?;
    assert!(pulled == ours || pulled == digest, "{pulled} is neither {ours} nor the index {digest}");
    passed()
}

#[tokio::test]
async fn docker_runs_hello() -> Result<()> {
    let demo = Demo::start().await?;
    let (_, digest) = demo.published("alice.test", "hello", "latest").await?;
    let docker = Docker::start(&demo.scratch).await?;
    let image = demo.crowsnest.image("alice.test/hello:latest");
    assert_eq!(docker.pull(&image).await?.0, digest);
    let greeting = docker.run(&image).await?;
    assert!(!greeting.trim().is_empty(), "no greeting");
    println!("alice.test/hello says: {}", greeting.trim());
    passed()
}

#[tokio::test]
async fn the_blobs_of_a_private_hold_are_refused_and_its_manifest_is_not() -> Result<()> {
    let demo = Demo::start().await?;
    let account = demo.account("carol.test").await?;
    let manifests = account.list_records("io.atcr.manifest").await?;
    let manifest =
        manifests.iter().find(|record| record["value"]["repository"] == "private").context("nothing private")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let digest = text(&manifest["value"]["digest"]);
    let layer = text(&manifest["value"]["layers"][0]["digest"]);
    demo.pullable("carol.test/private", &digest, &digest).await?;
    let blob = http::get(&demo.crowsnest.url(&format!("/v2/carol.test/private/blobs/{layer}"))).await?;
    let (status, code, _) = http::oci_error(blob).await?;
    assert!([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status), "{status}");
    assert!(["UNAUTHORIZED", "DENIED"].contains(&code.as_str()), "{code}");
    passed()
}
