use std::collections::BTreeSet;

use serde_json::Value;
use types::Digest;

use crate::support::{Fixture, get, get_bytes};

/// Every record of a collection, over all accounts, by listRecords' pages.
async fn records(fixture: &Fixture, collection: &str) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for account in fixture.devnet.manifest().accounts {
        let mut cursor = String::new();
        loop {
            let base = format!("{}/xrpc/com.atproto.repo.listRecords?limit=20", account.pds);
            let (status, page) = get(&format!("{base}&repo={}&collection={collection}{cursor}", account.did)).await;
            assert_eq!(status, 200, "{page}");
            let records = page["records"].as_array().unwrap();
            all.extend(records.iter().map(|record| (account.did.clone(), account.pds.clone(), record.clone())));
            let Some(next) = page["cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn is_as_large_as_promised() {
    let fixture = Fixture::full().await;
    let manifest = fixture.devnet.manifest();
    assert!(manifest.accounts.len() >= 12);
    assert_eq!((manifest.pds.len(), manifest.holds.len()), (2, 4));
    let tags = records(&fixture, "io.atcr.tag").await;
    assert!(tags.len() >= 150, "{} tags", tags.len());
    let repositories: BTreeSet<_> =
        tags.iter().map(|(did, _, tag)| (did, tag["value"]["repository"].as_str())).collect();
    assert!(repositories.len() >= 40, "{} repositories", repositories.len());
    let alice = fixture.devnet.did("alice.test").unwrap();
    let target = |tag: &str| fixture.devnet.record(&alice, "io.atcr.tag", tag).unwrap()["manifest"].clone();
    assert_ne!(target("hello_latest"), target("hello_v1"));
    fixture.devnet.shutdown().await;
}

/// The bytes behind every manifest, and behind every layer of the public ones.
#[tokio::test(flavor = "multi_thread")]
async fn every_byte_hashes_to_its_digest() {
    let fixture = Fixture::full().await;
    let (mut manifests, mut layers) = (0, BTreeSet::new());
    for (did, pds, record) in records(&fixture, "io.atcr.manifest").await {
        let Some(digest) = record["value"]["digest"].as_str() else { continue };
        assert_eq!(types::record_cid(&record["value"]).unwrap().to_string(), record["cid"]);
        let Some(blob) = record["value"]["manifestBlob"]["ref"]["$link"].as_str() else { continue };
        let bytes = get_bytes(&format!("{pds}/xrpc/com.atproto.sync.getBlob?did={did}&cid={blob}")).await;
        assert!(digest.parse::<Digest>().unwrap().matches(&bytes));
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(manifest["mediaType"], record["value"]["mediaType"]);
        assert_eq!(manifest["layers"], record["value"]["layers"]);
        assert_eq!(manifest["config"], record["value"]["config"]);
        manifests += 1;
        if manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json" {
            check_layers(&fixture, &manifest, &mut layers).await;
        }
    }
    assert!(manifests > 100 && layers.len() > 100, "{manifests} manifests, {} layers", layers.len());
    fixture.devnet.shutdown().await;
}

/// The config's diff_ids are those of the layers' tars.
async fn check_layers(fixture: &Fixture, manifest: &Value, seen: &mut BTreeSet<String>) {
    let files = fixture.directory.path().join("devnet/blobs");
    let read = |descriptor: &Value| {
        let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
        let bytes = std::fs::read(files.join(digest.hex())).unwrap();
        assert!(digest.matches(&bytes));
        assert_eq!(descriptor["size"], bytes.len());
        bytes
    };
    let config: Value = serde_json::from_slice(&read(&manifest["config"])).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
    assert_eq!(layers.len(), diff_ids.len());
    for (layer, diff_id) in layers.iter().zip(diff_ids) {
        let bytes = read(layer);
        if layer["mediaType"].as_str().unwrap().ends_with("gzip") && seen.insert(layer["digest"].to_string()) {
            let mut tar = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut tar).unwrap();
            assert_eq!(Digest::sha256(&tar).as_str(), diff_id.as_str().unwrap());
            assert!(tar::Archive::new(&tar[..]).entries().unwrap().count() > 0);
        }
    }
}
