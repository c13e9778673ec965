use sea_orm::FromQueryResult;
use serde::Serialize;
use types::{Did, Handle, Tid};

use super::{Owner, Reader, RepositoryItem};
use crate::StoreError;

/// An account, as the network told us.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Serialize)]
pub struct ActorView {
    /// The DID.
    pub did: String,
    /// The handle, verified both ways within the last day.
    pub handle: Option<String>,
    /// Where its records are.
    pub pds: Option<String>,
    /// Whether it may be shown.
    pub active: bool,
    /// `active`, `deactivated`, …, or `unknown`.
    pub status: String,
    /// The endpoint of a hold.
    #[serde(skip)]
    pub hold_endpoint: Option<String>,
}

/// An owner's page.
#[derive(Clone, Debug, Serialize)]
pub struct UserView {
    /// Who.
    #[serde(flatten)]
    pub owner: Owner,
    /// What they publish, the newest first.
    pub repositories: Vec<RepositoryItem>,
    /// How many repositories they star.
    pub starred: i64,
}

const SELECT: &str = "SELECT did, CASE WHEN handle_checked_at > now() - interval '24 hours' THEN handle END AS handle,
                             pds, active, status, hold_endpoint
                      FROM actor";

impl Reader {
    /// An account by its DID.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn actor(&self, did: &Did) -> Result<Option<ActorView>, StoreError> {
        self.one(&format!("{SELECT} WHERE did = $1"), vec![did.as_str().into()]).await
    }

    /// An account by its handle, if that was verified within the last day.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn actor_by_handle(&self, handle: &Handle) -> Result<Option<ActorView>, StoreError> {
        self.one(
            &format!("{SELECT} WHERE handle = $1 AND handle_checked_at > now() - interval '24 hours'"),
            vec![handle.as_str().into()],
        )
        .await
    }

    /// The revision at which all that an account has was read, or removed for good: what is older and not in the index is gone.
    /// `None` for an account that was never read whole.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn floor(&self, did: &Did) -> Result<Option<Tid>, StoreError> {
        #[derive(FromQueryResult)]
        struct Row {
            floor_rev: Option<String>,
        }
        let row: Option<Row> =
            self.one("SELECT floor_rev FROM actor WHERE did = $1", vec![did.as_str().into()]).await?;
        Ok(row.and_then(|row| row.floor_rev).map(|rev| rev.parse()).transpose()?)
    }

    /// How many repositories an account stars.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn starred_count(&self, did: &Did) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) AS n FROM star_edge WHERE did = $1";
        Ok(self.one::<Number>(sql, vec![did.as_str().into()]).await?.map_or(0, |number| number.n))
    }
}

/// A count.
#[derive(FromQueryResult)]
pub(super) struct Number {
    pub n: i64,
}
