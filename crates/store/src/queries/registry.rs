//! What a pull asks.

use sea_orm::FromQueryResult;
use types::{Did, Digest, RepositoryName, Tag};

use super::{Reader, actor::Number};
use crate::StoreError;

/// A manifest that is served under a repository.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ServedManifest {
    /// The key of the record that declares it.
    pub rkey: String,
    /// Its digest.
    pub digest: String,
    /// The media type as the record declares it, unchecked.
    pub media_type: String,
    /// The CID of the bytes on the owner's PDS.
    pub blob_cid: Option<String>,
    /// The hold that has the blobs.
    pub hold: Option<String>,
    /// The hold's endpoint, when the record knows only the old API's.
    pub legacy_endpoint: Option<String>,
    /// The media type that the bytes declare, unchecked; some writers leave it out.
    pub own_media_type: Option<String>,
    /// The bytes, hashed before they were stored; `None` until they are fetched.
    pub bytes: Option<Vec<u8>>,
}

/// A manifest whose bytes name another one as their subject.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Referrer {
    /// Its digest.
    pub digest: String,
    /// The media type as the record declares it, unchecked.
    pub media_type: String,
    /// `artifactType` in the bytes.
    pub artifact_type: Option<String>,
    /// The media type of its configuration, by the bytes.
    pub config_media_type: Option<String>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A blob that a manifest of a repository refers to.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ServedBlob {
    /// Bytes, as the manifest declares.
    pub size: i64,
    /// The hold that has it.
    pub hold: Option<String>,
    /// The hold's endpoint, when the record knows only the old API's.
    pub legacy_endpoint: Option<String>,
}

/// What there is of what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<T> {
    /// Here it is.
    Found(T),
    /// The repository is there, this is not in it.
    NotInRepository,
    /// There is no such repository.
    NoRepository,
}

/// The manifests that may be served under repository $2 of account $1: those that are recorded under it, those that a
/// tag of it points at, and the entries of both.
const SERVED: &str = "
    WITH named AS (
        SELECT m.did, m.rkey, m.digest FROM manifest m WHERE m.did = $1 AND m.repository = $2
        UNION
        SELECT m.did, m.rkey, m.digest FROM tag t JOIN manifest m ON m.did = t.did AND m.rkey = t.manifest_rkey
        WHERE t.did = $1 AND t.repository = $2
        UNION
        SELECT m.did, m.rkey, m.digest FROM tag t JOIN manifest m ON m.did = t.did AND m.digest = t.manifest_digest
        WHERE t.did = $1 AND t.repository = $2),
    served AS (
        SELECT did, rkey, digest FROM named
        UNION
        SELECT m.did, m.rkey, m.digest FROM named n JOIN blob_ref b ON b.manifest = n.digest AND b.role = 'manifest'
        JOIN manifest m ON m.did = n.did AND m.digest = b.digest)";

impl Reader {
    /// The digest that a tag points at. Of several records of one tag the newest counts.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn tag_digest(
        &self,
        did: &Did,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Asked<Digest>, StoreError> {
        #[derive(FromQueryResult)]
        struct Row {
            digest: Option<String>,
        }
        let row: Option<Row> = self
            .one(
                "SELECT coalesce(m.digest, t.manifest_digest) AS digest FROM tag t
                 LEFT JOIN manifest m ON m.did = t.did AND m.rkey = t.manifest_rkey
                 WHERE t.did = $1 AND t.repository = $2 AND t.tag = $3
                 ORDER BY t.updated_at DESC NULLS LAST, t.rkey DESC LIMIT 1",
                vec![did.as_str().into(), repository.as_str().into(), tag.as_str().into()],
            )
            .await?;
        match row.and_then(|row| row.digest).and_then(|digest| digest.parse().ok()) {
            Some(digest) => Ok(Asked::Found(digest)),
            None => self.absent(did, repository).await,
        }
    }

    /// Whether there is a tag of this name, whatever it points at.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn has_tag(&self, did: &Did, repository: &RepositoryName, tag: &Tag) -> Result<bool, StoreError> {
        let sql =
            "SELECT count(*) AS n FROM (SELECT FROM tag WHERE did = $1 AND repository = $2 AND tag = $3 LIMIT 1) t";
        let values = vec![did.as_str().into(), repository.as_str().into(), tag.as_str().into()];
        Ok(self.one::<Number>(sql, values).await?.is_some_and(|number| number.n > 0))
    }

    /// A manifest by its digest, if it may be served under this repository.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn served_manifest(
        &self,
        did: &Did,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Asked<ServedManifest>, StoreError> {
        let row = self
            .one(
                &format!(
                    "{SERVED}
                     SELECT m.rkey, m.digest, m.media_type, m.blob_cid, m.hold, m.legacy_endpoint,
                            b.media_type AS own_media_type, b.bytes
                     FROM served s JOIN manifest m ON m.did = s.did AND m.rkey = s.rkey
                     LEFT JOIN manifest_bytes b ON b.digest = m.digest
                     WHERE s.digest = $3 ORDER BY m.repository = $2 DESC, m.rkey LIMIT 1"
                ),
                vec![did.as_str().into(), repository.as_str().into(), digest.as_str().into()],
            )
            .await?;
        match row {
            Some(manifest) => Ok(Asked::Found(manifest)),
            None => self.absent(did, repository).await,
        }
    }

    /// A blob by its digest, if a manifest of this repository refers to it, by that manifest's hashed bytes.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn served_blob(
        &self,
        did: &Did,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Asked<ServedBlob>, StoreError> {
        let row = self
            .one(
                &format!(
                    "{SERVED}
                     SELECT b.size, m.hold, m.legacy_endpoint
                     FROM blob_ref b JOIN served s ON s.digest = b.manifest
                     JOIN manifest m ON m.did = s.did AND m.rkey = s.rkey
                     WHERE b.digest = $3 AND b.role <> 'manifest'
                     ORDER BY m.hold IS NULL, m.created_at DESC NULLS LAST, m.rkey LIMIT 1"
                ),
                vec![did.as_str().into(), repository.as_str().into(), digest.as_str().into()],
            )
            .await?;
        match row {
            Some(blob) => Ok(Asked::Found(blob)),
            None => self.absent(did, repository).await,
        }
    }

    /// The manifests of a repository that are about another one (signatures, SBOMs, attestations), as their bytes say, or the
    /// tag that clients without this list keep one under
    /// ([referrers tag](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#referrers-tag-schema)): the entries of
    /// an index, or the manifest itself. At most `limit`, by digest.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn referrers(
        &self,
        did: &Did,
        repository: &RepositoryName,
        subject: &Digest,
        limit: u64,
    ) -> Result<Vec<Referrer>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(
            &format!(
                "{SERVED},
                 tagged AS (
                     SELECT m.digest, m.kind FROM tag t JOIN manifest m ON m.did = t.did
                        AND (m.rkey = t.manifest_rkey OR m.digest = t.manifest_digest)
                     WHERE t.did = $1 AND t.repository = $2 AND t.tag = $5)
                 SELECT DISTINCT ON (b.digest) b.digest, m.media_type, b.artifact_type, b.config_media_type, b.bytes
                 FROM served s JOIN manifest m ON m.did = s.did AND m.rkey = s.rkey
                 JOIN manifest_bytes b ON b.digest = s.digest
                 WHERE b.subject = $3 OR b.digest IN (
                     SELECT digest FROM tagged WHERE kind = 'image'
                     UNION SELECT r.digest FROM tagged t JOIN blob_ref r ON r.manifest = t.digest AND r.role = 'manifest')
                 ORDER BY b.digest, m.rkey LIMIT $4"
            ),
            vec![
                did.as_str().into(),
                repository.as_str().into(),
                subject.as_str().into(),
                limit.into(),
                subject.as_str().replace(':', "-").into(),
            ],
        )
        .await
    }

    /// Tags of a repository in ASCII order, after `last`, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn tag_names(
        &self,
        did: &Did,
        repository: &RepositoryName,
        last: &str,
        limit: u64,
    ) -> Result<Asked<Vec<String>>, StoreError> {
        #[derive(FromQueryResult)]
        struct Row {
            tag: String,
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<Row> = self
            .all(
                "SELECT DISTINCT tag FROM tag WHERE did = $1 AND repository = $2 AND tag > $3 ORDER BY tag LIMIT $4",
                vec![did.as_str().into(), repository.as_str().into(), last.into(), limit.into()],
            )
            .await?;
        if rows.is_empty() && !self.repository_exists(did, repository).await? {
            return Ok(Asked::NoRepository);
        }
        Ok(Asked::Found(rows.into_iter().map(|row| row.tag).collect()))
    }

    /// What can be pulled of accounts with a verified handle, as `<handle>/<name>`, by handle and then by name, after the
    /// given ones, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn catalog(&self, handle: &str, name: &str, limit: u64) -> Result<Vec<String>, StoreError> {
        #[derive(FromQueryResult)]
        struct Row {
            name: String,
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<Row> = self
            .all(
                "SELECT a.handle || '/' || r.name AS name FROM actor a JOIN repository r ON r.did = a.did
                 WHERE a.handle >= $1 AND (a.handle > $1 OR r.name > $2) AND a.active
                   AND a.handle_checked_at > now() - interval '24 hours' AND r.pullable AND r.manifests + r.tags > 0
                 ORDER BY a.handle, r.name LIMIT $3",
                vec![handle.into(), name.into(), limit.into()],
            )
            .await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    /// Whether there is anything to pull under a name.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn repository_exists(&self, did: &Did, repository: &RepositoryName) -> Result<bool, StoreError> {
        self.exists(
            "SELECT 1 AS one FROM repository WHERE did = $1 AND name = $2 AND manifests + tags > 0",
            vec![did.as_str().into(), repository.as_str().into()],
        )
        .await
    }

    async fn absent<T>(&self, did: &Did, repository: &RepositoryName) -> Result<Asked<T>, StoreError> {
        let exists = self.repository_exists(did, repository).await?;
        Ok(if exists { Asked::NotInRepository } else { Asked::NoRepository })
    }
}
