//! A deleted account, once that is confirmed: everything that it wrote and all that was kept about it goes.
//!
//! What is left is the account's row with its status and its floor: late events are below it, and a return is above it.

use types::{Change, Did, Tid};

use super::{
    Transaction,
    ledger::Written,
    projection::Touched,
    snapshot::{raise_floor, written},
};
use crate::StoreError;

/// Removes the account's rows of the ledger up to a revision, tombstones too, and raises its floor.
pub(crate) async fn remove<'a>(tx: &Transaction<'_>, did: &Did, rev: Tid) -> Result<Written<'a>, StoreError> {
    let rev = rev.to_string();
    let gone = tx
        .query(
            "WITH gone AS (DELETE FROM record WHERE did = $1 AND rev <= $2 RETURNING collection, rkey, cid, state)
             SELECT collection, rkey, cid FROM gone WHERE state <> 'deleted'",
            &[&did.as_str(), &rev],
        )
        .await?;
    let met = raise_floor(tx, did, &rev).await?;
    written(did, met, &gone)
}

/// Removes what is kept about the purged accounts of a batch outside of the generation. After the projections, which tell
/// what nobody else refers to. The archive is large, and may be damaged: a job goes through it.
pub(crate) async fn forget(tx: &Transaction<'_>, changes: &[Change], touched: &Touched) -> Result<(), StoreError> {
    let purged = changes.iter().filter_map(|change| match change {
        Change::Purge { did, .. } => Some(did),
        _ => None,
    });
    let purged: Vec<&Did> = purged.collect();
    if purged.is_empty() {
        return Ok(());
    }
    let purged: Vec<&str> = purged.into_iter().map(Did::as_str).collect();
    for statement in [
        "UPDATE actor SET handle = NULL, handle_checked_at = NULL, pds = NULL, hold_endpoint = NULL,
                purged_at = CASE WHEN NOT active THEN now() END
         WHERE did = ANY($1)",
        "DELETE FROM hold_health WHERE did = ANY($1)",
        "DELETE FROM tag_history WHERE did = ANY($1)",
        "DELETE FROM gone_manifest WHERE did = ANY($1)",
        "DELETE FROM reject WHERE did = ANY($1)",
        "DELETE FROM inbox WHERE did = ANY($1)",
        "DELETE FROM quota WHERE did = ANY($1)",
        "DELETE FROM unread WHERE did = ANY($1)",
        "DELETE FROM pull_count WHERE did = ANY($1)",
        "DELETE FROM pull_day WHERE did = ANY($1)",
        "DELETE FROM job WHERE kind = 'manifest' AND split_part(key, '/', 1) = ANY($1)",
    ] {
        tx.execute(statement, &[&purged]).await?;
    }
    let digests = touched.digests.iter().filter(|(did, _)| purged.contains(&did.as_str()));
    forget_bytes(tx, &digests.map(|(_, digest)| digest.as_str()).collect::<Vec<_>>()).await
}

/// Removes the bytes behind digests that no record names any more, and the configurations that only they name.
async fn forget_bytes(tx: &Transaction<'_>, digests: &[&str]) -> Result<(), StoreError> {
    let gone = tx
        .query(
            "DELETE FROM manifest_bytes b WHERE b.digest = ANY($1)
                AND NOT EXISTS (SELECT FROM manifest m WHERE m.digest = b.digest) RETURNING b.digest, b.config_digest",
            &[&digests],
        )
        .await?;
    let manifests: Vec<&str> = gone.iter().map(|row| row.get(0)).collect();
    let configs: Vec<&str> = gone.iter().filter_map(|row| row.get(1)).collect();
    tx.execute("DELETE FROM blob_ref WHERE manifest = ANY($1)", &[&manifests]).await?;
    tx.execute(
        "DELETE FROM image_config c WHERE c.digest = ANY($1)
            AND NOT EXISTS (SELECT FROM manifest_bytes b WHERE b.config_digest = c.digest)
            AND NOT EXISTS (SELECT FROM blob_ref b WHERE b.digest = c.digest)",
        &[&configs],
    )
    .await?;
    Ok(())
}
