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
    /// As many as are asked for after a place, or before it if it leads back; and theirs.
    pub(super) async fn browse(
        &self,
        sort: Sort,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Vec<Placed>, StoreError> {
        let sort = if sort == Sort::Relevance { Sort::Newest } else { sort };
        let (value, (did, name)) = from.map_or((i64::MAX, ("", "")), |cursor| (cursor.value(), cursor.key()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values: Vec<Value> = vec![value.into(), did.into(), name.into()];
        let is_back = from.is_some_and(Cursor::is_back);
        let statement = if is_back { statement(sort, &BACK) } else { statement(sort, &ON) };
        let statement = statement.replace("{LIMIT}", &limit.to_string());
        let mut rows: Vec<Row> = self.all(&statement, values).await?;
        if is_back {
            rows.reverse();
        }
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

/// In which direction an index is walked.
struct Way {
    is_back: bool,
    /// How a key compares that comes later.
    later: &'static str,
    /// How a value compares that comes later.
    less: &'static str,
    /// How keys are ordered, and how values are.
    keys: &'static str,
    values: &'static str,
}

const ON: Way = Way { is_back: false, later: ">", less: "<", keys: "ASC", values: "DESC NULLS LAST" };
const BACK: Way = Way { is_back: true, later: "<", less: ">", keys: "DESC", values: "ASC NULLS FIRST" };

/// $1: the value, $2 and $3: the key after which they begin. How many there are to be is written in the place of {LIMIT}: of a
/// parameter Postgres fears the worst, and plans anew each time. Each part of the union is a range of an index, and only as many
/// parts are begun as are needed.
fn statement(sort: Sort, way: &Way) -> String {
    let Way { later, less, keys, values, .. } = way;
    let by_key = format!("r.did {keys}, r.name {keys}");
    // The same value, and a key that comes later.
    let after = format!("(r.did, r.name) {later} ($2::text, $3::text)");
    match sort {
        Sort::Name => format!(
            "SELECT r.did, r.name, 0::bigint AS value FROM {LISTED}
             WHERE $1::bigint IS NOT NULL AND (r.name, r.did) {later} ($3::text, $2::text)
             ORDER BY r.name {keys}, r.did {keys} LIMIT {{LIMIT}}"
        ),
        Sort::Stars => {
            let stars = "least($1::bigint, 2147483647)::integer";
            // Stars are never unknown: their index says nothing of such.
            let values = values.split(' ').next().unwrap_or_default();
            union(vec![
                part(sort, &format!("r.stars = {stars} AND {after}"), &by_key),
                part(sort, &format!("r.stars {less} {stars}"), &format!("r.stars {values}, {by_key}")),
            ])
        }
        Sort::Pulls => by_pulls(way, &by_key, &after),
        Sort::Relevance | Sort::Newest => by_time(way, &by_key, &after),
    }
}

fn part(sort: Sort, which: &str, order: &str) -> String {
    let of = value_of(sort);
    format!("(SELECT r.did, r.name, {of} AS value FROM {LISTED} WHERE {which} ORDER BY {order} LIMIT {{LIMIT}})")
}

fn union(parts: Vec<String>) -> String {
    format!("SELECT * FROM ({}) u LIMIT {{LIMIT}}", parts.join(" UNION ALL "))
}

fn by_pulls(way: &Way, by_key: &str, after: &str) -> String {
    let Way { is_back, later, less, keys, values } = way;
    let values = values.split(' ').next().unwrap_or_default();
    let pulled = |which: &str, order: &str| {
        format!(
            "(SELECT r.did, r.name, c.pulls AS value FROM pull_count c
              JOIN repository r ON r.did = c.did AND r.name = c.repository AND r.manifests > 0
              JOIN actor a ON a.did = r.did AND a.active
              WHERE c.tag = '' AND {which} ORDER BY {order} LIMIT {{LIMIT}})"
        )
    };
    let order = format!("c.did {keys}, c.repository {keys}");
    let key = format!("(c.did, c.repository) {later} ($2::text, $3::text)");
    let same = pulled(&format!("c.pulls = $1::bigint AND {key}"), &order);
    let others = pulled(&format!("c.pulls {less} $1::bigint"), &format!("c.pulls {values}, {order}"));
    let never = "NOT EXISTS (SELECT FROM pull_count c WHERE c.did = r.did AND c.repository = r.name AND c.tag = '')";
    if *is_back {
        return union(vec![
            part(Sort::Pulls, &format!("{never} AND $1::bigint <= 0 AND {after}"), by_key),
            same,
            others,
        ]);
    }
    let never = part(Sort::Pulls, &format!("{never} AND ($1::bigint > 0 OR {after})"), by_key);
    union(vec![same, others, never])
}

/// A time to come is not among them until it has come.
fn by_time(way: &Way, by_key: &str, after: &str) -> String {
    let Way { is_back, less, values, .. } = way;
    // Dates that Postgres can add; before and after them stand the first page and what has no date.
    let (is_date, is_first, is_none) = (
        "$1::bigint BETWEEN -62000000000000000 AND 260000000000000000",
        "$1::bigint > 260000000000000000",
        "$1::bigint < -62000000000000000",
    );
    let at = format!(
        "timestamptz '1970-01-01 00:00:00+00' + (CASE WHEN {is_date} THEN $1 ELSE 0 END) * interval '1 microsecond'"
    );
    let newest = format!("r.updated_at {values}, {by_key}");
    let part = |which: String, order: &str| part(Sort::Newest, &which, order);
    let same = part(format!("{is_date} AND r.updated_at = {at} AND {after}"), by_key);
    if *is_back {
        return union(vec![
            part(format!("{is_none} AND r.updated_at IS NULL AND {after}"), by_key),
            part(format!("{is_none} AND r.updated_at <= {SOON}"), &newest),
            same,
            part(format!("{is_date} AND r.updated_at {less} {at} AND r.updated_at <= {SOON}"), &newest),
        ]);
    }
    union(vec![
        part(format!("{is_first} AND r.updated_at <= {SOON}"), &newest),
        same,
        part(format!("{is_date} AND r.updated_at {less} {at}"), &newest),
        part(format!("r.updated_at IS NULL AND ({is_first} OR {is_date} OR {after})"), by_key),
    ])
}
