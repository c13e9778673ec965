use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;
use types::Did;

use super::Reader;
use crate::StoreError;

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
}

impl Reader {
    /// A hold. Its captain record beats legacy declarations; of several legacy claimants none is trusted.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn hold(&self, did: &Did) -> Result<Option<HoldView>, StoreError> {
        self.one(
            "SELECT a.did, h.owner, coalesce(h.captain, false) AS captain, h.public, h.region, h.successor,
                    coalesce(a.hold_endpoint, h.endpoint) AS endpoint, health.reachable, health.since, health.detail
             FROM actor a
             LEFT JOIN LATERAL (
                 SELECT owner, captain, public, region, successor, endpoint FROM hold
                 WHERE hold = a.did
                   AND (captain OR NOT EXISTS (SELECT FROM hold other WHERE other.hold = a.did
                                               AND (other.captain OR other.owner <> hold.owner)))
                 ORDER BY captain DESC, rkey LIMIT 1) h ON true
             LEFT JOIN hold_health health ON health.did = a.did
             WHERE a.did = $1 AND (h.owner IS NOT NULL OR EXISTS (SELECT FROM manifest m WHERE m.hold = a.did))",
            vec![did.as_str().into()],
        )
        .await
    }
}
