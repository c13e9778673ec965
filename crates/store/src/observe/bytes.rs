use chrono::{DateTime, Utc};
use tokio_postgres::{Client, types::Json};
use types::Digest;

use crate::StoreError;

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
#[derive(Clone, Debug)]
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
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// A manifest's bytes, hashed by the caller, and what they say.
#[derive(Clone, Debug)]
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

/// An image's configuration, hashed by the caller.
#[derive(Clone, Debug)]
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

/// Whether a manifest's bytes are stored.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn has_manifest(client: &Client, digest: &Digest) -> Result<bool, StoreError> {
    exists(client, "manifest_bytes", digest).await
}

/// Whether an image configuration is stored.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn has_config(client: &Client, digest: &Digest) -> Result<bool, StoreError> {
    exists(client, "image_config", digest).await
}

async fn exists(client: &Client, table: &str, digest: &Digest) -> Result<bool, StoreError> {
    let statement = format!("SELECT EXISTS (SELECT FROM {table} WHERE digest = $1)");
    Ok(client.query_one(&statement, &[&digest.as_str()]).await?.get(0))
}

/// Stores a manifest's bytes and what they refer to; nothing happens if they are there, since a digest has one content.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn manifest_bytes(client: &mut Client, manifest: &ManifestBytes) -> Result<(), StoreError> {
    let digest = manifest.digest.as_str();
    let config = manifest.references.iter().find(|reference| reference.role == BlobRole::Config);
    let tx = client.transaction().await?;
    let new = tx
        .execute(
            "INSERT INTO manifest_bytes (digest, media_type, artifact_type, config_digest, config_media_type, subject, bytes)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            &[
                &digest,
                &manifest.media_type,
                &manifest.artifact_type,
                &config.map(|config| config.digest.as_str()),
                &config.map(|config| config.media_type.as_str()),
                &manifest.subject.as_ref().map(|subject| subject.as_str()),
                &manifest.bytes,
            ],
        )
        .await?;
    if new == 1 {
        let insert = tx
            .prepare(
                "INSERT INTO blob_ref (manifest, position, role, digest, media_type, size, os, architecture, variant, annotations)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .await?;
        for (position, reference) in (0i32..).zip(&manifest.references) {
            let platform = reference.platform.as_ref();
            tx.execute(
                &insert,
                &[
                    &digest,
                    &position,
                    &reference.role.as_str(),
                    &reference.digest.as_str(),
                    &reference.media_type,
                    &reference.size,
                    &platform.map(|(os, ..)| os),
                    &platform.map(|(_, architecture, _)| architecture),
                    &platform.and_then(|(.., variant)| variant.as_ref()),
                    &Json(&reference.annotations),
                ],
            )
            .await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Stores an image's configuration; nothing happens if it is there.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn image_config(client: &Client, config: &ImageConfig) -> Result<(), StoreError> {
    client
        .execute(
            "INSERT INTO image_config (digest, os, architecture, variant, created_at, bytes)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            &[
                &config.digest.as_str(),
                &config.os,
                &config.architecture,
                &config.variant,
                &config.created_at,
                &config.bytes,
            ],
        )
        .await?;
    Ok(())
}
