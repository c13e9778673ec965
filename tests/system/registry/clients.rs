//! Every client pulls an image, the image of its platform out of an index, by digest, and by an escaped DID.

use anyhow::{Context as _, Result, ensure};
use oci_client::client::ClientProtocol;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use crate::harness::clients::{Engine, skopeo_copy};
use crate::harness::containerd::{By, Containerd};
use crate::harness::demo::Demo;
use crate::harness::docker::Docker;
use crate::harness::{http, oras, passed};

/// A reference, and the digests that it may be said to have: an index has its own, and that of the image in it.
struct Wanted {
    image: String,
    digests: Vec<String>,
}

impl Wanted {
    fn check(&self, found: &str) -> Result<()> {
        ensure!(self.digests.iter().any(|digest| digest == found), "{}: {found}, not {:?}", self.image, self.digests);
        Ok(())
    }
}

#[tokio::test]
async fn each_pulls_an_image_an_index_a_digest_and_a_did() -> Result<()> {
    let demo = Demo::start().await?;
    let wanted = wanted(&demo).await?;
    let outcomes = [
        ("skopeo", skopeo(&demo, &wanted).await),
        ("podman", engine(&Engine::podman(&demo.scratch, "podman")?, &wanted).await),
        ("buildah", engine(&Engine::buildah(&demo.scratch, "buildah")?, &wanted).await),
        ("ctr", ctr(&demo, &wanted).await),
        ("docker", docker(&demo, &wanted).await),
        ("oras", with_oras(&demo, &wanted).await),
        ("oci-client", rust(&wanted).await),
    ];
    let failed: Vec<_> = outcomes.iter().filter_map(|(name, outcome)| Some((name, outcome.as_ref().err()?))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    passed()
}

async fn wanted(demo: &Demo) -> Result<Vec<Wanted>> {
    let (_, hello) = demo.published("alice.test", "hello", "latest").await?;
    let (_, index) = demo.published("alice.test", "multi", "latest").await?;
    let url = demo.crowsnest.url(&format!("/v2/alice.test/multi/manifests/{index}"));
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let manifest = http::json(&url).await?;
    let mut children = manifest["manifests"].as_array().into_iter().flatten();
    let ours = children.find(|child| child["platform"]["architecture"] == architecture);
    let ours = ours.and_then(|child| child["digest"].as_str()).context("nothing for this machine")?.to_owned();
    // docker's grammar has no room for a DID's colons.
    let did = demo.account("alice.test").await?.did.replace(':', "_");
    let wanted = |name: String, digests: &[&String]| Wanted {
        image: demo.crowsnest.image(&name),
        digests: digests.iter().map(|&digest| digest.clone()).collect(),
    };
    Ok(vec![
        wanted("alice.test/hello:latest".to_owned(), &[&hello]),
        // Before the index: podman calls an image by the name under which it came first.
        wanted(format!("alice.test/multi@{ours}"), &[&ours]),
        wanted("alice.test/multi:latest".to_owned(), &[&index, &ours]),
        wanted(format!("{did}/hello:latest"), &[&hello]),
    ])
}

async fn skopeo(demo: &Demo, wanted: &[Wanted]) -> Result<()> {
    for (number, wanted) in wanted.iter().enumerate() {
        let layout = skopeo_copy(&demo.scratch, &format!("skopeo-{number}"), &wanted.image).await?;
        wanted.check(&layout.manifest()?)?;
        // Manifest, configuration and two layers, each hashed.
        ensure!(layout.blobs()?.len() == 4, "{}: {:?}", wanted.image, layout.blobs()?);
    }
    Ok(())
}

async fn engine(engine: &Engine, wanted: &[Wanted]) -> Result<()> {
    for wanted in wanted {
        wanted.check(&engine.pull(&wanted.image).await?)?;
    }
    Ok(())
}

async fn ctr(demo: &Demo, wanted: &[Wanted]) -> Result<()> {
    let containerd = Containerd::start(&demo.scratch).await?;
    for wanted in wanted {
        wanted.check(&containerd.pull(&wanted.image, By::PlainHttp).await?)?;
    }
    Ok(())
}

async fn docker(demo: &Demo, wanted: &[Wanted]) -> Result<()> {
    let docker = Docker::start(&demo.scratch).await?;
    for wanted in wanted {
        wanted.check(&docker.pull(&wanted.image).await?.0)?;
    }
    let greeting = docker.run(&wanted[0].image).await?;
    ensure!(greeting.contains("Hello from crowsnest!"), "docker ran {greeting:?}");
    Ok(())
}

async fn with_oras(demo: &Demo, wanted: &[Wanted]) -> Result<()> {
    for (number, wanted) in wanted.iter().enumerate() {
        let folder = demo.scratch.folder(&format!("oras-{number}"))?;
        let pulled = oras::pull(&wanted.image, &folder).await?;
        // oras takes an index for what it is, a list of manifests, and unpacks the layers of an image.
        let parts = ["layers", "manifests"].map(|field| pulled.manifest[field].as_array().map_or(0, Vec::len));
        ensure!(parts == [2, 0] || parts == [0, 3], "{}: {}", wanted.image, pulled.manifest);
        let unpacked = ["etc/os-release", "usr/share/VERSION"].map(|path| folder.join(path).is_file());
        ensure!(unpacked == [parts[0] > 0; 2], "{}: unpacked {:?}", wanted.image, pulled.files);
        ensure!(pulled.tags.iter().any(|tag| tag == "latest"), "{}: {:?}", wanted.image, pulled.tags);
    }
    Ok(())
}

async fn rust(wanted: &[Wanted]) -> Result<()> {
    for wanted in wanted {
        let reference: Reference = wanted.image.parse()?;
        let layers = vec!["application/vnd.oci.image.layer.v1.tar+gzip"];
        let pulled = oci_client().pull(&reference, &RegistryAuth::Anonymous, layers).await?;
        wanted.check(&pulled.digest.context("oci-client tells no digest")?)?;
        ensure!(pulled.layers.len() == 2, "{}: {} layers", wanted.image, pulled.layers.len());
    }
    Ok(())
}

/// The Rust client, over plain HTTP.
pub fn oci_client() -> Client {
    // Makes sure that there is TLS to build a client with.
    http::client();
    Client::new(oci_client::client::ClientConfig { protocol: ClientProtocol::Http, ..Default::default() })
}
