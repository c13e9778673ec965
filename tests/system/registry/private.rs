//! Private holds: readers sign in with docker and podman, at their own PDS, and the hold is asked with a service token of
//! theirs, which it checks against their DID document.

use anyhow::{Result, ensure};
use axum::http::{StatusCode, header};

use super::world::World;
use crate::harness::clients::Engine;
use crate::harness::demo::Demo;
use crate::harness::docker::Docker;
use crate::harness::hold::Options;
use crate::harness::http::{client, get, oci_error};
use crate::harness::images::Image;
use crate::harness::passed;
use crate::harness::reference_pds::ReferencePds;
use crate::harness::scratch::Scratch;

const GET_BLOB: &str = "com.atproto.sync.getBlob";

#[tokio::test]
async fn docker_and_podman_sign_in_and_pull_carols_private_image() -> Result<()> {
    let demo = Demo::start().await?;
    let (_, digest) = demo.published("carol.test", "private", "latest").await?;
    demo.pullable("carol.test/private", "latest", &digest).await?;
    let image = demo.crowsnest.image("carol.test/private:latest");
    let host = image.split('/').next().unwrap_or_default().to_owned();
    let docker = Docker::start(&demo.scratch).await?;

    // Nobody, somebody who is not of the crew, and somebody with a wrong password.
    let refused = docker.pull(&image).await.expect_err("anonymous docker").to_string();
    assert!(refused.contains("unauthorized") || refused.contains("denied"), "{refused}");
    docker.login(&host, "mallory.test", demo.password("mallory.test")?).await?;
    let refused = docker.pull(&image).await.expect_err("docker as Mallory").to_string();
    assert!(refused.contains("denied") || refused.contains("unauthorized"), "{refused}");
    let refused =
        docker.login(&host, "carol.test", "not-her-password").await.expect_err("a wrong password").to_string();
    assert!(refused.contains("unauthorized") || refused.contains("401"), "{refused}");

    // The captain, and a member of the crew.
    for (n, reader) in ["carol.test", "bob.test"].into_iter().enumerate() {
        docker.logout(&host).await?;
        docker.login(&host, reader, demo.password(reader)?).await?;
        assert_eq!(docker.pull(&image).await?.0, digest, "docker as {reader}");
        docker.remove(&image).await?;

        let podman = Engine::podman(&demo.scratch, &format!("podman-{n}"))?;
        podman.pull(&image).await.expect_err("podman that has not signed in");
        podman.login(&host, reader, demo.password(reader)?).await?;
        assert_eq!(podman.pull(&image).await?, digest, "podman as {reader}");
    }
    passed()
}

#[tokio::test]
async fn holds_are_shown_service_tokens_of_the_reference_pds_that_are_for_them_alone() -> Result<()> {
    let scratch = Scratch::new()?;
    let pds = ReferencePds::start(&scratch).await?;
    let [alice, bob, mallory] = [
        pds.create_account("alice.test").await?,
        pds.create_account("bob.test").await?,
        pds.create_account("mallory.test").await?,
    ];
    let private = Some((vec![bob.did.clone()], pds.plc.clone()));
    let options = Options { owner: alice.did.clone(), private, bucket: None };
    let world = World::with(scratch, pds, alice.clone(), options, &[]).await?;
    let image = Image::saying("for the crew")?;
    world.publish("app", &image).await?;
    let name = world.crowsnest.image("alice.test/app:v1");

    // The harness's hold is no pushover: it takes one token of three.
    let blob = format!("{}/xrpc/{GET_BLOB}?did={}&cid={}", world.hold.url(), alice.did, image.layer.digest);
    let tokens = [
        (bob.service_token(world.hold.did(), GET_BLOB).await?, StatusCode::TEMPORARY_REDIRECT),
        (bob.service_token("did:web:elsewhere.example", GET_BLOB).await?, StatusCode::UNAUTHORIZED),
        (bob.service_token(world.hold.did(), "com.atproto.sync.getRepo").await?, StatusCode::UNAUTHORIZED),
        (mallory.service_token(world.hold.did(), GET_BLOB).await?, StatusCode::FORBIDDEN),
    ];
    for (token, status) in tokens {
        assert_eq!(client().get(&blob).bearer_auth(token).send().await?.status(), status);
    }

    for (n, (reader, account)) in [("alice.test", &alice), ("bob.test", &bob)].into_iter().enumerate() {
        let password = account.app_password("crowsnest").await?;
        world.forget();
        let podman = Engine::podman(&world.scratch, &format!("podman-{n}"))?;
        podman.login(world.host(), reader, &password).await?;
        assert_eq!(podman.pull(&name).await?, image.manifest.digest, "podman as {reader}");
        both_blobs_were_read(&world).map_err(|error| error.context(reader))?;
    }

    world.forget();
    let podman = Engine::podman(&world.scratch, "podman-mallory")?;
    podman.login(world.host(), "mallory.test", &mallory.app_password("crowsnest").await?).await?;
    let refused = podman.pull(&name).await.expect_err("podman as Mallory").to_string();
    assert!(refused.contains("403 (Forbidden)") || refused.contains("denied"), "{refused}");
    let anonymous = get(&world.crowsnest.url(&format!("/v2/alice.test/app/blobs/{}", image.layer.digest))).await?;
    assert!(anonymous.headers().contains_key(header::WWW_AUTHENTICATE), "{anonymous:?}");
    assert_eq!(oci_error(anonymous).await?.0, StatusCode::UNAUTHORIZED);
    let read = world.hold.records.take().into_iter().filter(|one| one.path.starts_with("/presigned/")).count();
    assert_eq!(read, 0, "storage was read for strangers");
    passed()
}

/// Each with a token that the hold verified, each 307 for the client alone, and storage was shown no token.
fn both_blobs_were_read(world: &World) -> Result<()> {
    let (asked, answered) = (world.hold.records.take(), world.recorder.records.take());
    let located: Vec<_> = asked.iter().filter(|one| one.path.contains(GET_BLOB)).collect();
    ensure!(located.iter().filter(|one| one.status == StatusCode::TEMPORARY_REDIRECT).count() >= 2, "{located:#?}");
    let read: Vec<_> = asked.iter().filter(|one| one.path.starts_with("/presigned/")).collect();
    ensure!(read.len() == 2 && read.iter().all(|one| one.status == StatusCode::OK), "{read:#?}");
    let redirects: Vec<_> = answered.iter().filter(|one| one.status == StatusCode::TEMPORARY_REDIRECT).collect();
    ensure!(redirects.len() == 2, "{answered:#?}");
    ensure!(redirects.iter().all(|one| one.headers.contains_key(header::AUTHORIZATION)), "{redirects:#?}");
    Ok(())
}
