//! What a search finds. A query becomes alternatives of keys a term ([`plan`]), these at most a thousand candidates out of the
//! postings ([`candidates`]), which are ranked ([`rank`]) and counted by what they are ([`facets`]). Without a query, an index
//! is walked ([`browse`]).

mod browse;
mod candidates;
mod cursor;
mod facets;
mod plan;
mod rank;
mod suggest;

use serde::Serialize;
use types::search::{Query, Sort};

pub use cursor::{BrokenCursor, Cursor};
pub use facets::{Facet, Facets};
pub use plan::Correction;
pub use suggest::Suggestion;

use super::{
    Reader, RepositoryItem,
    repository::{ITEM, LISTED},
};
use crate::StoreError;
use candidates::Candidate;

/// At most this many candidates are ranked, and counts are exact up to it.
pub const CANDIDATES: usize = 1_000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The query.
    pub query: Query,
    /// In which order.
    pub sort: Sort,
    /// How many at once.
    pub limit: usize,
    /// Where the page begins: the `next` of the one before.
    pub cursor: Option<Cursor>,
}

/// One page of what a search found.
#[derive(Clone, Debug, Serialize)]
pub struct SearchPage {
    /// How many there are, up to 1,000.
    pub total: usize,
    /// Whether there are more than that.
    pub more: bool,
    /// This page.
    pub items: Vec<RepositoryItem>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
    /// The query as it was understood.
    pub query: String,
    /// Words that nothing has, and those that were looked for in their place or might be meant.
    pub corrections: Vec<Correction>,
    /// What the candidates are, counted.
    pub facets: Facets,
}

/// A repository's key and its place in the order.
type Placed = (Cursor, String, String);

impl Reader {
    /// The repositories for which all of the query's terms hold; all of them, the newest first, if it is empty.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn search(&self, asked: &Asked) -> Result<SearchPage, StoreError> {
        let plan = self.plan(&asked.query).await?;
        let found = self.candidates(&plan).await?;
        let facets = Facets::count(&found.candidates, chrono::Utc::now());
        let (total, more) = (found.candidates.len(), found.more);
        let placed = if asked.query.is_empty() {
            self.browse(asked.sort, asked.cursor.as_ref(), asked.limit + 1).await?
        } else {
            let candidates = self.sorted(asked, &plan, found.candidates).await?;
            let after = asked.cursor.as_ref();
            let rest = candidates.into_iter().filter(|(place, ..)| after.is_none_or(|cursor| place.is_after(cursor)));
            rest.take(asked.limit + 1).collect()
        };
        let next = placed.get(asked.limit).and(placed.get(asked.limit.saturating_sub(1)));
        let next = next.map(|(place, ..)| place.to_string());
        let items = self.items(&placed[..placed.len().min(asked.limit)]).await?;
        Ok(SearchPage {
            total,
            more,
            items,
            next,
            query: asked.query.to_string(),
            corrections: plan.corrections,
            facets,
        })
    }

    /// Candidates in the order that is asked for.
    async fn sorted(&self, asked: &Asked, plan: &plan::Plan, found: Vec<Candidate>) -> Result<Vec<Placed>, StoreError> {
        let values = match asked.sort {
            Sort::Stars | Sort::Pulls => self.values(asked.sort, &found).await?,
            _ => Vec::new(),
        };
        let mut placed: Vec<Placed> = Vec::with_capacity(found.len());
        for (n, candidate) in found.into_iter().enumerate() {
            let value = match asked.sort {
                Sort::Relevance => rank::score(plan, &candidate),
                Sort::Newest => candidate.updated_at.map_or(i64::MIN, |at| at.timestamp_micros()),
                Sort::Stars | Sort::Pulls => values.get(n).copied().unwrap_or_default(),
                Sort::Name => 0,
            };
            let Candidate { did, name, .. } = candidate;
            placed.push((Cursor::new(asked.sort, value, &did, &name), did, name));
        }
        placed.sort_by(|(one, ..), (other, ..)| one.order(other));
        Ok(placed)
    }

    /// What lists show of these, in their order.
    async fn items(&self, placed: &[Placed]) -> Result<Vec<RepositoryItem>, StoreError> {
        if placed.is_empty() {
            return Ok(Vec::new());
        }
        let (dids, names): (Vec<String>, Vec<String>) =
            placed.iter().map(|(_, did, name)| (did.clone(), name.clone())).unzip();
        let sql = format!(
            "SELECT {ITEM} FROM unnest($1::text[], $2::text[]) WITH ORDINALITY t (did, name, n), LATERAL (
                 SELECT * FROM repository WHERE did = t.did AND name = t.name AND manifests > 0) r
             JOIN actor a ON a.did = r.did AND a.active ORDER BY t.n"
        );
        self.all(&sql, vec![dids.into(), names.into()]).await
    }
}
