//! What a stream could not give any more: kept until, and after, the reading of repositories that makes it good.

use chrono::{DateTime, Utc};
use tokio_postgres::Client;

use crate::StoreError;

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

/// Keeps a gap; it is open until [`settle`] finds that repositories were read since.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn record(client: &Client, gap: &Gap) -> Result<(), StoreError> {
    let Gap { source, reason, from_position, to_position, since, until } = gap;
    client
        .execute(
            "WITH kept AS (
                 INSERT INTO gap (source, reason, from_position, to_position, since, until)
                 VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
             ) DELETE FROM gap WHERE id <= (SELECT id FROM kept) - $7",
            &[source, reason, from_position, to_position, since, until, &MOST],
        )
        .await?;
    Ok(())
}

/// Closes the gaps since which every repository was listed and read; cheap when none is open.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn settle(client: &Client) -> Result<(), StoreError> {
    client
        .execute(
            "UPDATE gap SET repaired_at = b.finished_at FROM backfill b
             WHERE repaired_at IS NULL AND b.finished_at IS NOT NULL AND b.listed_at >= detected_at",
            &[],
        )
        .await?;
    Ok(())
}
