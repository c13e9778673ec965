//! What other processes found, for the one writer to apply.

use tokio_postgres::Client;
use types::{Cid, Put, RecordId, Tid, Verification};

use crate::{INBOX_CHANNEL, StoreError, records::record_id};

/// A row of the inbox as a change, with its number.
pub struct Found {
    /// The row.
    pub inbox_id: i64,
    /// What was found.
    pub put: Put,
}

/// Leaves a record for the writer and tells it.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn leave(client: &Client, id: &RecordId, rev: Tid, cid: Cid, raw: &[u8]) -> Result<(), StoreError> {
    client
        .execute(
            "WITH row AS (INSERT INTO inbox (did, collection, rkey, rev, cid, raw) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id)
             SELECT pg_notify($7, id::text) FROM row",
            &[
                &id.did.as_str(),
                &id.collection.as_str(),
                &id.rkey.as_str(),
                &rev.to_string(),
                &cid.to_bytes(),
                &raw,
                &INBOX_CHANNEL,
            ],
        )
        .await?;
    Ok(())
}

/// The oldest rows, at most `limit`. They leave the inbox in the transaction that applies them.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn pending(client: &Client, limit: i64) -> Result<Vec<Found>, StoreError> {
    let rows = client
        .query(
            "SELECT id, did, collection, rkey, rev, cid, raw, verification FROM inbox ORDER BY id LIMIT $1",
            &[&limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let id = record_id(row)?;
            let rev: Tid = row.get::<_, &str>("rev").parse()?;
            let cid = Cid::from_bytes(row.get("cid"))?;
            let verification: Verification = row.get::<_, &str>("verification").parse()?;
            let put = Put::decode(id, rev, cid, row.get::<_, &[u8]>("raw").into(), verification);
            Ok(Found { inbox_id: row.get("id"), put })
        })
        .collect()
}
