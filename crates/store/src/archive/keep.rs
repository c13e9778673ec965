//! How long the archive is kept: partitions are made ahead and dropped by age and size.

use chrono::{Days, NaiveDate, Utc};
use tokio_postgres::{Client, error::SqlState};

use crate::StoreError;

/// How much of the archive is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For how many days; 0: nothing is archived.
    pub days: u16,
    /// How many bytes on disk at most; what is oldest goes first.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { days: 30, bytes: 10 << 30 }
    }
}

/// What [`prune`] dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Whole days.
    pub days: u64,
    /// Chunks of today.
    pub chunks: u64,
}

/// What a chunk's row takes on disk, its bytes included.
const CHUNK_SIZE: &str = "octet_length(bytes) + pg_column_size(dids) + pg_column_size(verdicts) + 200";

/// Makes the partitions of a day and of the one after it, so that midnight waits for nothing.
pub(crate) async fn make_partitions(client: &Client, day: NaiveDate) -> Result<(), StoreError> {
    for day in [day, day + Days::new(1)] {
        let (name, next) = (name(day), day + Days::new(1));
        let there: bool =
            client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&format!("ops.{name}")]).await?.get(0);
        if !there {
            // Attached, not made in place: that would wait for whoever reads the archive, a backup over midnight.
            client
                .batch_execute(&format!(
                    "CREATE TABLE ops.{name} (LIKE ops.archive INCLUDING ALL);
                     ALTER TABLE ops.archive ATTACH PARTITION ops.{name} FOR VALUES FROM ('{day}') TO ('{next}')"
                ))
                .await?;
        }
    }
    Ok(())
}

/// Drops what is older than the limits allow, then what is oldest until the rest is small enough.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn prune(client: &Client, limits: Limits) -> Result<Pruned, StoreError> {
    let today = Utc::now().date_naive();
    let first = today + Days::new(1) - Days::new(limits.days.into());
    let mut pruned = Pruned::default();
    let partitions = partitions(client).await?;
    let mut size: u64 = partitions.iter().map(|(_, size)| size).sum();
    for (day, bytes) in partitions {
        let is_old = day < first;
        let is_too_much = size > limits.bytes && day < today;
        if (is_old || is_too_much) && drop_partition(client, day).await? {
            pruned.days += 1;
            size -= bytes;
        }
    }
    if size > limits.bytes && limits.days > 0 {
        let most = i64::try_from(limits.bytes).unwrap_or(i64::MAX);
        // What is deleted is free for the chunks to come, though the file does not shrink: so rows are counted.
        let statement = format!(
            "DELETE FROM archive WHERE day = $1 AND seq <=
                 (SELECT max(seq) FROM (SELECT seq, sum({CHUNK_SIZE}) OVER (ORDER BY seq DESC) AS size FROM archive
                                        WHERE day = $1) sized WHERE size > $2)"
        );
        pruned.chunks = client.execute(&statement, &[&today, &most]).await?;
    }
    if pruned != Pruned::default() {
        tracing::info!(days = pruned.days, chunks = pruned.chunks, "The archive was cut to its limits");
    }
    Ok(pruned)
}

/// Every day that has a partition, the oldest first, and what it takes on disk.
async fn partitions(client: &Client) -> Result<Vec<(NaiveDate, u64)>, StoreError> {
    let rows = client
        .query(
            "SELECT c.relname::text, pg_total_relation_size(c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'ops.archive'::regclass ORDER BY 1",
            &[],
        )
        .await?;
    let parse = |row: &tokio_postgres::Row| {
        let day = NaiveDate::parse_from_str(row.get::<_, &str>(0), "archive_%Y%m%d").ok()?;
        Some((day, u64::try_from(row.get::<_, i64>(1)).unwrap_or_default()))
    };
    Ok(rows.iter().filter_map(parse).collect())
}

/// Drops a day, unless somebody reads it: the writer would have to wait behind us. Whether it is gone.
async fn drop_partition(client: &Client, day: NaiveDate) -> Result<bool, StoreError> {
    client.batch_execute("SET lock_timeout = '500ms'").await?;
    let dropped = client.batch_execute(&format!("DROP TABLE IF EXISTS ops.{}", name(day))).await;
    client.batch_execute("RESET lock_timeout").await?;
    match dropped {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn name(day: NaiveDate) -> String {
    day.format("archive_%Y%m%d").to_string()
}
