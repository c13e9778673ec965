use chrono::{DateTime, Utc};

use super::fields::{DecodeError, Fields};
use crate::{Did, RepositoryName};

/// `io.atcr.hold.stats`: what a hold claims about a repository. It counts only while a manifest of that repository names
/// the hold, which the records together decide, not this one.
#[derive(Clone, Debug, PartialEq)]
pub struct HoldStats {
    /// The repository's owner.
    pub owner: Did,
    /// The repository.
    pub repository: RepositoryName,
    /// Pulls that the hold claims.
    pub pulls: i64,
    /// Pushes that the hold claims.
    pub pushes: i64,
    /// The last pull that it saw.
    pub last_pull: Option<DateTime<Utc>>,
    /// When the record was written.
    pub updated_at: Option<DateTime<Utc>>,
}

impl HoldStats {
    pub(super) fn decode(fields: &Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            owner: fields.parse("ownerDid")?,
            repository: fields.parse("repository")?,
            pulls: fields.count("pullCount")?,
            pushes: fields.count("pushCount")?,
            last_pull: fields.time("lastPull"),
            updated_at: fields.time("updatedAt"),
        })
    }
}
