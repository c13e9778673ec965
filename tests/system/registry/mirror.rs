//! In the place of atcr.io: containerd and podman are told that this host mirrors it, and pull as if from there.

use std::fs;

use anyhow::Result;

use super::world::World;
use crate::harness::clients::Engine;
use crate::harness::containerd::{By, Containerd};
use crate::harness::images::Image;
use crate::harness::passed;

const IMAGE: &str = "atcr.io/alice.test/app:v1";

#[tokio::test]
async fn containerd_and_podman_pull_from_here_what_they_ask_atcr_io_for_even_when_the_pds_is_down() -> Result<()> {
    let mut world = World::start().await?;
    let image = Image::saying("reflected")?;
    world.publish("app", &image).await?;
    let host = world.recorder.url.trim_start_matches("http://").to_owned();

    let hosts = world.scratch.folder("hosts")?;
    fs::create_dir(hosts.join("atcr.io"))?;
    // No `server`: nothing but the mirror is asked.
    let toml = format!("[host.\"http://{host}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    fs::write(hosts.join("atcr.io/hosts.toml"), toml)?;
    let registries = world.scratch.path("registries.conf");
    let mirror = format!("[[registry.mirror]]\nlocation = \"{host}\"\ninsecure = true\n");
    // What is not on the mirror is not there: no test asks the real host.
    fs::write(
        &registries,
        format!("[[registry]]\nprefix = \"atcr.io\"\nlocation = \"{host}\"\ninsecure = true\n{mirror}"),
    )?;

    let containerd = Containerd::start(&world.scratch).await?;
    for round in ["up", "down"] {
        assert_eq!(containerd.pull(IMAGE, By::Hosts(&hosts)).await?, image.manifest.digest, "ctr, the PDS is {round}");
        let asked = world.recorder.records.take();
        assert!(asked.iter().any(|one| one.path == "/v2/alice.test/app/manifests/v1?ns=atcr.io"), "{asked:#?}");
        containerd.remove(IMAGE).await?;

        let podman = Engine::podman(&world.scratch, &format!("podman-{round}"))?.configured(&registries);
        assert_eq!(podman.pull(IMAGE).await?, image.manifest.digest, "podman, the PDS is {round}");
        let asked = world.recorder.records.take();
        assert!(asked.iter().any(|one| one.path == "/v2/alice.test/app/manifests/v1"), "{asked:#?}");
        if round == "up" {
            world.pds.stop_pds().await?;
        }
    }
    passed()
}
