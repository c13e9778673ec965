//! What a stream could not give any more: kept until, and after, the reading of repositories that makes it good.

use chrono::{DateTime, Utc};
use tokio_postgres::Client;

use crate::{
    StoreError,
    backfill::{BEHIND, PUT_OFF},
    jobs::JobKind,
};

/// How many are kept.
const MOST: i64 = 100;

/// A part of a stream that we will not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The source, by its URL without query.
    pub source: String,
    /// `outdated`, `future` or `unreadable`.
    pub reason: &'static str,
    /// The position up to which we had everything, as the source counts.
    pub from_position: Option<i64>,
    /// The position at which it goes on, if that is known.
    pub to_position: Option<i64>,
    /// The time up to which we had everything.
    pub since: Option<DateTime<Utc>>,
    /// When it goes on, if that is known.
    pub until: Option<DateTime<Utc>>,
}

/// Keeps a gap; it is open until [`settle`] finds that every repository was read since. One that is open already is found anew.
/// Tells whether it is a new one.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn record(client: &Client, gap: &Gap) -> Result<bool, StoreError> {
    let Gap { source, reason, from_position, to_position, since, until } = gap;
    let row = client
        .query_one(
            "WITH known AS (
                 UPDATE gap SET detected_at = now(), missing = NULL, to_position = coalesce($4, to_position),
                        until = coalesce($6, until)
                 WHERE repaired_at IS NULL AND source = $1 AND reason = $2
                   AND from_position IS NOT DISTINCT FROM $3 AND since IS NOT DISTINCT FROM $5
                 RETURNING id
             ), kept AS (
                 INSERT INTO gap (source, reason, from_position, to_position, since, until)
                 SELECT $1, $2, $3::bigint, $4::bigint, $5::timestamptz, $6::timestamptz
                 WHERE NOT EXISTS (SELECT FROM known) RETURNING id
             ), pruned AS (
                 DELETE FROM gap WHERE id <= (SELECT id FROM kept) - $7
             ) SELECT EXISTS (SELECT FROM kept)",
            &[source, reason, from_position, to_position, since, until, &MOST],
        )
        .await?;
    Ok(row.get(0))
}

/// What became of a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The source, by its URL without query.
    pub source: String,
    /// How many accounts could not be read in its place; with none it is repaired.
    pub missing: i64,
    /// How many could not when this was last looked at, if it was.
    pub before: Option<i64>,
}

/// Closes the gaps since which every repository was listed and read, and tells of those that are not repaired, since some could
/// not be: their readings are tried again, and the gap is closed when none is left. Cheap when no gap is open. Returns what has
/// changed.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn settle(client: &Client) -> Result<Vec<Settled>, StoreError> {
    let rows = client
        .query(
            &format!(
                "UPDATE gap SET missing = rest.missing, repaired_at = CASE WHEN rest.missing = 0 THEN now() END
                 FROM gap was, backfill b,
                      (SELECT count(*) AS missing FROM job
                       WHERE kind = $1 AND backfill AND NOT ({PUT_OFF}) AND NOT ({BEHIND})) rest
                 WHERE was.id = gap.id AND gap.repaired_at IS NULL AND b.finished_at IS NOT NULL
                   AND b.listed_at >= gap.detected_at AND gap.missing IS DISTINCT FROM rest.missing
                 RETURNING gap.source, rest.missing, was.missing"
            ),
            &[&JobKind::Resync.as_str()],
        )
        .await?;
    Ok(rows.iter().map(|row| Settled { source: row.get(0), missing: row.get(1), before: row.get(2) }).collect())
}
