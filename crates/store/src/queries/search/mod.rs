use serde::Serialize;

use super::{
    Reader, RepositoryItem,
    actor::Number,
    repository::{ITEM, LISTED},
};
use crate::StoreError;

/// One page of what a search found.
#[derive(Clone, Debug, Serialize)]
pub struct SearchPage {
    /// How many there are, exact up to 1,000.
    pub total: i64,
    /// This page.
    pub items: Vec<RepositoryItem>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// At most this many candidates are ranked.
const CANDIDATES: i64 = 1000;

/// $1: the whole query in lower case; $2: its words as LIKE patterns, one a line.
const CANDIDATES_SQL: &str = "
    SELECT r.did, r.name,
           (lower(r.name) = $1)::int * 8 + (lower(r.name) LIKE $3)::int * 3 + (a.handle = $1)::int * 4
           + coalesce(similarity(lower(r.name), $1), 0) * 4 + ln(1 + r.stars) / 4 AS rank
    FROM {LISTED}
    WHERE lower(r.name) % $1
       OR (r.search || ' ' || coalesce(a.handle, '')) LIKE ALL (string_to_array($2, E'\\n'))
    LIMIT $4";

impl Reader {
    /// Repositories whose name resembles the query, or whose name, description and owner together hold all of its words.
    /// An empty query finds everything, the newest first.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn search(&self, query: &str, limit: i64, offset: i64) -> Result<SearchPage, StoreError> {
        let query: String =
            query.chars().filter(|c| !c.is_control()).take(200).collect::<String>().trim().to_lowercase();
        if query.is_empty() {
            return self.everything(limit, offset).await;
        }
        let words: Vec<String> = query.split_whitespace().map(|word| format!("%{}%", escape(word))).collect();
        let prefix = format!("{}%", escape(&query));
        let candidates = CANDIDATES_SQL.replace("{LISTED}", LISTED);
        let values = |more: &[i64]| {
            let mut values: Vec<sea_orm::Value> =
                vec![query.clone().into(), words.join("\n").into(), prefix.clone().into(), CANDIDATES.into()];
            values.extend(more.iter().map(|n| (*n).into()));
            values
        };
        let total = self
            .one::<Number>(&format!("SELECT count(*) AS n FROM ({candidates}) c"), values(&[]))
            .await?
            .map_or(0, |number| number.n);
        let sql = format!(
            "SELECT {ITEM} FROM ({candidates}) c JOIN repository r ON r.did = c.did AND r.name = c.name
             JOIN actor a ON a.did = r.did
             ORDER BY c.rank DESC, r.updated_at DESC NULLS LAST, r.did, r.name LIMIT $5 OFFSET $6"
        );
        let items = self.all(&sql, values(&[limit, offset])).await?;
        Ok(page(total, items, offset))
    }

    async fn everything(&self, limit: i64, offset: i64) -> Result<SearchPage, StoreError> {
        let count = format!("SELECT count(*) AS n FROM (SELECT FROM {LISTED} LIMIT $1) c");
        let total = self.one::<Number>(&count, vec![CANDIDATES.into()]).await?.map_or(0, |number| number.n);
        let sql = format!(
            "SELECT {ITEM} FROM {LISTED} ORDER BY r.updated_at DESC NULLS LAST, r.did, r.name LIMIT $1 OFFSET $2"
        );
        let items = self.all(&sql, vec![limit.into(), offset.into()]).await?;
        Ok(page(total, items, offset))
    }
}

fn page(total: i64, items: Vec<RepositoryItem>, offset: i64) -> SearchPage {
    let shown = offset + i64::try_from(items.len()).unwrap_or_default();
    let next = (!items.is_empty() && shown < total).then(|| shown.to_string());
    SearchPage { total, items, next }
}

/// Takes the meaning from LIKE's own characters.
fn escape(word: &str) -> String {
    word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
