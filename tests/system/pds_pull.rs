//! Images whose records were written through the reference PDS, indexed from its firehose, pulled by real clients.

mod backfill;

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::harness::clients::{Engine, skopeo_copy};
use crate::harness::crowsnest::Crowsnest;
use crate::harness::docker::Docker;
use crate::harness::hold::Hold;
use crate::harness::http;
use crate::harness::images::Image;
use crate::harness::publish;
use crate::harness::reference_pds::ReferencePds;
use crate::harness::scratch::Scratch;
use crate::harness::xrpc::Account;
use crate::harness::{eventually, passed};

const PATIENCE: Duration = Duration::from_secs(20);

/// Everything up, alice signed in, nothing published. Fields are dropped in this order: the index first.
struct World {
    crowsnest: Crowsnest,
    hold: Hold,
    alice: Account,
    pds: ReferencePds,
    scratch: Scratch,
}

impl World {
    async fn start() -> Result<Self> {
        let scratch = Scratch::new()?;
        let pds = ReferencePds::start(&scratch).await?;
        let alice = pds.create_account("alice.test").await?;
        let hold = Hold::start(&alice.did).await?;
        let args = [
            "--source",
            &pds.firehose(),
            "--plc-url",
            &pds.plc,
            "--relay-url",
            &pds.pds,
            "--handle-resolver-url",
            &pds.pds,
            "--allow-private-network",
        ];
        let crowsnest = Crowsnest::up(&scratch.folder("data")?, &args).await?;
        Ok(World { crowsnest, hold, alice, pds, scratch })
    }

    async fn publish(&self, repository: &str, tag: &str, image: &Image) -> Result<()> {
        publish::manifest(&self.alice, &self.hold, repository, image).await?;
        publish::tag(&self.alice, repository, tag, image).await
    }

    /// Waits until a tag points at an image; says how long that took.
    async fn pullable(&self, name: &str, tag: &str, image: &Image) -> Result<Duration> {
        let url = self.crowsnest.url(&format!("/v2/{name}/manifests/{tag}"));
        let digest = image.manifest.digest.as_str();
        let ask = async || Ok(http::manifest_digest(&url).await?.filter(|found| found == digest));
        Ok(eventually(&format!("{name}:{tag} is {digest}"), PATIENCE, ask).await?.1)
    }

    /// Waits until the index, which is filled by the firehose alone, finds a repository.
    async fn indexed(&self, name: &str) -> Result<()> {
        let url = self.crowsnest.url(&format!("/api/v1/search?q={name}"));
        let ask = async || {
            let found = http::json(&url).await?;
            Ok(found["items"]
                .as_array()
                .is_some_and(|items| items.iter().any(|item| item["name"] == name))
                .then_some(()))
        };
        eventually(&format!("a search finds {name}"), PATIENCE, ask).await.map(drop)
    }
}

#[tokio::test]
async fn skopeo_podman_and_docker_pull_what_was_pushed_and_go_on_when_the_pds_stops() -> Result<()> {
    let mut world = World::start().await?;
    let image = Image::saying("ahoy")?;
    world.publish("app", "v1", &image).await?;
    world.indexed("app").await?;
    world.pullable("alice.test/app", "v1", &image).await?;
    let name = world.crowsnest.image("alice.test/app:v1");
    let docker = Docker::start(&world.scratch).await?;
    for (round, stores) in [("the PDS is up", "up"), ("the PDS is down", "down")] {
        let layout = skopeo_copy(&world.scratch, &format!("skopeo-{stores}"), &name).await?;
        assert_eq!(layout.manifest()?, image.manifest.digest, "skopeo, {round}");
        assert_eq!(layout.blobs()?, image.digests(), "skopeo, {round}");

        let podman = Engine::podman(&world.scratch, &format!("podman-{stores}"))?;
        assert_eq!(podman.pull(&name).await?, image.manifest.digest, "podman, {round}");

        let pulled = docker.pull(&name).await?;
        assert_eq!(pulled, (image.manifest.digest.clone(), image.config.digest.clone()), "docker, {round}");

        if stores == "up" {
            docker.remove(&name).await?;
            world.pds.stop_pds().await?;
        }
    }
    passed()
}

#[tokio::test]
async fn a_tag_follows_its_record_and_goes_when_that_goes() -> Result<()> {
    let world = World::start().await?;
    let first = Image::saying("number 0")?;
    world.publish("moving", "latest", &first).await?;
    world.pullable("alice.test/moving", "latest", &first).await?;
    let mut times = Vec::new();
    for number in 1..=5 {
        let image = Image::saying(&format!("number {number}"))?;
        world.publish("moving", "latest", &image).await?;
        times.push(world.pullable("alice.test/moving", "latest", &image).await?);
    }
    times.sort();
    println!("published record to pull, reference PDS: median {:?} of {times:?}", times[2]);

    world.alice.delete_record(publish::TAGS, "moving_latest").await?;
    let tag = world.crowsnest.url("/v2/alice.test/moving/manifests/latest");
    let gone = async || Ok(http::manifest_digest(&tag).await?.is_none().then_some(()));
    eventually("the tag is gone", PATIENCE, gone).await?;
    let by_digest = world.crowsnest.url(&format!("/v2/alice.test/moving/manifests/{}", first.manifest.digest));
    assert_eq!(http::manifest_digest(&by_digest).await?, Some(first.manifest.digest));
    passed()
}

#[tokio::test]
async fn what_the_pds_holds_but_the_index_has_not_seen_is_read_through() -> Result<()> {
    let scratch = Scratch::new()?;
    let pds = ReferencePds::start(&scratch).await?;
    let alice = pds.create_account("alice.test").await?;
    let hold = Hold::start(&alice.did).await?;
    let image = Image::saying("published before anyone watched")?;
    publish::manifest(&alice, &hold, "early", &image).await?;
    publish::tag(&alice, "early", "v1", &image).await?;
    // A stream that never comes: nothing but read-through can find the image.
    let args = [
        "--source",
        "ws://127.0.0.1:9/subscribe",
        "--plc-url",
        &pds.plc,
        "--relay-url",
        "http://127.0.0.1:9",
        "--handle-resolver-url",
        &pds.pds,
        "--allow-private-network",
    ];
    let crowsnest = Crowsnest::up(&scratch.folder("data")?, &args).await?;
    let layout = skopeo_copy(&scratch, "skopeo", &crowsnest.image("alice.test/early:v1")).await?;
    assert_eq!(layout.manifest()?, image.manifest.digest);
    assert_eq!(layout.blobs()?, image.digests());
    passed()
}

#[tokio::test]
async fn a_record_that_does_not_decode_is_counted_and_the_stream_goes_on() -> Result<()> {
    let world = World::start().await?;
    let nonsense =
        serde_json::json!({"$type": publish::MANIFESTS, "repository": 7, "digest": "sha256:no", "layers": "none"});
    world.alice.put_record(publish::MANIFESTS, "nonsense", &nonsense).await?;
    let image = Image::saying("after the nonsense")?;
    world.publish("after", "v1", &image).await?;
    world.indexed("after").await?;
    world.pullable("alice.test/after", "v1", &image).await?;
    let status: Value = http::json(&world.crowsnest.url("/api/v1/status")).await?;
    assert_eq!(status["counts"]["manifests"], 1, "{status}");
    passed()
}
