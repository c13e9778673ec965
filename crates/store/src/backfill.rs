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

/// Begins a reading of the whole network, in place of an earlier one; nothing happens while one is under way.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn start(client: &Client) -> Result<(), StoreError> {
    let new = client
        .execute(
            "INSERT INTO backfill AS b DEFAULT VALUES ON CONFLICT (one) DO UPDATE
             SET total = 0, done = 0, failed = 0, started_at = now(), listed_at = NULL, finished_at = NULL
             WHERE b.finished_at IS NOT NULL",
            &[],
        )
        .await?;
    if new == 0 { Ok(()) } else { enqueue(client, JobKind::Discover, &[RELAY.to_owned()]).await }
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
             WHERE listed_at IS NOT NULL AND finished_at IS NULL",
            &[&JobKind::Resync.as_str(), &GIVEN_UP_AFTER],
        )
        .await?;
    Ok(())
}
