use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;
use types::{Did, RepositoryName, Tag};

use super::{Reader, Texts};
use crate::StoreError;

/// A tag in a table.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct TagView {
    /// The tag.
    pub tag: String,
    /// What it points at; `None` while its manifest's record is not known.
    pub digest: Option<String>,
    /// `image` or `index`.
    pub kind: Option<String>,
    /// Compressed bytes of an image; of an index, the sum over its known images.
    pub size: Option<i64>,
    /// `os/architecture[/variant]`
    pub platforms: Texts,
    /// When it was moved last, by the owner's clock.
    pub updated_at: Option<DateTime<Utc>>,
    /// Pulls through us by this tag.
    pub pulls: i64,
    /// The key of the tag's record.
    #[serde(skip)]
    pub rkey: String,
}

/// What a tag pointed at, and when.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Serialize)]
pub struct TagHistoryView {
    /// The digest; `None` when the manifest's record was never known.
    pub digest: Option<String>,
    /// The key of the manifest's record, when the tag names one.
    pub manifest: Option<String>,
    /// The key of the tag's record.
    pub record: String,
    /// From when: until then the tag pointed at something else. Of the first that is known, and after a removal, by the owner's
    /// clock, but no later than the revision that it is known of, and no earlier than the removal.
    pub since: Option<DateTime<Utc>>,
    /// Until when, by the revision that ended it; `None` while it does.
    pub until: Option<DateTime<Utc>>,
    /// The revision at which it was seen to end.
    pub until_rev: Option<String>,
}

/// What the tag's records say, the one that counts first, then what they said before, the newest first.
const HISTORY: &str = "
    SELECT coalesce(m.digest, t.manifest_digest, gone.digest) AS digest, t.manifest_rkey AS manifest, t.rkey AS record,
           coalesce(before.until, least(greatest(coalesce(t.updated_at, tid_time(r.rev)), gone_at.until), tid_time(r.rev))) AS since, NULL::timestamptz AS until, NULL AS until_rev
    FROM tag t
    LEFT JOIN manifest m ON m.did = t.did AND m.rkey = t.manifest_rkey
    LEFT JOIN gone_manifest gone ON gone.did = t.did AND gone.rkey = t.manifest_rkey
    LEFT JOIN record r ON (r.did, r.collection, r.rkey) = (t.did, 'io.atcr.tag', t.rkey)
    LEFT JOIN LATERAL (SELECT CASE WHEN h.moved THEN h.until END AS until FROM tag_history h
                       WHERE (h.did, h.repository, h.tag, h.rkey) = (t.did, t.repository, t.tag, t.rkey)
                       ORDER BY h.until_rev DESC LIMIT 1) before ON true
    LEFT JOIN LATERAL (SELECT h.until FROM tag_history h WHERE h.did = t.did AND h.rkey = t.rkey AND NOT h.moved
                       ORDER BY h.until_rev DESC LIMIT 1) gone_at ON true
    WHERE t.did = $1 AND t.repository = $2 AND t.tag = $3
    UNION ALL
    SELECT digest, manifest_rkey, rkey, since, until, until_rev FROM tag_history
    WHERE did = $1 AND repository = $2 AND tag = $3
    ORDER BY until_rev DESC NULLS FIRST, since DESC NULLS LAST, record DESC LIMIT $4 OFFSET $5";

/// $1 and $2: the repository; $3: what {CONDITION} says.
const TAGS: &str = "
    WITH current AS (
         SELECT DISTINCT ON (tag) did, rkey, tag, manifest_rkey, manifest_digest, updated_at FROM tag
         WHERE did = $1 AND repository = $2 AND {CONDITION}
         ORDER BY tag, updated_at DESC NULLS LAST, rkey DESC),
     -- What cosign tags after the image that it is about comes last.
     page AS (SELECT *, tag ~ '^sha256-[0-9a-f]{64}([.](sig|att|sbom))?$' AS about FROM current
              ORDER BY about, updated_at DESC NULLS LAST, tag DESC LIMIT {PAGE})
     SELECT t.tag, t.rkey, t.updated_at, coalesce(m.digest, t.manifest_digest) AS digest, m.kind,
            {SIZE} AS size,
            coalesce((SELECT c.pulls FROM pull_count c
                      WHERE c.did = t.did AND c.repository = $2 AND c.tag = t.tag), 0) AS pulls,
            (SELECT coalesce(jsonb_agg(DISTINCT platform), '[]') FROM (
                SELECT concat_ws('/', p.os, p.architecture, p.variant) AS platform FROM platform p
                WHERE p.did = m.did AND p.rkey = m.rkey AND p.os IS NOT NULL
                UNION
                SELECT concat_ws('/', c.os, c.architecture, c.variant) FROM image_config c
                WHERE c.digest = m.config_digest AND c.os IS NOT NULL) platforms) AS platforms
     FROM page t LEFT JOIN LATERAL (
         SELECT * FROM manifest m
         WHERE m.did = t.did AND (m.rkey = t.manifest_rkey OR m.digest = t.manifest_digest)
         ORDER BY m.rkey LIMIT 1) m ON true
     ORDER BY t.about, t.updated_at DESC NULLS LAST, t.tag DESC";

/// Compressed bytes of `manifest m`: of an index, the sum over the images of its platforms whose records are known.
pub(super) const SIZE: &str = "
    CASE WHEN m.kind = 'index' THEN (
        SELECT sum(c.size)::bigint FROM platform p JOIN LATERAL (
            SELECT size FROM manifest c WHERE c.did = p.did AND c.digest = p.digest ORDER BY c.rkey LIMIT 1) c ON true
        WHERE p.did = m.did AND p.rkey = m.rkey AND p.os IS NOT NULL)
    ELSE m.size END";

impl Reader {
    /// Tags of a repository, the newest first but cosign's `sha256-…` last, at most `limit` from `offset`, whose names
    /// hold `filter`.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn tags(
        &self,
        did: &Did,
        repository: &RepositoryName,
        filter: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<TagView>, StoreError> {
        let sql = TAGS
            .replace("{SIZE}", SIZE)
            .replace("{CONDITION}", "position(lower($3) in lower(tag)) > 0")
            .replace("{PAGE}", "$4 OFFSET $5");
        self.all(
            &sql,
            vec![did.as_str().into(), repository.as_str().into(), filter.into(), limit.into(), offset.into()],
        )
        .await
    }

    /// What a tag points at and pointed at, the newest first, at most `limit` from `offset`. It is history as it was seen:
    /// what came and went between two readings of a repository is not in it.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn tag_history(
        &self,
        did: &Did,
        repository: &RepositoryName,
        tag: &Tag,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<TagHistoryView>, StoreError> {
        let (did, repository) = (did.as_str(), repository.as_str());
        let values = vec![did.into(), repository.into(), tag.as_str().into(), limit.into(), offset.into()];
        self.all(HISTORY, values).await
    }

    /// One tag of a repository.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn tag(&self, did: &Did, repository: &RepositoryName, tag: &Tag) -> Result<Option<TagView>, StoreError> {
        let sql = TAGS.replace("{SIZE}", SIZE).replace("{CONDITION}", "tag = $3").replace("{PAGE}", "1");
        self.one(&sql, vec![did.as_str().into(), repository.as_str().into(), tag.as_str().into()]).await
    }
}
