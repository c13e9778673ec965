//! What real clients send, as the table of clients says, and what storage sees of them: never a credential.

use anyhow::{Context as _, Result, ensure};
use axum::http::{Method, StatusCode, header};
use oci_client::Reference;
use oci_client::secrets::RegistryAuth;

use super::clients::oci_client;
use super::world::World;
use crate::harness::clients::{Engine, skopeo_copy};
use crate::harness::containerd::{By, Containerd};
use crate::harness::docker::Docker;
use crate::harness::images::Image;
use crate::harness::recorder::Recorded;
use crate::harness::{oras, passed};

/// What a client asked of crowsnest, and what of the hold's storage.
struct Asked {
    registry: Vec<Recorded>,
    storage: Vec<Recorded>,
}

#[tokio::test]
async fn clients_send_what_the_table_says_and_storage_no_credentials() -> Result<()> {
    let world = World::start().await?;
    let image = Image::saying("who goes there?")?;
    world.publish("app", &image).await?;
    let name = world.crowsnest.image("alice.test/app:v1");
    let outcomes = [
        ("docker", docker(&world, &name).await),
        ("containerd", containerd(&world, &name).await),
        ("skopeo, podman, buildah", without_daemon(&world, &name).await),
        ("oras", with_oras(&world, &name).await),
        ("oci-client", rust(&world, &name).await),
    ];
    let failed: Vec<_> = outcomes.iter().filter_map(|(name, outcome)| Some((name, outcome.as_ref().err()?))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    passed()
}

impl Asked {
    /// What was asked since the last time; each blob came in one piece, without credentials.
    fn of(world: &World) -> Result<Self> {
        let storage = world.hold.records.take().into_iter().filter(|one| one.path.starts_with("/presigned/")).collect();
        let asked = Asked { registry: world.recorder.records.take(), storage };
        ensure!(!asked.storage.is_empty(), "blobs came from elsewhere");
        for one in &asked.storage {
            ensure!(!one.headers.contains_key(header::AUTHORIZATION), "storage was sent credentials: {one:#?}");
            ensure!(one.status == StatusCode::OK, "the first GET of a blob is answered with all of it: {one:#?}");
        }
        Ok(asked)
    }

    fn one(&self, method: Method, path: &str) -> Result<&Recorded> {
        let found = self.registry.iter().find(|one| one.method == method && one.path.starts_with(path));
        found.with_context(|| format!("no {method} {path} in {:#?}", self.registry))
    }

    fn blobs(&self) -> Vec<&Recorded> {
        self.registry.iter().filter(|one| one.path.contains("/blobs/")).collect()
    }

    fn begins_with_the_ping(&self) -> Result<()> {
        let first = self.registry.first().context("nothing was asked")?;
        ensure!(first.path == "/v2/" && first.status == StatusCode::UNAUTHORIZED, "{first:#?}");
        let token = self.one(Method::GET, "/auth/token")?;
        ensure!(token.status == StatusCode::OK, "{token:#?}");
        ensure!(token.path.contains("scope=repository%3Aalice.test%2Fapp%3Apull"), "{}", token.path);
        Ok(())
    }
}

fn accept(one: &Recorded) -> Vec<&str> {
    one.headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect()
}

async fn docker(world: &World, name: &str) -> Result<()> {
    let docker = Docker::start(&world.scratch).await?;
    world.forget();
    docker.pull(name).await?;
    let asked = Asked::of(world)?;
    asked.begins_with_the_ping()?;
    let head = asked.one(Method::HEAD, "/v2/alice.test/app/manifests/v1")?;
    ensure!(accept(head).len() > 2, "one line of Accept: {head:#?}");
    asked.one(Method::GET, "/v2/alice.test/app/manifests/sha256:").map(drop)
}

async fn containerd(world: &World, name: &str) -> Result<()> {
    let containerd = Containerd::start(&world.scratch).await?;
    world.forget();
    containerd.pull(name, By::PlainHttp).await?;
    let asked = Asked::of(world)?;
    let head = asked.one(Method::HEAD, "/v2/alice.test/app/manifests/v1")?;
    ensure!(accept(head).iter().all(|line| line.ends_with("*/*")), "{head:#?}");
    let types: Vec<_> = asked.blobs().iter().flat_map(|one| accept(one)).collect();
    ensure!(types.contains(&"application/vnd.oci.image.layer.v1.tar+gzip, */*"), "{types:?}");
    ensure!(types.contains(&"application/vnd.oci.image.config.v1+json, */*"), "{types:?}");
    Ok(())
}

async fn without_daemon(world: &World, name: &str) -> Result<()> {
    world.forget();
    skopeo_copy(&world.scratch, "skopeo", name).await?;
    Asked::of(world)?.begins_with_the_ping()?;
    for engine in [Engine::podman(&world.scratch, "podman")?, Engine::buildah(&world.scratch, "buildah")?] {
        engine.pull(name).await?;
        let asked = Asked::of(world)?;
        asked.begins_with_the_ping()?;
        asked.one(Method::GET, "/v2/alice.test/app/manifests/v1")?;
    }
    Ok(())
}

async fn with_oras(world: &World, name: &str) -> Result<()> {
    world.forget();
    oras::pull(name, &world.scratch.folder("oras")?).await?;
    let asked = Asked::of(world)?;
    ensure!(asked.registry.iter().all(|one| !one.headers.contains_key(header::RANGE)), "{:#?}", asked.registry);
    asked.one(Method::GET, "/v2/alice.test/app/tags/list").map(drop)
}

async fn rust(world: &World, name: &str) -> Result<()> {
    world.forget();
    let reference: Reference = name.parse()?;
    let layers = vec!["application/vnd.oci.image.layer.v1.tar+gzip"];
    oci_client().pull(&reference, &RegistryAuth::Anonymous, layers).await?;
    let asked = Asked::of(world)?;
    asked.one(Method::GET, "/v2/")?;
    let types: Vec<_> = asked.blobs().iter().flat_map(|one| accept(one)).collect();
    ensure!(types.iter().any(|line| line.contains("manifest")), "blobs are asked for as blobs: {types:?}");
    Ok(())
}
