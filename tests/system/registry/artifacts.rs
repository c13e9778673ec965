//! What is no image: a Helm chart, a signature, an SBOM, and how they are found from what they are about.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use oci_client::Reference;
use oci_client::secrets::RegistryAuth;

use super::clients::oci_client;
use crate::harness::clients::skopeo_copy;
use crate::harness::demo::Demo;
use crate::harness::images::sha256;
use crate::harness::{http, oras, passed};

const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const SPDX: &str = "application/spdx+json";

#[tokio::test]
async fn charts_and_referrers_come_to_oras_skopeo_and_oci_client() -> Result<()> {
    let demo = Demo::start().await?;
    let outcomes = [("the chart", chart(&demo).await), ("referrers", referrers(&demo).await)];
    let failed: Vec<_> = outcomes.iter().filter_map(|(name, outcome)| Some((name, outcome.as_ref().err()?))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    passed()
}

async fn chart(demo: &Demo) -> Result<()> {
    let image = demo.crowsnest.image("bob.test/chart:latest");
    let (_, digest) = demo.published("bob.test", "chart", "latest").await?;
    let pulled = oras::pull(&image, &demo.scratch.folder("chart")?).await?;
    let layer = &pulled.manifest["layers"][0];
    ensure!(layer["mediaType"] == CHART && pulled.tags == ["0.1.0", "0.2.0", "latest"], "{:?}", pulled.manifest);
    let archive = fs::read(pulled.files.first().context("oras wrote no file")?)?;
    ensure!(layer["digest"] == sha256(&archive), "the chart is not what its manifest says");

    let layout = skopeo_copy(&demo.scratch, "skopeo-chart", &image).await?;
    ensure!(layout.manifest()? == digest && layout.blobs()?.contains(&sha256(&archive)), "skopeo copied another chart");

    let reference: Reference = image.parse()?;
    let found = oci_client().pull(&reference, &RegistryAuth::Anonymous, vec![CHART]).await?;
    ensure!(found.digest.as_deref() == Some(&digest), "oci-client: {:?}", found.digest);
    ensure!(found.layers.len() == 1 && found.layers[0].data == archive, "oci-client pulled another chart");
    Ok(())
}

async fn referrers(demo: &Demo) -> Result<()> {
    let (_, subject) = demo.published("bob.test", "signed", "latest").await?;
    let url = demo.crowsnest.url(&format!("/v2/bob.test/signed/referrers/{subject}"));
    // They are about the image by their bytes, which are fetched one after the other.
    let all = async || {
        let index = http::json(&url).await?;
        Ok((index["manifests"].as_array().map(Vec::len) == Some(2)).then_some(()))
    };
    crate::harness::eventually("a signature and an SBOM refer to the image", crate::harness::demo::PATIENCE, all)
        .await?;

    let reference: Reference = demo.crowsnest.image(&format!("bob.test/signed@{subject}")).parse()?;
    let client = oci_client();
    ensure!(client.pull_referrers(&reference, None).await?.manifests.len() == 2, "oci-client finds others");
    let sboms = client.pull_referrers(&reference, Some(SPDX)).await?.manifests;
    ensure!(sboms.len() == 1 && sboms[0].artifact_type.as_deref() == Some(SPDX), "{sboms:?}");

    let image = demo.crowsnest.image(&format!("bob.test/signed@{}", sboms[0].digest));
    let pulled = oras::pull(&image, &demo.scratch.folder("sbom")?).await?;
    let document = fs::read_to_string(pulled.files.first().context("oras wrote no file")?)?;
    ensure!(pulled.manifest["subject"]["digest"] == subject, "{}", pulled.manifest);
    ensure!(document.contains("SPDX-2.3"), "the SBOM is {document}");
    Ok(())
}
