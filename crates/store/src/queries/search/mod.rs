//! What a search finds. A query becomes alternatives of keys a term ([`plan`], by what there is: [`known`], or nearly: [`near`]), these at most a thousand candidates out of the
//! postings ([`candidates`]), which are ranked ([`rank`]) and counted by what they are ([`facets`]). Without a query, an index
//! is walked ([`browse`]).

mod browse;
mod candidates;
mod cursor;
mod digest;
mod facets;
mod known;
mod near;
mod plan;
mod rank;
mod suggest;

use serde::Serialize;
use types::search::{Query, Sort};

pub use cursor::{BrokenCursor, Cursor};
pub use facets::{Facet, Facets};
pub use plan::{Correction, Meant};
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
    /// Where the page begins, or ends: the `next` of the one before, or the `previous` of the one after.
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
    /// Where the page before it ends, if there is one.
    pub previous: Option<String>,
    /// The query as it was understood.
    pub query: String,
    /// What was not read as it was perhaps meant, in words.
    pub notes: Vec<String>,
    /// Words that nothing has, and those that were looked for in their place or might be meant.
    pub corrections: Vec<Correction>,
    /// Words that may be meant as conditions.
    pub meant: Vec<Meant>,
    /// Parts of the query that no repository meets, whatever else holds.
    pub unmet: Vec<String>,
    /// What the candidates are, counted.
    pub facets: Facets,
}

/// A repository's key and its place in the order.
type Placed = (Cursor, String, String);

/// A page of an order, and whether there is something before and after it.
struct Window {
    placed: Vec<Placed>,
    before: bool,
    after: bool,
}

impl Window {
    fn of(mut all: Vec<Placed>, asked: &Asked) -> Self {
        let from = match &asked.cursor {
            None => 0,
            Some(cursor) if cursor.is_back() => {
                all.partition_point(|(place, ..)| cursor.is_after(place)).saturating_sub(asked.limit)
            }
            Some(cursor) => all.partition_point(|(place, ..)| !place.is_after(cursor)),
        };
        let after = all.len() > from + asked.limit;
        let placed = all.drain(from..).take(asked.limit).collect();
        Self { placed, before: from > 0, after }
    }
}

impl Reader {
    /// The repositories for which all of the query's terms hold; all of them, the newest first, if it is empty.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn search(&self, asked: &Asked) -> Result<SearchPage, StoreError> {
        let mut plan = self.plan(&asked.query, false).await?;
        let mut found = self.candidates(&plan).await?;
        if found.candidates.is_empty() && plan.is_doubtful {
            let forgiving = self.plan(&asked.query, true).await?;
            let again = self.candidates(&forgiving).await?;
            if !again.candidates.is_empty() {
                (plan, found) = (forgiving, again);
            }
        }
        plan.explain(found.candidates.iter().map(|candidate| candidate.name.as_str()));
        let facets = Facets::count(&found.candidates, chrono::Utc::now());
        let (total, more) = (found.candidates.len(), found.more);
        let window = if asked.query.is_empty() {
            self.walked(asked).await?
        } else {
            Window::of(self.sorted(asked, &plan, found.candidates).await?, asked)
        };
        let Window { placed, before, after } = window;
        let next = placed.last().filter(|_| after).map(|(place, ..)| place.to_string());
        let previous = placed.first().filter(|_| before).map(|(place, ..)| place.back().to_string());
        Ok(SearchPage {
            total,
            more,
            items: self.items(&placed).await?,
            next,
            previous,
            query: asked.query.to_string(),
            notes: asked.query.notes.iter().map(ToString::to_string).collect(),
            corrections: plan.corrections,
            meant: plan.meant,
            unmet: plan.unmet,
            facets,
        })
    }

    /// A page of all repositories. What precedes the first whole page is that page.
    async fn walked(&self, asked: &Asked) -> Result<Window, StoreError> {
        let mut from = asked.cursor.as_ref();
        let mut placed = self.browse(asked.sort, from, asked.limit + 1).await?;
        if from.is_some_and(Cursor::is_back) {
            if placed.len() > asked.limit {
                placed.remove(0);
                return Ok(Window { placed, before: true, after: true });
            }
            from = None;
            placed = self.browse(asked.sort, None, asked.limit + 1).await?;
        }
        let after = placed.len() > asked.limit;
        placed.truncate(asked.limit);
        Ok(Window { placed, before: from.is_some(), after })
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
