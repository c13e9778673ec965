use tokio_postgres::Client;

use crate::{CHANGES_CHANNEL, StoreError};

/// Tells other processes that what they show under these keys (`did:…`, `repository:…`, `hold:…`) has changed.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn changed(client: &Client, generation: i32, keys: &[String]) -> Result<(), StoreError> {
    client
        .execute(
            "WITH entry AS (INSERT INTO change_log (generation, keys) VALUES ($1, $2) RETURNING seq)
             SELECT pg_notify($3, seq::text) FROM entry",
            &[&generation, &keys, &CHANGES_CHANNEL],
        )
        .await?;
    Ok(())
}
