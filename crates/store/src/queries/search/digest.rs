//! Where a digest is a manifest's.

use sea_orm::FromQueryResult;
use types::Digest;

use super::Reader;
use crate::{StoreError, queries::Owner};

/// The most records that are looked at: anybody may publish the same bytes.
const MOST: i64 = 20;

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    owner: Owner,
    repository: String,
}

impl Reader {
    /// Repositories that have a manifest of this digest, each by its owner and name; a few of them if there are many.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn repositories_with(&self, digest: &Digest) -> Result<Vec<(Owner, String)>, StoreError> {
        let sql = format!(
            "SELECT m.did, CASE WHEN a.handle_checked_at > now() - interval '24 hours' THEN a.handle END AS handle, m.repository
             FROM manifest m JOIN actor a ON a.did = m.did AND a.active
             WHERE m.digest = $1 ORDER BY m.did LIMIT {MOST}"
        );
        let rows: Vec<Row> = self.all(&sql, vec![digest.to_string().into()]).await?;
        let mut found: Vec<(Owner, String)> = Vec::new();
        for Row { owner, repository } in rows {
            if found.iter().all(|(other, name)| (other.did.as_str(), name) != (owner.did.as_str(), &repository)) {
                found.push((owner, repository));
            }
        }
        Ok(found)
    }
}
