//! The ledger's rows: the newest bytes of every record.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;
use types::{Cid, Put, RecordId, Tid, Verification, records::DECODER};

use super::{
    Transaction,
    copy::{Copying, Table},
    decide::News,
    lent::Lent,
};
use crate::StoreError;

const COLUMNS: &[(&str, Type)] = &[
    ("did", Type::TEXT),
    ("collection", Type::TEXT),
    ("rkey", Type::TEXT),
    ("rev", Type::TEXT),
    ("cid", Type::BYTEA),
    ("state", Type::TEXT),
    ("decoder", Type::INT4),
    ("reason", Type::TEXT),
    ("raw", Type::BYTEA),
    ("verification", Type::TEXT),
];
/// Records that are new go straight into the ledger.
const RECORD: Table = Table { name: "record", columns: COLUMNS };
/// The temporary table of the writer's connection, through which others replace what the ledger has of them.
const INCOMING: Table = Table { name: "incoming", columns: COLUMNS };

/// The ledger's rows that a batch writes.
#[derive(Default)]
pub(crate) struct Entries<'a> {
    whole: BTreeMap<&'a RecordId, Entry<'a>>,
    /// Only the revision moves.
    revs: BTreeMap<&'a RecordId, Tid>,
}

pub(super) struct Entry<'a> {
    pub news: News,
    pub put: Option<Lent<'a, Put>>,
    /// Whether the ledger had a row of it before the batch.
    pub is_known: bool,
}

impl<'a> Entries<'a> {
    /// A record's row is another now.
    pub(super) fn replace(&mut self, id: &'a RecordId, entry: Entry<'a>) {
        self.whole.insert(id, entry);
        self.revs.remove(id);
    }

    /// A record's row is the same at a newer revision.
    pub(super) fn advance(&mut self, id: &'a RecordId, rev: Tid) {
        match self.whole.get_mut(id) {
            Some(entry) => entry.news.rev = rev,
            None => drop(self.revs.insert(id, rev)),
        }
    }
}

/// Why a record counts for nothing.
fn reason(put: &Put) -> Option<String> {
    if put.verification == Verification::Mismatch {
        return Some(format!("mismatch: what came does not hash to {}", put.cid));
    }
    put.record.as_ref().err().map(|refusal| refusal.to_string().replace('\0', "\u{fffd}"))
}

async fn save_revs(tx: &Transaction<'_>, revs: &BTreeMap<&RecordId, Tid>) -> Result<(), StoreError> {
    if revs.is_empty() {
        return Ok(());
    }
    let dids: Vec<&str> = revs.keys().map(|id| id.did.as_str()).collect();
    let collections: Vec<&str> = revs.keys().map(|id| id.collection.as_str()).collect();
    let rkeys: Vec<&str> = revs.keys().map(|id| id.rkey.as_str()).collect();
    let revs: Vec<String> = revs.values().map(Tid::to_string).collect();
    tx.execute(
        "UPDATE record r SET rev = k.rev FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) k (did, collection, rkey, rev)
         WHERE (r.did, r.collection, r.rkey) = (k.did, k.collection, k.rkey)",
        &[&dids, &collections, &rkeys, &revs],
    )
    .await?;
    Ok(())
}

/// Writes what was decided ([`super::ledger::decide_all`]).
pub(crate) async fn save(tx: &Transaction<'_>, entries: &Entries<'_>) -> Result<(), StoreError> {
    copy(&RECORD, tx, entries.whole.iter().filter(|(_, entry)| !entry.is_known)).await?;
    if copy(&INCOMING, tx, entries.whole.iter().filter(|(_, entry)| entry.is_known)).await? {
        tx.execute(
            "UPDATE record r
             SET rev = i.rev, cid = i.cid, state = i.state, decoder = i.decoder, reason = i.reason, raw = i.raw,
                 verification = i.verification
             FROM incoming i WHERE (r.did, r.collection, r.rkey) = (i.did, i.collection, i.rkey)",
            &[],
        )
        .await?;
    }
    save_revs(tx, &entries.revs).await
}

/// Copies rows of the ledger; whether there were any.
async fn copy<'a>(
    table: &'static Table,
    tx: &Transaction<'_>,
    mut rows: impl Iterator<Item = (&'a &'a RecordId, &'a Entry<'a>)>,
) -> Result<bool, StoreError> {
    let Some(first) = rows.next() else { return Ok(false) };
    let mut copying = Copying::into(table, tx).await?;
    for (id, entry) in std::iter::once(first).chain(rows) {
        push(&mut copying, id, entry).await?;
    }
    copying.finish().await?;
    Ok(true)
}

async fn push(rows: &mut Copying, id: &RecordId, Entry { news, put, .. }: &Entry<'_>) -> Result<(), StoreError> {
    let put = put.as_deref();
    let reason = put.and_then(reason);
    let state = match (put, &reason) {
        (None, _) => "deleted",
        (Some(_), Some(_)) => "invalid",
        (Some(_), None) => "ok",
    };
    rows.push(&[
        &id.did.as_str(),
        &id.collection.as_str(),
        &id.rkey.as_str(),
        &news.rev.to_string(),
        &news.cid.map(Cid::to_bytes),
        &state,
        &DECODER,
        &reason,
        &put.map(|put| &*put.raw),
        &news.verification.map(Verification::as_str),
    ])
    .await
}
