//! Every repository in some order, a page at a time, by walking an index from where the page before it ended.

use sea_orm::{FromQueryResult, Value};
use types::search::Sort;

use super::{Cursor, LISTED, Placed, Reader};
use crate::{StoreError, queries::repository::SOON};

#[derive(FromQueryResult)]
struct Row {
    did: String,
    name: String,
    value: i64,
}

/// A date as a number that sorts as it does; none is older than any.
const NEWEST: &str = "coalesce((extract(epoch FROM r.updated_at) * 1000000)::bigint, '-9223372036854775808'::bigint)";

/// What is sorted by, of a repository `r`.
pub(super) fn value_of(sort: Sort) -> &'static str {
    match sort {
        Sort::Stars => "r.stars::bigint",
        Sort::Pulls => {
            "coalesce((SELECT pulls FROM pull_count WHERE did = r.did AND repository = r.name AND tag = ''), 0)::bigint"
        }
        Sort::Relevance | Sort::Newest => NEWEST,
        Sort::Name => "0::bigint",
    }
}

impl Reader {
    /// As many as are asked for after a place, and theirs.
    pub(super) async fn browse(
        &self,
        sort: Sort,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Vec<Placed>, StoreError> {
        let sort = if sort == Sort::Relevance { Sort::Newest } else { sort };
        let (value, (did, name)) = after.map_or((i64::MAX, ("", "")), |cursor| (cursor.value(), cursor.key()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values: Vec<Value> = vec![value.into(), did.into(), name.into()];
        let rows: Vec<Row> = self.all(&statement(sort, limit), values).await?;
        Ok(rows.into_iter().map(|row| (Cursor::new(sort, row.value, &row.did, &row.name), row.did, row.name)).collect())
    }

    /// A number of each of these repositories, in their order.
    pub(super) async fn numbers(
        &self,
        of: &str,
        dids: Vec<String>,
        names: Vec<String>,
    ) -> Result<Vec<i64>, StoreError> {
        let sql = format!(
            "SELECT t.did, t.name, coalesce({of}, 0) AS value FROM unnest($1::text[], $2::text[]) WITH ORDINALITY t (did, name, n)
             LEFT JOIN repository r ON r.did = t.did AND r.name = t.name ORDER BY t.n"
        );
        let rows: Vec<Row> = self.all(&sql, vec![dids.into(), names.into()]).await?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }
}

/// $1: the value, $2 and $3: the key after which they begin. How many there are to be is written out: of a parameter Postgres
/// fears the worst, and plans anew each time. Each part of the union is a range of an index, and
/// only as many parts are begun as are needed.
fn statement(sort: Sort, limit: i64) -> String {
    let of = value_of(sort);
    let part = |which: &str, order: &str| {
        format!("(SELECT r.did, r.name, {of} AS value FROM {LISTED} WHERE {which} ORDER BY {order} LIMIT {limit})")
    };
    let union = |parts: &[String]| format!("SELECT * FROM ({}) u LIMIT {limit}", parts.join(" UNION ALL "));
    // The same value, and a greater key.
    let later = "(r.did, r.name) > ($2::text, $3::text)";
    match sort {
        Sort::Name => format!(
            "SELECT r.did, r.name, {of} AS value FROM {LISTED}
             WHERE $1::bigint IS NOT NULL AND (r.name, r.did) > ($3::text, $2::text) ORDER BY r.name, r.did LIMIT {limit}"
        ),
        Sort::Stars => {
            let stars = "least($1::bigint, 2147483647)::integer";
            union(&[
                part(&format!("r.stars = {stars} AND {later}"), "r.did, r.name"),
                part(&format!("r.stars < {stars}"), "r.stars DESC, r.did, r.name"),
            ])
        }
        Sort::Pulls => {
            let pulled = |which: &str, order: &str| {
                format!(
                    "(SELECT r.did, r.name, c.pulls AS value FROM pull_count c
                      JOIN repository r ON r.did = c.did AND r.name = c.repository AND r.manifests > 0
                      JOIN actor a ON a.did = r.did AND a.active
                      WHERE c.tag = '' AND {which} ORDER BY {order} LIMIT {limit})"
                )
            };
            let never =
                "NOT EXISTS (SELECT FROM pull_count c WHERE c.did = r.did AND c.repository = r.name AND c.tag = '')";
            union(&[
                pulled("c.pulls = $1::bigint AND (c.did, c.repository) > ($2::text, $3::text)", "c.did, c.repository"),
                pulled("c.pulls < $1::bigint", "c.pulls DESC, c.did, c.repository"),
                part(&format!("{never} AND ($1::bigint > 0 OR {later})"), "r.did, r.name"),
            ])
        }
        Sort::Relevance | Sort::Newest => {
            // Dates that Postgres can add; before and after them stand the first page and what has no date. A time to come is not
            // among them until it has come.
            let is_date = "$1::bigint BETWEEN -62000000000000000 AND 260000000000000000";
            let at = format!(
                "timestamptz '1970-01-01 00:00:00+00' + (CASE WHEN {is_date} THEN $1 ELSE 0 END) * interval '1 microsecond'"
            );
            let newest = "r.updated_at DESC NULLS LAST, r.did, r.name";
            union(&[
                part(&format!("$1::bigint > 260000000000000000 AND r.updated_at <= {SOON}"), newest),
                part(&format!("{is_date} AND r.updated_at = {at} AND {later}"), "r.did, r.name"),
                part(&format!("{is_date} AND r.updated_at < {at}"), newest),
                part(
                    &format!("r.updated_at IS NULL AND ($1::bigint > 260000000000000000 OR {is_date} OR {later})"),
                    "r.did, r.name",
                ),
            ])
        }
    }
}
