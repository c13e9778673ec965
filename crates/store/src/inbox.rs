//! What other processes found, for the one writer to apply.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio_postgres::{Client, Row};
use types::{Arrival, Batch, Change, Cid, Form, Origin, Put, Tid, Verification};

use crate::{INBOX_CHANNEL, StoreError, records::record_id};

/// How many bytes of rows are taken at once; one may be more.
const MOST_BYTES: i64 = 8 << 20;

/// Leaves a record for the writer and tells it. `event` is what it was read out of, as it came.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn leave(client: &Client, put: &Put, event: Option<(Form, &[u8])>) -> Result<(), StoreError> {
    let id = &put.id;
    client
        .execute(
            "WITH row AS (INSERT INTO inbox (did, collection, rkey, rev, cid, raw, verification, form, event)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id)
             SELECT pg_notify($10, id::text) FROM row",
            &[
                &id.did.as_str(),
                &id.collection.as_str(),
                &id.rkey.as_str(),
                &put.rev.to_string(),
                &put.cid.to_bytes(),
                &&*put.raw,
                &put.verification.as_str(),
                &event.map(|(form, _)| form.as_str()),
                &event.map(|(_, bytes)| bytes),
                &INBOX_CHANNEL,
            ],
        )
        .await?;
    Ok(())
}

/// The oldest rows, at most `limit`, as one batch. They leave the inbox in the transaction that applies it.
///
/// # Errors
/// When Postgres refuses, or is not there, or holds what no version of this code left there.
pub async fn pending(client: &Client, limit: i64) -> Result<Batch, StoreError> {
    let rows = client
        .query(
            "SELECT id, did, collection, rkey, rev, cid, raw, verification, form, event, created_at
             FROM (SELECT *, sum(coalesce(octet_length(raw), 0) + coalesce(octet_length(event), 0)) OVER (ORDER BY id) AS size,
                          row_number() OVER (ORDER BY id) AS n
                   FROM (SELECT * FROM inbox ORDER BY id LIMIT $1) oldest) sized
             WHERE n = 1 OR size <= $2 ORDER BY id",
            &[&limit, &MOST_BYTES],
        )
        .await?;
    let mut batch = Batch::new(Origin::ReadThrough);
    for row in &rows {
        batch.inbox.push(row.get("id"));
        let put = put(row)?;
        match event(row, put.rev)? {
            Some(event) => batch.take(event, vec![Change::Put(Box::new(put))], Vec::new()),
            None => batch.changes.push(Change::Put(Box::new(put))),
        }
    }
    Ok(batch)
}

fn put(row: &Row) -> Result<Put, StoreError> {
    let id = record_id(row)?;
    let rev: Tid = row.get::<_, &str>("rev").parse()?;
    let cid = Cid::from_bytes(row.get("cid"))?;
    let verification: Verification = row.get::<_, &str>("verification").parse()?;
    Ok(Put::decode(id, rev, cid, row.get::<_, &[u8]>("raw").into(), verification))
}

fn event(row: &Row, rev: Tid) -> Result<Option<Arrival>, StoreError> {
    let (Some(form), Some(bytes)) = (row.get::<_, Option<&str>>("form"), row.get::<_, Option<Vec<u8>>>("event")) else {
        return Ok(None);
    };
    let form = form.parse::<Form>().map_err(|unknown| StoreError::Statement(Box::new(unknown)))?;
    let came: DateTime<Utc> = row.get("created_at");
    Ok(Some(Arrival { rev: Some(rev), ..Arrival::new(form, Bytes::from(bytes), came.timestamp_micros()) }))
}
