use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{OciError, check_hash, clean};
use crate::Digest;

/// An image's configuration, whose bytes hash to its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageConfig {
    /// The digest to which the bytes hash.
    pub digest: Digest,
    /// `os`
    pub os: Option<String>,
    /// `architecture`
    pub architecture: Option<String>,
    /// `variant`
    pub variant: Option<String>,
    /// `created`
    pub created_at: Option<DateTime<Utc>>,
    /// The bytes themselves.
    pub bytes: Vec<u8>,
}

/// Whether a config of this media type describes an image; other artifacts (charts, signatures) use the place as they like.
pub fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json")
}

/// Reads an image's configuration ([config](https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md)), once its
/// bytes hash to `digest`.
///
/// # Errors
/// [`OciError::WrongHash`], or [`OciError::Malformed`] when they are no JSON object.
pub fn image_config(digest: &Digest, bytes: &[u8]) -> Result<ImageConfig, OciError> {
    #[derive(Deserialize)]
    struct Document {
        os: Option<String>,
        architecture: Option<String>,
        variant: Option<String>,
        created: Option<String>,
    }
    check_hash(digest, bytes)?;
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|error| OciError::Malformed { what: "image configuration", why: error.to_string() })?;
    let text = |text: Option<String>| text.filter(|text| !text.is_empty()).map(clean);
    let created = document.created.and_then(|created| DateTime::parse_from_rfc3339(&created).ok());
    Ok(ImageConfig {
        digest: digest.clone(),
        os: text(document.os),
        architecture: text(document.architecture),
        variant: text(document.variant),
        // Reproducible builds say 1970 or earlier; beyond 9999 Postgres and people give up.
        created_at: created.map(|time| time.to_utc()).filter(|time| (0..253_402_300_800).contains(&time.timestamp())),
        bytes: bytes.to_vec(),
    })
}
