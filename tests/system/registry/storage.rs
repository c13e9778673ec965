//! Blobs in an S3 that checks signatures for real: a hold presigns, clients are sent there, or are served from here.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{TimeDelta, Utc};
use reqwest::{StatusCode, header};

use super::world::World;
use crate::harness::clients::{Engine, skopeo_copy};
use crate::harness::docker::Docker;
use crate::harness::hold::Options;
use crate::harness::http::{client, get};
use crate::harness::images::{Image, sha256};
use crate::harness::passed;
use crate::harness::reference_pds::ReferencePds;
use crate::harness::scratch::Scratch;
use crate::harness::storage::SeaweedFs;

/// With a hold whose blobs are in S3 alone.
async fn world(image: &Image, args: &[&str]) -> Result<(World, SeaweedFs)> {
    let scratch = Scratch::new()?;
    let storage = SeaweedFs::start(&scratch).await?;
    for blob in [&image.config, &image.layer] {
        storage.bucket.keep(blob).await?;
    }
    let pds = ReferencePds::start(&scratch).await?;
    let alice = pds.create_account("alice.test").await?;
    let bucket = Some(storage.bucket.clone());
    let options = Options { owner: alice.did.clone(), bucket, private: None };
    let world = World::with(scratch, pds, alice, options, args).await?;
    world.publish("app", image).await?;
    Ok((world, storage))
}

async fn clients_pull(world: &World, image: &Image) -> Result<()> {
    let name = world.crowsnest.image("alice.test/app:v1");
    let layout = skopeo_copy(&world.scratch, "skopeo", &name).await?;
    assert_eq!(layout.blobs()?, image.digests(), "skopeo");
    let podman = Engine::podman(&world.scratch, "podman")?;
    assert_eq!(podman.pull(&name).await?, image.manifest.digest, "podman");
    let docker = Docker::start(&world.scratch).await?;
    assert_eq!(docker.pull(&name).await?.1, image.config.digest, "docker");
    Ok(())
}

#[tokio::test]
async fn clients_are_sent_to_urls_that_s3_accepts() -> Result<()> {
    let image = Image::saying("signed, version four")?;
    let (world, storage) = world(&image, &[]).await?;
    clients_pull(&world, &image).await?;

    let blob = get(&world.crowsnest.url(&format!("/v2/alice.test/app/blobs/{}", image.layer.digest))).await?;
    assert_eq!(blob.status(), StatusCode::TEMPORARY_REDIRECT);
    let url = blob.headers()["location"].to_str()?.to_owned();
    assert!(url.contains("X-Amz-Signature="), "{url}");
    assert_eq!(sha256(&get(&url).await?.bytes().await?), image.layer.digest);
    let rest = client().get(&url).header(header::RANGE, "bytes=10-").send().await?;
    assert_eq!(rest.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(rest.bytes().await?, image.layer.bytes[10..]);

    // This S3 is one: it takes no other signature, none that has expired, and none for another method.
    let (kept, signature) = url.split_at(url.len() - 1);
    let other = format!("{kept}{}", if signature == "0" { "1" } else { "0" });
    assert_eq!(get(&other).await?.status(), StatusCode::FORBIDDEN);
    let expired =
        storage.bucket.presigned_at(&image.layer.digest, Duration::from_secs(1), Utc::now() - TimeDelta::hours(1));
    assert_eq!(get(&expired).await?.status(), StatusCode::FORBIDDEN);
    assert_eq!(client().head(&url).send().await?.status(), StatusCode::FORBIDDEN);
    passed()
}

#[tokio::test]
async fn with_blobs_proxied_clients_see_this_host_alone() -> Result<()> {
    let image = Image::saying("passed through")?;
    let (world, _storage) = world(&image, &["--blobs=proxy"]).await?;
    clients_pull(&world, &image).await?;

    let url = world.crowsnest.url(&format!("/v2/alice.test/app/blobs/{}", image.layer.digest));
    let whole = get(&url).await?;
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.content_length(), Some(image.layer.bytes.len() as u64));
    assert_eq!(whole.headers()["content-type"], "application/octet-stream");
    assert_eq!(sha256(&whole.bytes().await?), image.layer.digest);
    let rest = client().get(&url).header(header::RANGE, "bytes=10-").send().await?;
    assert_eq!(rest.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(rest.bytes().await?, image.layer.bytes[10..]);

    let asked = world.recorder.records.take();
    let blobs: Vec<_> = asked.iter().filter(|one| one.path.contains("/blobs/")).collect();
    let redirected = blobs.iter().find(|one| one.status.is_redirection());
    assert!(redirected.is_none() && blobs.len() > 4, "{redirected:#?} of {}", blobs.len());
    let first = blobs.first().context("no blob was asked for")?;
    assert_eq!(first.status, StatusCode::OK, "the first GET of a blob is answered with all of it");
    passed()
}
