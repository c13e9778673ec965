use sea_orm::FromQueryResult;
use types::{Cid, RecordId};

use super::Reader;
use crate::StoreError;

/// Where a fact comes from: the ledger's row of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView {
    /// `at://…`
    pub uri: String,
    /// The revision at which it is known.
    pub rev: String,
    /// Its CID; `None` when it was deleted.
    pub cid: Option<Cid>,
    /// `ok`, `invalid` or `deleted`.
    pub state: String,
    /// Why it is invalid.
    pub reason: Option<String>,
    /// The record's JSON as it came.
    pub raw: Option<Vec<u8>>,
    /// How far it was checked: `mismatch`, `unverifiable`, `cid-checked` or `signed`. When it was deleted, `signed` if its account
    /// was seen to have signed that it is not there, else `None`.
    pub verification: Option<String>,
}

#[derive(FromQueryResult)]
struct Row {
    rev: String,
    cid: Option<Vec<u8>>,
    state: String,
    reason: Option<String>,
    raw: Option<Vec<u8>>,
    verification: Option<String>,
}

impl Reader {
    /// What the ledger knows of a record.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn record(&self, id: &RecordId) -> Result<Option<RecordView>, StoreError> {
        let row: Option<Row> = self
            .one(
                "SELECT rev, cid, state, reason, raw, verification FROM record WHERE did = $1 AND collection = $2 AND rkey = $3",
                vec![id.did.as_str().into(), id.collection.as_str().into(), id.rkey.as_str().into()],
            )
            .await?;
        Ok(row.map(|row| RecordView {
            uri: id.to_string(),
            rev: row.rev,
            cid: row.cid.and_then(|bytes| Cid::from_bytes(&bytes).ok()),
            state: row.state,
            reason: row.reason,
            raw: row.raw,
            verification: row.verification,
        }))
    }
}
