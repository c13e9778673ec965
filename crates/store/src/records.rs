//! The ledger, read back.

use tokio_postgres::Client;
use types::RecordId;

use crate::StoreError;

/// The newest bytes of a record that counts; `None` when it is gone, refused, or was never seen.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn raw(client: &Client, id: &RecordId) -> Result<Option<Vec<u8>>, StoreError> {
    let row = client
        .query_opt(
            "SELECT raw FROM record WHERE (did, collection, rkey) = ($1, $2, $3) AND state = 'ok'",
            &[&id.did.as_str(), &id.collection.as_str(), &id.rkey.as_str()],
        )
        .await?;
    Ok(row.and_then(|row| row.get(0)))
}
