use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{FromJsonQueryResult, FromQueryResult};
use serde::{Deserialize, Serialize};
use types::{Did, Digest, RepositoryName};

use super::{Asked, Reader, Texts};
use crate::StoreError;

/// A manifest's page.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct ManifestView {
    /// The digest.
    pub digest: String,
    /// The declared media type.
    pub media_type: String,
    /// `image` or `index`.
    pub kind: String,
    /// The media type of the configuration, which tells what an artifact is.
    pub config_media_type: Option<String>,
    /// `artifactType` of the bytes.
    pub artifact_type: Option<String>,
    /// The digest that it is about.
    pub subject: Option<String>,
    /// Compressed bytes.
    pub size: i64,
    /// The hold that has its blobs.
    pub hold: Option<String>,
    /// The annotations. A stranger's text.
    pub annotations: Annotations,
    /// When it was pushed, by the owner's clock.
    pub created_at: Option<DateTime<Utc>>,
    /// The tags of the repository that point at it, at most 100.
    pub tags: Texts,
    /// The key of its record.
    #[serde(skip)]
    pub rkey: String,
    /// When its bytes were fetched and hashed.
    pub fetched_at: Option<DateTime<Utc>>,
    /// The manifest's bytes, when they are here and hashed.
    #[serde(skip)]
    pub bytes: Option<Vec<u8>>,
    /// The image's configuration, when it is here and hashed.
    #[serde(skip)]
    pub config: Option<Vec<u8>>,
}

/// A map of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Annotations(pub BTreeMap<String, String>);

/// A layer.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct LayerView {
    /// The digest.
    pub digest: String,
    /// The media type, unchecked.
    pub media_type: String,
    /// Compressed bytes.
    pub size: i64,
    /// What its annotations call it: the file's name, in an artifact.
    pub title: Option<String>,
    /// What it attests, if it is an in-toto statement that says so.
    pub predicate: Option<String>,
}

/// An entry of an index.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct PlatformView {
    /// The manifest's digest.
    pub digest: String,
    /// `os/architecture[/variant]`; `None` for attestations.
    pub platform: Option<String>,
    /// Compressed bytes of the image, when its record is known.
    pub size: Option<i64>,
}

impl Reader {
    /// A manifest as a repository shows it.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn manifest(
        &self,
        did: &Did,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<ManifestView>, StoreError> {
        let Asked::Found(served) = self.served_manifest(did, repository, digest).await? else { return Ok(None) };
        self.one(
            "SELECT m.digest, m.media_type, m.kind, coalesce(b.config_media_type, m.config_media_type) AS config_media_type,
                    b.artifact_type, coalesce(b.subject, m.subject) AS subject, m.size, m.hold, m.annotations,
                    m.created_at, m.rkey, b.fetched_at, b.bytes, c.bytes AS config,
                    (SELECT coalesce(jsonb_agg(tag), '[]') FROM (
                        SELECT DISTINCT t.tag FROM tag t WHERE t.did = m.did AND t.repository = $3
                           AND (t.manifest_rkey = m.rkey OR t.manifest_digest = m.digest)
                        ORDER BY t.tag LIMIT 100) few) AS tags
             FROM manifest m LEFT JOIN manifest_bytes b ON b.digest = m.digest
             LEFT JOIN image_config c ON c.digest = coalesce(b.config_digest, m.config_digest)
             WHERE m.did = $1 AND m.rkey = $2",
            vec![did.as_str().into(), served.rkey.into(), repository.as_str().into()],
        )
        .await
    }

    /// A manifest's layers, bottom first: by its bytes, or else by its record.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn layers(&self, did: &Did, rkey: &str, digest: &str) -> Result<Vec<LayerView>, StoreError> {
        self.all(
            "SELECT digest, media_type, size, title, predicate FROM (
                 SELECT position, digest, media_type, size, annotations ->> 'org.opencontainers.image.title' AS title,
                        annotations ->> 'in-toto.io/predicate-type' AS predicate
                 FROM blob_ref WHERE manifest = $3 AND role = 'layer'
                 UNION ALL
                 SELECT position, digest, media_type, size, NULL, NULL FROM layer WHERE did = $1 AND rkey = $2
                   AND NOT EXISTS (SELECT FROM manifest_bytes WHERE digest = $3)) l ORDER BY position",
            vec![did.as_str().into(), rkey.into(), digest.into()],
        )
        .await
    }

    /// An index's entries in their order: by its bytes, or else by its record.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn platforms(&self, did: &Did, rkey: &str, digest: &str) -> Result<Vec<PlatformView>, StoreError> {
        self.all(
            "SELECT e.digest, CASE WHEN e.os IS NOT NULL AND e.os <> 'unknown'
                                   THEN concat_ws('/', e.os, e.architecture, e.variant) END AS platform,
                    (SELECT m.size FROM manifest m WHERE m.did = $1 AND m.digest = e.digest LIMIT 1) AS size
             FROM (SELECT position, digest, os, architecture, variant FROM blob_ref WHERE manifest = $3 AND role = 'manifest'
                   UNION ALL
                   SELECT position, digest, os, architecture, variant FROM platform WHERE did = $1 AND rkey = $2
                     AND NOT EXISTS (SELECT FROM manifest_bytes WHERE digest = $3)) e ORDER BY e.position",
            vec![did.as_str().into(), rkey.into(), digest.into()],
        )
        .await
    }
}
