//! Repositories that nobody named: the newest, those that many star.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::{
    Reader, RepositoryItem,
    repository::{ITEM, LISTED, SOON},
};
use crate::StoreError;

/// How many of those with the most stars are looked at for what is featured.
const CANDIDATES: i64 = 200;
/// After so many days a repository's stars count half.
const HALF_LIFE: f64 = 90.0;

/// A place in the list of the newest repositories. It stays where it is, whatever comes and goes around it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Place {
    /// When the repository there was pushed to.
    pub at: DateTime<Utc>,
    /// Whose it is.
    pub did: String,
    /// Its name.
    pub name: String,
}

impl Place {
    /// The place of a repository; `None` for one that nobody knows the time of.
    pub fn of(item: &RepositoryItem) -> Option<Self> {
        Some(Self { at: item.updated_at?, did: item.owner.did.clone(), name: item.name.clone() })
    }
}

/// The newest first; whoever says that a push is of tomorrow has to wait for it ([`SOON`]).
const ORDER: &str = "r.updated_at DESC NULLS LAST, r.did, r.name";

impl Reader {
    /// The repositories that were pushed to last, or those after a place.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn newest(&self, after: Option<&Place>, limit: i64) -> Result<Vec<RepositoryItem>, StoreError> {
        let Some(Place { at, did, name }) = after else {
            let sql = format!("SELECT {ITEM} FROM {LISTED} WHERE r.updated_at <= {SOON} ORDER BY {ORDER} LIMIT $1");
            return self.all(&sql, vec![limit.into()]).await;
        };
        let sql = format!(
            "SELECT {ITEM} FROM {LISTED}
             WHERE r.updated_at <= {SOON} AND r.updated_at <= $2 AND (r.updated_at < $2 OR (r.did, r.name) > ($3, $4))
             ORDER BY {ORDER} LIMIT $1"
        );
        self.all(&sql, vec![limit.into(), (*at).into(), did.as_str().into(), name.as_str().into()]).await
    }

    /// Where the newest are.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn newest_places(&self, limit: i64) -> Result<Vec<Place>, StoreError> {
        let sql = format!(
            "SELECT r.updated_at AS at, r.did, r.name FROM {LISTED} WHERE r.updated_at <= {SOON} ORDER BY {ORDER} LIMIT $1"
        );
        self.all(&sql, vec![limit.into()]).await
    }

    /// The repositories that were pushed to after a place, the newest first; if there are more than `limit`, the newest of them.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn newer(&self, than: &Place, limit: i64) -> Result<Vec<RepositoryItem>, StoreError> {
        let sql = format!(
            "SELECT {ITEM} FROM {LISTED}
             WHERE r.updated_at <= {SOON} AND r.updated_at >= $2 AND (r.updated_at > $2 OR (r.did, r.name) < ($3, $4))
             ORDER BY {ORDER} LIMIT $1"
        );
        let values = vec![limit.into(), than.at.into(), than.did.as_str().into(), than.name.as_str().into()];
        self.all(&sql, values).await
    }

    /// The repositories that were pushed to right after a place, the newest first.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn newest_before(&self, place: &Place, limit: i64) -> Result<Vec<RepositoryItem>, StoreError> {
        let sql = format!(
            "WITH next AS MATERIALIZED (
                 SELECT r.did, r.name FROM {LISTED}
                 WHERE r.updated_at <= {SOON} AND r.updated_at >= $2 AND (r.updated_at > $2 OR (r.did, r.name) < ($3, $4))
                 ORDER BY r.updated_at, r.did DESC, r.name DESC LIMIT $1)
             SELECT {ITEM} FROM next JOIN repository r USING (did, name) JOIN actor a ON a.did = r.did ORDER BY {ORDER}"
        );
        let values = vec![limit.into(), place.at.into(), place.did.as_str().into(), place.name.as_str().into()];
        self.all(&sql, values).await
    }

    /// Those of the most starred repositories that were pushed to not too long ago: stars fade with age.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn featured(&self, limit: i64) -> Result<Vec<RepositoryItem>, StoreError> {
        let sql = format!(
            "WITH starred AS MATERIALIZED (
                 SELECT r.did, r.name, r.stars, r.updated_at FROM {LISTED} ORDER BY r.stars DESC, r.did, r.name
                 LIMIT {CANDIDATES}),
             best AS MATERIALIZED (
                 SELECT did, name, (stars + 0.5)
                        * 0.5 ^ (extract(epoch FROM greatest(now() - updated_at, interval '0')) / 86400 / {HALF_LIFE}) AS score
                 FROM starred ORDER BY score DESC NULLS LAST, did, name LIMIT $1)
             SELECT {ITEM} FROM best JOIN repository r USING (did, name) JOIN actor a ON a.did = r.did
             ORDER BY best.score DESC NULLS LAST, r.did, r.name"
        );
        self.all(&sql, vec![limit.into()]).await
    }

    /// The repositories with the most stars, whatever their age.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn most_starred(&self, limit: i64) -> Result<Vec<RepositoryItem>, StoreError> {
        let sql = format!("SELECT {ITEM} FROM {LISTED} ORDER BY r.stars DESC, r.did, r.name LIMIT $1");
        self.all(&sql, vec![limit.into()]).await
    }
}
