//! Which records were compared with what their accounts signed.

use tokio_postgres::{Client, Row};
use types::{Cid, Did, RecordId, Tid};

use crate::{StoreError, records::record_id};

/// A record as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its address.
    pub id: RecordId,
    /// The revision that it is known of.
    pub rev: Tid,
    /// Its content; `None` when it was deleted.
    pub cid: Option<Cid>,
}

/// How far the ledger is with what an account did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The record is another by now.
    Changed,
    /// It stands, and streams have told of everything up to the revision.
    All,
    /// It stands, and streams may have more to tell.
    NotYet,
}

/// Streams have told of a revision once they tell of what anybody did so much later, in microseconds.
const SLACK: i64 = 10_000_000;

/// How many rows are marked at once: the writer waits so long.
const AT_ONCE: usize = 500;

const UNSIGNED: &str = "SELECT did, collection, rkey, rev, cid FROM record
                        WHERE did = $1 AND verification IS DISTINCT FROM 'signed'";

/// An account's records, deleted ones too, that nobody has compared with what it signed, up to `limit`.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn unsigned(client: &Client, did: &Did, limit: i64) -> Result<Vec<Standing>, StoreError> {
    let rows = client.query(&format!("{UNSIGNED} LIMIT $2"), &[&did.as_str(), &limit]).await?;
    rows.iter().map(standing).collect()
}

/// The same for one record; `None` when it was never heard of, or was compared.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn unsigned_one(client: &Client, id: &RecordId) -> Result<Option<Standing>, StoreError> {
    let sql = format!("{UNSIGNED} AND collection = $2 AND rkey = $3");
    let row = client.query_opt(&sql, &[&id.did.as_str(), &id.collection.as_str(), &id.rkey.as_str()]).await?;
    row.as_ref().map(standing).transpose()
}

fn standing(row: &Row) -> Result<Standing, StoreError> {
    let id = record_id(row)?;
    let cid = row.get::<_, Option<&[u8]>>("cid").map(Cid::from_bytes).transpose()?;
    Ok(Standing { id, rev: row.get::<_, &str>("rev").parse()?, cid })
}

/// Whether streams have told of what an account did up to a revision, and a record stands all the same.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn told(client: &Client, one: &Standing, rev: Tid) -> Result<Told, StoreError> {
    let row = client
        .query_one(
            "SELECT EXISTS (SELECT FROM record WHERE (did, collection, rkey, rev) = ($1, $2, $3, $4)
                            AND cid IS NOT DISTINCT FROM $5::bytea),
                    EXISTS (SELECT FROM record WHERE did = $1 AND rev >= $6)
                    OR coalesce((SELECT max(safe_time) FROM cursor) >= $7, false)",
            &[
                &one.id.did.as_str(),
                &one.id.collection.as_str(),
                &one.id.rkey.as_str(),
                &one.rev.to_string(),
                &one.cid.map(Cid::to_bytes),
                &rev.to_string(),
                &rev.micros().cast_signed().saturating_add(SLACK),
            ],
        )
        .await?;
    Ok(match (row.get(0), row.get(1)) {
        (false, _) => Told::Changed,
        (true, true) => Told::All,
        (true, false) => Told::NotYet,
    })
}

/// Accounts that have records, deleted ones too, which nobody has compared with what they signed.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn unsigned_accounts(client: &Client) -> Result<Vec<String>, StoreError> {
    let statement = "SELECT DISTINCT did FROM record WHERE verification IS DISTINCT FROM 'signed'";
    Ok(client.query(statement, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// The account has signed these records, or is signed not to have them, each as it stands here; those that have changed meanwhile are left as they are.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn signed(client: &Client, records: &[&Standing]) -> Result<(), StoreError> {
    for some in records.chunks(AT_ONCE) {
        mark(client, some).await?;
    }
    Ok(())
}

/// The writer locks rows in another order: they take turns.
async fn mark(client: &Client, records: &[&Standing]) -> Result<(), StoreError> {
    let texts = |text: fn(&Standing) -> String| records.iter().map(|record| text(record)).collect::<Vec<String>>();
    let cids: Vec<Option<Vec<u8>>> =
        records.iter().map(|record| record.cid.map(|cid| cid.to_bytes().to_vec())).collect();
    client
        .execute(
            "WITH turn AS (SELECT FROM writer FOR NO KEY UPDATE)
             UPDATE record r SET verification = 'signed'
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[]) s (did, collection, rkey, rev, cid)
             WHERE (r.did, r.collection, r.rkey, r.rev) = (s.did, s.collection, s.rkey, s.rev)
               AND r.cid IS NOT DISTINCT FROM s.cid AND EXISTS (SELECT FROM turn)",
            &[
                &texts(|record| record.id.did.to_string()),
                &texts(|record| record.id.collection.to_string()),
                &texts(|record| record.id.rkey.to_string()),
                &texts(|record| record.rev.to_string()),
                &cids,
            ],
        )
        .await?;
    Ok(())
}
