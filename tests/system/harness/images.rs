//! A tiny OCI image, made by hand.

use std::io::Write as _;

use anyhow::Result;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The media type of an image's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Bytes and what they are called.
#[derive(Clone)]
pub struct Blob {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// `sha256:…` of them.
    pub digest: String,
    /// Their media type.
    pub media_type: &'static str,
}

impl Blob {
    fn new(bytes: Vec<u8>, media_type: &'static str) -> Self {
        Blob { digest: sha256(&bytes), bytes, media_type }
    }

    /// Its descriptor.
    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// An image for this machine's architecture with one layer of one file.
#[derive(Clone)]
pub struct Image {
    /// The manifest.
    pub manifest: Blob,
    /// The image configuration.
    pub config: Blob,
    /// The layer, a gzipped tar.
    pub layer: Blob,
}

impl Image {
    /// An image whose file says `text`: another text is another image.
    pub fn saying(text: &str) -> Result<Self> {
        let tar = archive("greeting.txt", text.as_bytes())?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&tar)?;
        let layer = Blob::new(gzip.finish()?, "application/vnd.oci.image.layer.v1.tar+gzip");
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }, "os": "linux",
            "created": "2026-01-10T12:00:00Z", "config": {"Cmd": ["/greeting"]},
            "rootfs": {"type": "layers", "diff_ids": [sha256(&tar)]},
        });
        let config = Blob::new(serde_json::to_vec(&config)?, "application/vnd.oci.image.config.v1+json");
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": [layer.descriptor()],
        });
        Ok(Image { manifest: Blob::new(serde_json::to_vec(&manifest)?, MANIFEST), config, layer })
    }

    /// The digests of all three, sorted.
    pub fn digests(&self) -> Vec<String> {
        let mut digests = [&self.manifest, &self.config, &self.layer].map(|blob| blob.digest.clone()).to_vec();
        digests.sort();
        digests
    }
}

/// `sha256:` and the digest of the bytes.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn archive(name: &str, content: &[u8]) -> Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, name, content)?;
    Ok(builder.into_inner()?)
}
