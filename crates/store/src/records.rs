//! The ledger, read back.

use tokio_postgres::{Client, Row};
use types::{Cid, Collection, Did, RecordId, Rkey, Tid};

use crate::StoreError;

/// The address in a row's `did`, `collection` and `rkey`.
pub(crate) fn record_id(row: &Row) -> Result<RecordId, StoreError> {
    Ok(RecordId {
        did: row.get::<_, &str>("did").parse()?,
        collection: row.get::<_, &str>("collection").parse()?,
        rkey: row.get::<_, &str>("rkey").parse()?,
    })
}

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

/// A row of the ledger, without its bytes.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    /// The collection.
    pub collection: Collection,
    /// The key.
    pub rkey: Rkey,
    /// The revision at which it is known.
    pub rev: Tid,
    /// Its CID; `None` when it was deleted.
    pub cid: Option<Cid>,
    /// `ok`, `invalid` or `deleted`.
    pub state: String,
}

/// What the ledger has of an account, tombstones too.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn of_account(client: &Client, did: &Did) -> Result<Vec<LedgerRow>, StoreError> {
    rows(client, did, "").await
}

/// What the ledger has of an account at newer revisions than this.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn newer(client: &Client, did: &Did, rev: Tid) -> Result<Vec<LedgerRow>, StoreError> {
    rows(client, did, &rev.to_string()).await
}

/// Every revision is newer than none.
async fn rows(client: &Client, did: &Did, rev: &str) -> Result<Vec<LedgerRow>, StoreError> {
    let statement = "SELECT collection, rkey, rev, cid, state FROM record WHERE did = $1 AND rev > $2";
    let rows = client.query(statement, &[&did.as_str(), &rev]).await?;
    rows.iter()
        .map(|row| {
            let cid: Option<&[u8]> = row.get("cid");
            let cid = cid.map(Cid::from_bytes).transpose()?;
            Ok(LedgerRow {
                collection: row.get::<_, &str>("collection").parse()?,
                rkey: row.get::<_, &str>("rkey").parse()?,
                rev: row.get::<_, &str>("rev").parse()?,
                cid,
                state: row.get("state"),
            })
        })
        .collect()
}

/// Has what the ledger has of some accounts decoded anew when it is read again, though nothing has changed.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn distrust(client: &Client, dids: &[String]) -> Result<(), StoreError> {
    // The writer locks rows in another order: they take turns.
    let statement = "WITH turn AS (SELECT FROM writer FOR NO KEY UPDATE)
                     UPDATE record SET decoder = 0 WHERE did = $1 AND state <> 'deleted' AND EXISTS (SELECT FROM turn)";
    for did in dids {
        client.execute(statement, &[did]).await?;
    }
    Ok(())
}
