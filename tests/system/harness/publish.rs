//! Publishing an image as atcr.io does: blobs on a hold, the manifest's bytes and the records on the owner's PDS.

use anyhow::Result;
use chrono::Utc;
use serde_json::json;

use super::hold::Hold;
use super::images::Image;
use super::xrpc::Account;

/// The collection of manifests.
pub const MANIFESTS: &str = "io.atcr.manifest";
/// The collection of tags.
pub const TAGS: &str = "io.atcr.tag";
const WHEN: &str = "2026-01-10T12:00:00Z";

/// Pushes an image as of now: its manifest and one tag.
pub async fn push(account: &Account, hold: &Hold, repository: &str, name: &str, image: &Image) -> Result<()> {
    let now = Utc::now().to_rfc3339();
    manifest_at(account, hold, repository, image, &now).await?;
    tag_at(account, repository, name, image, &now).await
}

/// Publishes a manifest, untagged.
pub async fn manifest(account: &Account, hold: &Hold, repository: &str, image: &Image) -> Result<()> {
    manifest_at(account, hold, repository, image, WHEN).await
}

async fn manifest_at(account: &Account, hold: &Hold, repository: &str, image: &Image, when: &str) -> Result<()> {
    hold.keep(&image.config);
    hold.keep(&image.layer);
    let manifest = &image.manifest;
    let blob = account.upload_blob(manifest.media_type, manifest.bytes.clone()).await?;
    let record = json!({
        "$type": MANIFESTS, "repository": repository, "digest": manifest.digest, "mediaType": manifest.media_type,
        "schemaVersion": 2, "holdDid": hold.did(), "config": image.config.descriptor(),
        "layers": [image.layer.descriptor()], "manifestBlob": blob, "createdAt": when,
    });
    account.put_record(MANIFESTS, rkey(image), &record).await
}

/// Points a tag at a published manifest.
pub async fn tag(account: &Account, repository: &str, tag: &str, image: &Image) -> Result<()> {
    tag_at(account, repository, tag, image, WHEN).await
}

async fn tag_at(account: &Account, repository: &str, tag: &str, image: &Image, when: &str) -> Result<()> {
    let manifest = format!("at://{}/{MANIFESTS}/{}", account.did, rkey(image));
    let record = json!({
        "$type": TAGS, "repository": repository, "tag": tag, "manifest": manifest,
        "mediaType": image.manifest.media_type, "updatedAt": when,
    });
    account.put_record(TAGS, &format!("{repository}_{tag}"), &record).await
}

/// A manifest's key is its digest's hex.
fn rkey(image: &Image) -> &str {
    image.manifest.digest.trim_start_matches("sha256:")
}
