use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::fields::{DecodeError, Fields};
use crate::{Cid, Did, Digest, ManifestKind, ManifestMediaType, RepositoryName};

/// `io.atcr.manifest`: an image, artifact or index as its owner declares it. The manifest's bytes decide where the two
/// differ (see the blob link).
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The repository that it was pushed to.
    pub repository: RepositoryName,
    /// The digest of the manifest's bytes.
    pub digest: Digest,
    /// The manifest's media type as declared; [`ManifestMediaType`] when it is one that may be served.
    pub media_type: String,
    /// When it was pushed, by the pusher's clock.
    pub created_at: Option<DateTime<Utc>>,
    /// Where the blobs are. A deprecated `holdEndpoint` is read as its `did:web`.
    pub hold: Option<Did>,
    /// The deprecated endpoint URL, when the record has no `holdDid`: the hold speaks the old API.
    pub legacy_endpoint: Option<String>,
    /// The image's configuration; images only.
    pub config: Option<BlobRef>,
    /// The layers, bottom first; images only.
    pub layers: Vec<BlobRef>,
    /// What an index points at.
    pub children: Vec<ChildManifest>,
    /// The manifest that this one is about (signature, SBOM, attestation).
    pub subject: Option<BlobRef>,
    /// OCI annotations.
    pub annotations: BTreeMap<String, String>,
    /// The exact bytes, on the owner's PDS; very old records lack it.
    pub blob: Option<BlobLink>,
}

/// `#blobReference`: an OCI descriptor.
#[derive(Clone, Debug, PartialEq)]
pub struct BlobRef {
    /// The blob's media type, unchecked.
    pub media_type: String,
    /// Bytes.
    pub size: i64,
    /// The blob's digest.
    pub digest: Digest,
}

/// `#manifestReference`: an entry of an index.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildManifest {
    /// The child's descriptor.
    pub blob: BlobRef,
    /// What it runs on; `None` (or `unknown/unknown`) is a buildx attestation.
    pub platform: Option<Platform>,
}

/// `#platform`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `linux`, `windows`, ….
    pub os: String,
    /// `amd64`, `arm64`, ….
    pub architecture: String,
    /// `v7`, `v8`, ….
    pub variant: Option<String>,
}

/// An AT Protocol blob: its CID is raw, so its hash is the OCI digest of the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct BlobLink {
    /// The blob's CID.
    pub cid: Cid,
    /// The declared media type.
    pub mime_type: String,
    /// Bytes, as declared.
    pub size: i64,
}

impl Manifest {
    pub(super) fn decode(fields: &Fields<'_>) -> Result<Self, DecodeError> {
        let hold: Option<Did> = fields.opt_parse("holdDid")?;
        let legacy_endpoint = fields.opt_text("holdEndpoint").filter(|_| hold.is_none());
        Ok(Self {
            repository: fields.parse("repository")?,
            digest: fields.digest("digest")?,
            media_type: fields.text("mediaType")?.chars().filter(|c| !c.is_control()).take(255).collect(),
            created_at: fields.time("createdAt"),
            hold: hold.or_else(|| Did::web_of_endpoint(legacy_endpoint.as_deref()?)),
            legacy_endpoint,
            config: fields.object("config")?.map(|config| BlobRef::decode(&config)).transpose()?,
            layers: fields.objects("layers")?.iter().map(BlobRef::decode).collect::<Result<_, _>>()?,
            children: fields.objects("manifests")?.iter().map(ChildManifest::decode).collect::<Result<_, _>>()?,
            subject: fields.object("subject")?.map(|subject| BlobRef::decode(&subject)).transpose()?,
            annotations: fields.text_map("annotations"),
            blob: fields.object("manifestBlob")?.map(|blob| BlobLink::decode(&blob)).transpose()?,
        })
    }

    /// One artifact or an index; an unknown media type with children is an index.
    pub fn kind(&self) -> ManifestKind {
        match self.media_type.parse::<ManifestMediaType>() {
            Ok(known) => known.kind(),
            Err(_) if self.children.is_empty() => ManifestKind::Image,
            Err(_) => ManifestKind::Index,
        }
    }

    /// Compressed bytes: configuration and layers, or the children's manifests.
    pub fn size(&self) -> i64 {
        let blobs = self.config.iter().chain(&self.layers).chain(self.children.iter().map(|child| &child.blob));
        blobs.fold(0, |sum, blob| sum.saturating_add(blob.size))
    }
}

impl BlobRef {
    fn decode(fields: &Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            media_type: fields.opt_text("mediaType").unwrap_or_default(),
            size: fields.size("size")?,
            digest: fields.digest("digest")?,
        })
    }
}

impl ChildManifest {
    fn decode(fields: &Fields<'_>) -> Result<Self, DecodeError> {
        let platform = fields.object("platform")?.and_then(|platform| Platform::decode(&platform));
        Ok(Self { blob: BlobRef::decode(fields)?, platform })
    }
}

impl Platform {
    fn decode(fields: &Fields<'_>) -> Option<Self> {
        Some(Self {
            os: fields.opt_text("os")?,
            architecture: fields.opt_text("architecture")?,
            variant: fields.opt_text("variant").filter(|variant| !variant.is_empty()),
        })
    }

    /// Whether this is buildx's way of saying “not an image”.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }
}

impl BlobLink {
    pub(super) fn decode(fields: &Fields<'_>) -> Result<Self, DecodeError> {
        let reference = fields.object("ref")?.ok_or_else(|| fields.error("ref", "missing"))?;
        Ok(Self {
            cid: reference.parse("$link")?,
            mime_type: fields.opt_text("mimeType").unwrap_or_default(),
            size: fields.count("size")?,
        })
    }
}
