//! A complete reading of a repository: what it does not hold is gone.

use std::collections::BTreeSet;

use tokio_postgres::Row;
use types::{Cid, Collection, Did, RecordId, Rkey, Tid};

use super::{Transaction, ledger::Written};
use crate::StoreError;

/// Turns rows that are not in the snapshot and not newer than it into tombstones, and raises the account's floor.
pub(crate) async fn sweep<'a>(
    tx: &Transaction<'_>,
    did: &Did,
    rev: Tid,
    present: &BTreeSet<(Collection, Rkey)>,
) -> Result<Written<'a>, StoreError> {
    let rev = rev.to_string();
    let (collections, rkeys): (Vec<&str>, Vec<&str>) =
        present.iter().map(|(collection, rkey)| (collection.as_str(), rkey.as_str())).unzip();
    let gone = tx
        .query(
            "UPDATE record r SET state = 'deleted', rev = $2, cid = NULL, raw = NULL, reason = NULL, verification = NULL
             FROM (SELECT did, collection, rkey, cid FROM record
                   WHERE did = $1 AND state <> 'deleted' AND rev <= $2
                     AND (collection, rkey) NOT IN (SELECT * FROM unnest($3::text[], $4::text[]))) old
             WHERE (r.did, r.collection, r.rkey) = (old.did, old.collection, old.rkey)
             RETURNING r.collection, r.rkey, old.cid",
            &[&did.as_str(), &rev, &collections, &rkeys],
        )
        .await?;
    let met = raise_floor(tx, did, &rev).await?;
    written(did, met, &gone)
}

/// From now on nothing at or below a revision is news. Returns whether this is the first that is heard of the account.
pub(super) async fn raise_floor(tx: &Transaction<'_>, did: &Did, rev: &str) -> Result<bool, StoreError> {
    // A row that this statement inserted has no deleting transaction.
    let row = tx
        .query_one(
            "INSERT INTO actor (did, floor_rev) VALUES ($1, $2)
             ON CONFLICT (did) DO UPDATE SET floor_rev = greatest(actor.floor_rev, excluded.floor_rev)
             RETURNING xmax = 0",
            &[&did.as_str(), &rev],
        )
        .await?;
    Ok(row.get(0))
}

/// What the later steps have to know of live records that are gone: their collections, keys and CIDs.
pub(super) fn written<'a>(did: &Did, met: bool, gone: &[Row]) -> Result<Written<'a>, StoreError> {
    let mut written = Written::default();
    if met {
        written.met.insert(did.as_str().to_owned());
    }
    for row in gone {
        let id = RecordId {
            did: did.clone(),
            collection: row.get::<_, &str>("collection").parse()?,
            rkey: row.get::<_, &str>("rkey").parse()?,
        };
        let cid = Cid::from_bytes(row.get("cid"))?;
        written.contents.insert(id.clone(), (Some(cid), None));
        written.projected.insert(id, None);
    }
    Ok(written)
}
