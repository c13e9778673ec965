use chrono::{DateTime, Utc};
use sea_orm::{FromJsonQueryResult, FromQueryResult};
use serde::{Deserialize, Serialize};
use types::{Did, Digest};

use super::{Owner, Reader, RepositoryItem, repository::ITEM};
use crate::{StoreError, apply::MAX_SUCCESSORS};

/// A hold, as far as it or its owner may speak of it.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct HoldView {
    /// The hold.
    pub did: String,
    /// Who runs it; `None` when two accounts claim it, or nobody says.
    pub owner: Option<String>,
    /// Whether the hold itself says so (a captain record).
    pub captain: bool,
    /// Blobs may be read without authentication; `None` when nobody who may say says.
    pub public: Option<bool>,
    /// Where it runs, in its owner's words.
    pub region: Option<String>,
    /// The hold that took over.
    pub successor: Option<String>,
    /// Where it answers, by its DID document or its legacy declaration.
    pub endpoint: Option<String>,
    /// Whether it answered when it was asked last; `None` when it never was.
    pub reachable: Option<bool>,
    /// Since when that is so.
    pub since: Option<DateTime<Utc>>,
    /// What went wrong, in words.
    pub detail: Option<String>,
    /// When it answered last.
    pub last_seen: Option<DateTime<Utc>>,
}

/// A hold in a list.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct HoldItem {
    /// What is known of it.
    #[sea_orm(nested)]
    #[serde(flatten)]
    pub hold: HoldView,
    /// The verified handle of who runs it.
    pub owner_handle: Option<String>,
    /// How many repositories have a manifest there; more than [`MOST_COUNTED`] are not counted.
    pub repositories: i64,
}

/// Who may read or write at a hold, by the hold's own word.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct CrewView {
    /// Who.
    #[sea_orm(nested)]
    #[serde(flatten)]
    pub member: Owner,
    /// `captain`, `crew`, …, in the hold's words.
    pub role: Option<String>,
    /// `blob:read`, `blob:write`, …
    pub permissions: Vec<String>,
}

/// What relies on a hold, as far as it is counted.
#[derive(Clone, Debug, Default, FromQueryResult, Serialize)]
pub struct Reliance {
    /// Manifests whose blobs are there.
    pub manifests: i64,
    /// Compressed bytes, by what the manifests say; layers that images share are counted with each.
    pub bytes: i64,
}

/// So many repositories of a hold are counted, and ten times as many manifests; a list of holds looks at as many of them.
pub const MOST_COUNTED: i64 = 1_000;
const MOST_MANIFESTS: i64 = 10 * MOST_COUNTED;

/// The columns of a [`HoldView`], from [`HOLDS`].
const HOLD: &str = "a.did, h.owner, coalesce(h.captain, false) AS captain, h.public, h.region, h.successor,
                    coalesce(a.hold_endpoint, h.endpoint) AS endpoint, health.reachable, health.since, health.detail,
                    health.last_reachable_at AS last_seen";

/// A hold's captain record beats legacy declarations; of several legacy claimants none is trusted.
const HOLDS: &str = "
    actor a
    LEFT JOIN LATERAL (
        SELECT owner, captain, public, region, successor, endpoint FROM hold
        WHERE hold = a.did
          AND (captain OR NOT EXISTS (SELECT FROM hold other WHERE other.hold = a.did
                                      AND (other.captain OR other.owner <> hold.owner)))
        ORDER BY captain DESC, rkey LIMIT 1) h ON true
    LEFT JOIN hold_health health ON health.did = a.did AND a.hold_endpoint IS NOT NULL";

/// What a hold found in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, FromJsonQueryResult, Serialize, Deserialize)]
pub struct ScanView {
    /// The hold that scanned it.
    pub hold: String,
    /// `ok`, `failed` or `skipped`.
    pub status: String,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// Findings by severity.
    pub critical: i64,
    /// High.
    pub high: i64,
    /// Medium.
    pub medium: i64,
    /// Low.
    pub low: i64,
    /// All of them.
    pub total: i64,
    /// The scanner and its version.
    pub scanner: Option<String>,
    /// When.
    pub scanned_at: Option<DateTime<Utc>>,
}

impl Reader {
    /// The newest scan of a manifest, by a hold that a record of that manifest names; others have no say.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn scan(&self, owner: &Did, digest: &Digest) -> Result<Option<ScanView>, StoreError> {
        self.one(
            "SELECT s.did AS hold, s.status, s.reason, s.critical, s.high, s.medium, s.low, s.total, s.scanner, s.scanned_at
             FROM scan s
             WHERE s.owner = $1 AND s.digest = $2
               AND EXISTS (SELECT FROM manifest m WHERE m.did = s.owner AND m.digest = s.digest AND m.hold = s.did)
             ORDER BY s.scanned_at DESC NULLS LAST, s.did LIMIT 1",
            vec![owner.as_str().into(), digest.as_str().into()],
        )
        .await
    }

    /// A hold. Its captain record beats legacy declarations; of several legacy claimants none is trusted.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn hold(&self, did: &Did) -> Result<Option<HoldView>, StoreError> {
        let sql = format!(
            "SELECT {HOLD} FROM {HOLDS}
             WHERE a.did = $1 AND (h.owner IS NOT NULL OR EXISTS (SELECT FROM manifest m WHERE m.hold = a.did))"
        );
        self.one(&sql, vec![did.as_str().into()]).await
    }

    /// The holds that somebody declared or pushed to, those first on which most repositories rely.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn holds(&self, limit: i64, offset: i64) -> Result<Vec<HoldItem>, StoreError> {
        // From one name in the index to the next: there are few holds, and millions of manifests.
        let sql = format!(
            "WITH RECURSIVE named AS (
                 (SELECT hold FROM manifest WHERE hold IS NOT NULL ORDER BY hold LIMIT 1)
                 UNION ALL
                 SELECT (SELECT m.hold FROM manifest m WHERE m.hold > named.hold ORDER BY m.hold LIMIT 1)
                 FROM named WHERE named.hold IS NOT NULL),
             known AS (
                 (SELECT hold FROM named WHERE hold IS NOT NULL LIMIT {MOST_COUNTED})
                 UNION (SELECT DISTINCT hold FROM hold ORDER BY hold LIMIT {MOST_COUNTED}))
             SELECT {HOLD}, captain.handle AS owner_handle, used.repositories
             FROM known JOIN {HOLDS} ON true
             LEFT JOIN LATERAL (SELECT handle FROM actor o WHERE o.did = h.owner AND o.active
                                AND o.handle_checked_at > now() - interval '24 hours') captain ON true
             CROSS JOIN LATERAL (SELECT count(*) AS repositories FROM (
                 SELECT DISTINCT did, repository FROM manifest WHERE hold = known.hold
                 ORDER BY did, repository LIMIT {MOST_COUNTED} + 1) few) used
             WHERE a.did = known.hold AND a.active AND (a.hold_endpoint IS NOT NULL OR used.repositories > 0)
             ORDER BY used.repositories DESC, h.owner IS NULL, a.did LIMIT $1 OFFSET $2"
        );
        self.all(&sql, vec![limit.into(), offset.into()]).await
    }

    /// How many repositories have a manifest at a hold (one more than [`MOST_COUNTED`] at most), and what else relies on it.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn reliance(&self, hold: &Did) -> Result<(i64, Reliance), StoreError> {
        #[derive(FromQueryResult)]
        struct Row {
            repositories: i64,
            #[sea_orm(nested)]
            reliance: Reliance,
        }
        let sql = format!(
            "SELECT (SELECT count(*) FROM (SELECT DISTINCT did, repository FROM manifest WHERE hold = $1
                                           ORDER BY did, repository LIMIT {MOST_COUNTED} + 1) few) AS repositories,
                    count(*) AS manifests, coalesce(sum(size), 0)::bigint AS bytes
             FROM (SELECT size FROM manifest WHERE hold = $1 LIMIT {MOST_MANIFESTS}) m"
        );
        let row: Option<Row> = self.one(&sql, vec![hold.as_str().into()]).await?;
        Ok(row.map(|row| (row.repositories, row.reliance)).unwrap_or_default())
    }

    /// The repositories that have a manifest at a hold, by owner and name, after one of them.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn repositories_on(
        &self,
        hold: &Did,
        (after_did, after_name): (&str, &str),
        limit: i64,
    ) -> Result<Vec<RepositoryItem>, StoreError> {
        let sql = format!(
            "WITH there AS MATERIALIZED (
                 SELECT DISTINCT m.did, m.repository FROM manifest m JOIN actor a ON a.did = m.did AND a.active
                 WHERE m.hold = $1 AND (m.did, m.repository) > ($2, $3) ORDER BY m.did, m.repository LIMIT $4)
             SELECT {ITEM} FROM there JOIN repository r ON r.did = there.did AND r.name = there.repository
             JOIN actor a ON a.did = r.did ORDER BY r.did, r.name"
        );
        self.all(&sql, vec![hold.as_str().into(), after_did.into(), after_name.into(), limit.into()]).await
    }

    /// The same before one of them: those next to it, in the same order.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn repositories_on_before(
        &self,
        hold: &Did,
        (did, name): (&str, &str),
        limit: i64,
    ) -> Result<Vec<RepositoryItem>, StoreError> {
        let sql = format!(
            "WITH there AS MATERIALIZED (
                 SELECT DISTINCT m.did, m.repository FROM manifest m JOIN actor a ON a.did = m.did AND a.active
                 WHERE m.hold = $1 AND (m.did, m.repository) < ($2, $3) ORDER BY m.did DESC, m.repository DESC LIMIT $4)
             SELECT {ITEM} FROM there JOIN repository r ON r.did = there.did AND r.name = there.repository
             JOIN actor a ON a.did = r.did ORDER BY r.did, r.name"
        );
        self.all(&sql, vec![hold.as_str().into(), did.into(), name.into(), limit.into()]).await
    }

    /// The crew of a hold, by its own word.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn crew(&self, hold: &Did, limit: i64) -> Result<Vec<CrewView>, StoreError> {
        self.all(
            "SELECT c.member AS did, max(c.role) AS role, coalesce(array_agg(DISTINCT p.name) FILTER (WHERE p.name IS NOT NULL), '{}') AS permissions,
                    (SELECT handle FROM actor a WHERE a.did = c.member AND a.active
                     AND a.handle_checked_at > now() - interval '24 hours') AS handle
             FROM crew c LEFT JOIN LATERAL unnest(c.permissions) p (name) ON true
             WHERE c.hold = $1 AND c.member IS NOT NULL AND coalesce(c.expires_at > now(), true)
             GROUP BY c.member ORDER BY c.member LIMIT $2",
            vec![hold.as_str().into(), limit.into()],
        )
        .await
    }

    /// The hold that answers for another one: the last of those that took over, one after the other, at most three, by the
    /// captain's word of each. Going round in a circle ends before a hold that was met already.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn hold_in_charge(&self, did: &Did) -> Result<(Did, Option<HoldView>), StoreError> {
        #[derive(FromQueryResult)]
        struct Last {
            did: String,
        }
        let sql = format!(
            "WITH RECURSIVE line AS (
                 SELECT $1::text COLLATE \"C\" AS did, 0 AS depth, ARRAY[$1::text COLLATE \"C\"] AS met
                 UNION ALL
                 SELECT h.successor::text, depth + 1, met || h.successor::text
                 FROM line JOIN hold h ON h.hold = line.did AND h.captain
                 WHERE depth < {MAX_SUCCESSORS} AND h.successor::text <> ALL(met))
             SELECT did FROM line ORDER BY depth DESC LIMIT 1"
        );
        let last: Option<Last> = self.one(&sql, vec![did.as_str().into()]).await?;
        let did = last.and_then(|last| last.did.parse().ok()).unwrap_or_else(|| did.clone());
        let view = self.hold(&did).await?;
        Ok((did, view))
    }
}
