use std::collections::BTreeMap;

use serde::Deserialize;

use super::{OciError, check_hash, clean};
use crate::Digest;

/// What a blob is to the manifest that refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobRole {
    /// The configuration.
    Config,
    /// A layer.
    Layer,
    /// A manifest that an index points at.
    Manifest,
}

impl BlobRole {
    /// The name as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Layer => "layer",
            Self::Manifest => "manifest",
        }
    }
}

/// A descriptor in a manifest's bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Referenced {
    /// What it is to the manifest.
    pub role: BlobRole,
    /// Its digest.
    pub digest: Digest,
    /// Its media type, unchecked.
    pub media_type: String,
    /// Bytes.
    pub size: i64,
    /// (os, architecture, variant) of an index's entry.
    pub platform: Option<(String, String, Option<String>)>,
    /// The descriptor's annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A manifest's bytes, which hash to its digest, and what they say.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestBytes {
    /// The digest to which the bytes hash.
    pub digest: Digest,
    /// `mediaType` in the bytes; some writers leave it out.
    pub media_type: Option<String>,
    /// `artifactType` in the bytes.
    pub artifact_type: Option<String>,
    /// `subject` in the bytes.
    pub subject: Option<Digest>,
    /// What the bytes refer to, in their order, the configuration first.
    pub references: Vec<Referenced>,
    /// The bytes themselves.
    pub bytes: Vec<u8>,
}

/// Reads an OCI or docker manifest or index
/// ([manifest](https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md),
/// [index](https://github.com/opencontainers/image-spec/blob/v1.1.0/image-index.md)), once its bytes hash to `digest`.
///
/// # Errors
/// [`OciError::WrongHash`], or [`OciError::Malformed`] when they are no JSON object with usable descriptors.
pub fn manifest_bytes(digest: &Digest, bytes: &[u8]) -> Result<ManifestBytes, OciError> {
    check_hash(digest, bytes)?;
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|error| OciError::Malformed { what: "manifest", why: error.to_string() })?;
    let config = document.config.into_iter().map(|config| config.read(BlobRole::Config));
    let layers = document.layers.into_iter().flatten().map(|layer| layer.read(BlobRole::Layer));
    let children = document.manifests.into_iter().flatten().map(|child| child.read(BlobRole::Manifest));
    Ok(ManifestBytes {
        digest: digest.clone(),
        media_type: document.media_type.map(clean),
        artifact_type: document.artifact_type.map(clean),
        subject: document.subject.map(|subject| subject.digest),
        references: config.chain(layers).chain(children).collect::<Result<_, _>>()?,
        bytes: bytes.to_vec(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: Option<String>,
    artifact_type: Option<String>,
    subject: Option<Descriptor>,
    config: Option<Descriptor>,
    // Some writers leave `null` where a list is empty.
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: Digest,
    #[serde(default)]
    media_type: String,
    size: i64,
    platform: Option<Platform>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Descriptor {
    fn read(self, role: BlobRole) -> Result<Referenced, OciError> {
        if self.size < 0 {
            return Err(OciError::Malformed { what: "manifest", why: format!("{} has a negative size", self.digest) });
        }
        let platform = self.platform.map(|p| {
            let variant = p.variant.filter(|variant| !variant.is_empty()).map(clean);
            (clean(p.os), clean(p.architecture), variant)
        });
        let annotations = self.annotations.into_iter().flatten().map(|(key, value)| (clean(key), clean(value)));
        Ok(Referenced {
            role,
            digest: self.digest,
            media_type: clean(self.media_type),
            size: self.size,
            platform,
            annotations: annotations.collect(),
        })
    }
}
