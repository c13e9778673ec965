use tokio_postgres::{Client, types::Json};
use types::{
    Digest,
    oci::{BlobRole, ImageConfig, ManifestBytes},
};

use crate::StoreError;

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

/// The configuration that a stored manifest's bytes refer to, and its media type.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn config_of(client: &Client, manifest: &Digest) -> Result<Option<(Digest, String)>, StoreError> {
    let row = client
        .query_opt(
            "SELECT config_digest, config_media_type FROM manifest_bytes WHERE digest = $1 AND config_digest IS NOT NULL",
            &[&manifest.as_str()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let digest: Digest =
        row.get::<_, &str>(0).parse().map_err(|error: types::DigestError| StoreError::Statement(Box::new(error)))?;
    Ok(Some((digest, row.get(1))))
}

async fn exists(client: &Client, table: &str, digest: &Digest) -> Result<bool, StoreError> {
    let statement = format!("SELECT EXISTS (SELECT FROM {table} WHERE digest = $1)");
    Ok(client.query_one(&statement, &[&digest.as_str()]).await?.get(0))
}

/// Stores a manifest's bytes and what they refer to; nothing happens if they are there, since a digest has one content, or if no
/// record names them any more: they are not put back once their account was purged. The record stays as it is meanwhile.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn manifest_bytes(client: &mut Client, manifest: &ManifestBytes) -> Result<(), StoreError> {
    let digest = manifest.digest.as_str();
    let config = manifest.references.iter().find(|reference| reference.role == BlobRole::Config);
    let tx = client.transaction().await?;
    let new = tx
        .execute(
            "WITH named AS (SELECT FROM manifest WHERE digest = $1 LIMIT 1 FOR KEY SHARE)
             INSERT INTO manifest_bytes (digest, media_type, artifact_type, config_digest, config_media_type, subject, bytes)
             SELECT $1, $2, $3, $4, $5, $6, $7::bytea FROM named ON CONFLICT DO NOTHING",
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

/// Stores an image's configuration; nothing happens if it is there, or if no manifest that is stored names it any more.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn image_config(client: &Client, config: &ImageConfig) -> Result<(), StoreError> {
    client
        .execute(
            "WITH named AS (SELECT FROM manifest_bytes WHERE config_digest = $1 LIMIT 1 FOR KEY SHARE)
             INSERT INTO image_config (digest, os, architecture, variant, created_at, bytes)
             SELECT $1, $2, $3, $4, $5::timestamptz, $6::bytea FROM named ON CONFLICT DO NOTHING",
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
