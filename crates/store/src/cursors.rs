//! How far each source was read. Cursors move only in the transaction of a batch; here they are read, and reset.

use tokio_postgres::Client;

use crate::StoreError;

/// A source's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The source, by its URL without query.
    pub source: String,
    /// Microseconds or a sequence number, as the source counts.
    pub position: i64,
    /// The time up to which events are known to have been seen, in microseconds since 1970.
    pub safe_time: Option<i64>,
}

/// Every source's cursor, the most recently moved first.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn load(client: &Client) -> Result<Vec<Cursor>, StoreError> {
    let rows = client.query("SELECT source, position, safe_time FROM cursor ORDER BY updated_at DESC", &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Cursor { source: row.get("source"), position: row.get("position"), safe_time: row.get("safe_time") })
        .collect())
}

/// Sends a source back to the oldest that it has: it says itself that it never came as far as our position.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn reset(client: &Client, source: &str) -> Result<(), StoreError> {
    client.execute("UPDATE cursor SET position = 0 WHERE source = $1", &[&source]).await?;
    Ok(())
}
