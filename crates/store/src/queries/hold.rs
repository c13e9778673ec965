use chrono::{DateTime, Utc};
use sea_orm::{FromJsonQueryResult, FromQueryResult};
use serde::{Deserialize, Serialize};
use types::{Did, Digest};

use super::Reader;
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
        self.one(
            "SELECT a.did, h.owner, coalesce(h.captain, false) AS captain, h.public, h.region, h.successor,
                    coalesce(a.hold_endpoint, h.endpoint) AS endpoint, health.reachable, health.since, health.detail,
                    health.last_reachable_at AS last_seen
             FROM actor a
             LEFT JOIN LATERAL (
                 SELECT owner, captain, public, region, successor, endpoint FROM hold
                 WHERE hold = a.did
                   AND (captain OR NOT EXISTS (SELECT FROM hold other WHERE other.hold = a.did
                                               AND (other.captain OR other.owner <> hold.owner)))
                 ORDER BY captain DESC, rkey LIMIT 1) h ON true
             LEFT JOIN hold_health health ON health.did = a.did AND a.hold_endpoint IS NOT NULL
             WHERE a.did = $1 AND (h.owner IS NOT NULL OR EXISTS (SELECT FROM manifest m WHERE m.hold = a.did))",
            vec![did.as_str().into()],
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
