//! How far the reading of a whole network has come. Its steps are jobs, so its progress is read off their queue.

use tokio_postgres::Client;

use crate::{
    JOBS_CHANNEL, StoreError,
    jobs::{JobKind, enqueue},
};

/// A repository that could not be read so often no longer holds up the end; it goes on being tried.
const GIVEN_UP_AFTER: i32 = 3;

/// The key of the one job that lists repositories.
pub const RELAY: &str = "relay";

/// Begins a reading of the whole network, in place of an earlier one. One that is under way lists repositories once more, at
/// once: what it has read already may be older than the gap that asks for this.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn start(client: &Client) -> Result<(), StoreError> {
    client
        .execute(
            "WITH patience AS (UPDATE job SET attempts = 0 WHERE kind = $1)
             INSERT INTO backfill AS b DEFAULT VALUES ON CONFLICT (one) DO UPDATE
             SET total = CASE WHEN b.finished_at IS NULL THEN b.total ELSE 0 END,
                 done = CASE WHEN b.finished_at IS NULL THEN b.done ELSE 0 END,
                 failed = CASE WHEN b.finished_at IS NULL THEN b.failed ELSE 0 END,
                 started_at = CASE WHEN b.finished_at IS NULL THEN b.started_at ELSE now() END,
                 listed_at = NULL, finished_at = NULL",
            &[&JobKind::Discover.as_str()],
        )
        .await?;
    enqueue(client, JobKind::Discover, &[RELAY.to_owned()]).await
}

/// How far a reading is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many repositories there are to read; `None` until they are listed.
    pub total: Option<i64>,
    /// How many are read.
    pub done: i64,
    /// How many could not be read so far.
    pub failed: i64,
    /// Whether nothing is left to wait for.
    pub finished: bool,
    /// Why the repositories cannot be listed, after some tries.
    pub trouble: Option<String>,
}

/// Begins a reading of the whole network, or goes on with the one that is under way.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn resume(client: &Client) -> Result<(), StoreError> {
    let under_way = "SELECT EXISTS (SELECT FROM backfill WHERE finished_at IS NULL)
                        AND (EXISTS (SELECT FROM job WHERE kind = $1) OR (SELECT listed_at IS NOT NULL FROM backfill))";
    if client.query_one(under_way, &[&JobKind::Discover.as_str()]).await?.get(0) {
        return again(client, &[JobKind::Discover, JobKind::Resync], None).await;
    }
    start(client).await
}

/// Queues a reading of some accounts.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn some(client: &Client, dids: &[String]) -> Result<(), StoreError> {
    again(client, &[JobKind::Resync], Some(dids)).await?;
    enqueue(client, JobKind::Resync, dids).await
}

/// What was given up before is tried anew.
async fn again(client: &Client, kinds: &[JobKind], keys: Option<&[String]>) -> Result<(), StoreError> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let statement = "UPDATE job SET attempts = 0, error = NULL, run_at = now()
                     WHERE id IN (SELECT id FROM job WHERE kind = ANY($1) AND key = ANY(coalesce($2, ARRAY[key]))
                                     AND coalesce(locked_until <= now(), true) ORDER BY kind, key FOR UPDATE)";
    client.execute(statement, &[&kinds, &keys]).await?;
    client.execute("SELECT pg_notify($1, '')", &[&JOBS_CHANNEL]).await?;
    Ok(())
}

/// How far the reading of the whole network is.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn progress(client: &Client) -> Result<Progress, StoreError> {
    let row = client
        .query_opt(
            "SELECT CASE WHEN listed_at IS NOT NULL THEN total END, done, failed, finished_at IS NOT NULL,
                    (SELECT error FROM job WHERE kind = $1 AND attempts >= $2)
             FROM backfill",
            &[&JobKind::Discover.as_str(), &GIVEN_UP_AFTER],
        )
        .await?;
    Ok(row.map_or_else(Progress::default, |row| Progress {
        total: row.get(0),
        done: row.get(1),
        failed: row.get(2),
        finished: row.get(3),
        trouble: row.get(4),
    }))
}

/// How far the reading of some accounts is.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn progress_of(client: &Client, dids: &[String]) -> Result<Progress, StoreError> {
    let row = client
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE attempts >= $3 AND error IS NOT NULL) FROM job
             WHERE kind = $1 AND key = ANY($2)",
            &[&JobKind::Resync.as_str(), &dids, &GIVEN_UP_AFTER],
        )
        .await?;
    let (total, left, failed): (i64, i64, i64) = (dids.len() as i64, row.get(0), row.get(1));
    Ok(Progress { total: Some(total), done: total - left, failed, finished: left == failed, trouble: None })
}

/// The repositories are listed and their jobs queued.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn listed(client: &Client, total: i64) -> Result<(), StoreError> {
    client.execute("UPDATE backfill SET total = $1, listed_at = now() WHERE finished_at IS NULL", &[&total]).await?;
    Ok(())
}

/// Brings the progress up to date; cheap when nothing is under way.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn refresh(client: &Client) -> Result<(), StoreError> {
    client
        .execute(
            "UPDATE backfill SET done = greatest(total - waiting.all, 0), failed = waiting.failed,
                    finished_at = CASE WHEN waiting.all = waiting.failed THEN now() END
             FROM (SELECT count(*) AS all, count(*) FILTER (WHERE attempts >= $2) AS failed
                   FROM job WHERE kind = $1 AND (attempts > 0 OR run_at <= now() OR locked_until > now())) waiting
             WHERE listed_at IS NOT NULL AND finished_at IS NULL AND NOT EXISTS (SELECT FROM job WHERE kind = $3)",
            &[&JobKind::Resync.as_str(), &GIVEN_UP_AFTER, &JobKind::Discover.as_str()],
        )
        .await?;
    Ok(())
}
