//! How far the reading of a whole network has come. Its steps are jobs, so its progress is read off their queue.

use tokio_postgres::Client;

use crate::{
    StoreError,
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
                   FROM job WHERE kind = $1) waiting
             WHERE listed_at IS NOT NULL AND finished_at IS NULL AND NOT EXISTS (SELECT FROM job WHERE kind = $3)",
            &[&JobKind::Resync.as_str(), &GIVEN_UP_AFTER, &JobKind::Discover.as_str()],
        )
        .await?;
    Ok(())
}
