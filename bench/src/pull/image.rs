//! Manifests as people push them.

use std::{fs, path::Path};

use anyhow::Result;
use serde_json::{Value, json};
use types::Digest;

use crate::dice::Dice;

/// The media type of an image's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// What a client that asks for one sends.
pub const ACCEPT: &str = "Accept: application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const LAYERS: usize = 8;

/// A manifest of eight layers.
pub struct Image {
    pub document: Value,
    pub bytes: Vec<u8>,
    pub digest: Digest,
    /// The configuration and the layers.
    blobs: Vec<Vec<u8>>,
}

impl Image {
    /// One like no other, about so many bytes longer than most are.
    pub fn new(dice: &mut Dice, longer: usize) -> Self {
        let mut blobs: Vec<Vec<u8>> = (0..LAYERS).map(|_| dice.hex().into_bytes()).collect();
        let ids: Vec<Digest> = blobs.iter().map(|layer| Digest::sha256(layer)).collect();
        let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}});
        let descriptor = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len()});
        let layers: Vec<Value> = blobs.iter().map(|layer| descriptor(LAYER, layer)).collect();
        let config = config.to_string().into_bytes();
        let notes: String = std::iter::repeat_with(|| dice.hex()).take(longer / 64).collect();
        let document = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, &config), "layers": layers,
            "annotations": {
                "org.opencontainers.image.created": "2026-11-01T12:00:00Z", "org.opencontainers.image.licenses": "MIT",
                "org.opencontainers.image.revision": dice.hex(), "example.notes": notes},
        });
        blobs.push(config);
        let bytes = document.to_string().into_bytes();
        Self { digest: Digest::sha256(&bytes), document, bytes, blobs }
    }

    /// Writes it as an [OCI layout](https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md).
    pub fn write_layout(&self, folder: &Path) -> Result<()> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        for blob in self.blobs.iter().chain([&self.bytes]) {
            fs::write(blobs.join(Digest::sha256(blob).hex()), blob)?;
        }
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let manifest = json!({"mediaType": MANIFEST, "digest": self.digest, "size": self.bytes.len()});
        fs::write(folder.join("index.json"), json!({"schemaVersion": 2, "manifests": [manifest]}).to_string())?;
        Ok(())
    }
}
