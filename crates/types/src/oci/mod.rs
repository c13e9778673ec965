//! What the bytes of a manifest or of an image's configuration say, checked against their digest first
//! ([image-spec](https://github.com/opencontainers/image-spec/blob/v1.1.0/spec.md)). The bytes decide where a record
//! differs from them.

mod config;
mod manifest;

pub use config::{ImageConfig, image_config, is_image_config};
pub use manifest::{BlobRole, ManifestBytes, Referenced, manifest_bytes};

use crate::Digest;

/// Why bytes are not the document that they were taken for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OciError {
    /// They are other bytes: never to be stored or served.
    #[error("the bytes hash to {found}, not to {expected}")]
    WrongHash {
        /// What they should hash to.
        expected: Digest,
        /// Their sha256.
        found: Digest,
    },
    /// The right bytes, but they do not hold what the specification asks for.
    #[error("the bytes are not a usable {what}: {why}")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// What is wrong with them.
        why: String,
    },
}

fn check_hash(digest: &Digest, bytes: &[u8]) -> Result<(), OciError> {
    if digest.matches(bytes) {
        return Ok(());
    }
    Err(OciError::WrongHash { expected: digest.clone(), found: Digest::sha256(bytes) })
}

/// Postgres cannot store NUL.
fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests;
