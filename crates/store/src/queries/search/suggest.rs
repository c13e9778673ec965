//! What may be meant while somebody types.

use sea_orm::FromQueryResult;
use serde::Serialize;
use types::search::{Query, Sort};

use super::{Asked, Reader};
use crate::StoreError;

/// The most repositories and the most owners.
const MOST: usize = 6;
const OWNERS: i64 = 2;

/// Something to go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// `repository` or `owner`.
    pub kind: &'static str,
    /// Whose: the handle, or else the DID.
    pub owner: String,
    /// The repository's name; empty for an owner.
    pub name: String,
    /// What it says of itself.
    pub description: Option<String>,
}

#[derive(FromQueryResult)]
struct Handle {
    handle: String,
}

impl Reader {
    /// Repositories and owners that a text which is not finished may mean.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn suggestions(&self, text: &str) -> Result<Vec<Suggestion>, StoreError> {
        let query = Query::parse(text);
        if query.words().next().is_none() {
            return Ok(Vec::new());
        }
        let begin = query.words().last().unwrap_or_default().to_owned();
        let asked = Asked { query, sort: Sort::Relevance, limit: MOST, cursor: None };
        let found = self.search(&asked).await?;
        let handles: Vec<Handle> = self
            .all(
                "SELECT handle FROM actor
                 WHERE handle >= $1 AND handle < $1 || U&'\\+10FFFF' AND active AND handle_checked_at > now() - interval '24 hours'
                 ORDER BY handle LIMIT $2",
                vec![begin.into(), OWNERS.into()],
            )
            .await?;
        let repositories = found.items.into_iter().map(|item| Suggestion {
            kind: "repository",
            owner: item.owner.name().to_owned(),
            name: item.name,
            description: item.description,
        });
        let owners = handles.into_iter().map(|row| Suggestion {
            kind: "owner",
            owner: row.handle,
            name: String::new(),
            description: None,
        });
        Ok(repositories.chain(owners).collect())
    }
}
