//! What a batch leaves to do and to tell, in its own transaction: accounts, jobs, change log, rejects, inbox, cursor.

use std::collections::BTreeSet;

use tokio_postgres::Transaction;
use types::{Batch, Change, CursorMove, Hint, Reject};

use super::{holds, ledger::Written, projection::Touched};
use crate::{
    CHANGES_CHANNEL, StoreError,
    jobs::{JobKind, enqueue},
};

/// After so many entries the change log forgets what is older than an hour: whoever was away so long starts afresh.
const LOG_PRUNED_EVERY: i64 = 1000;
/// How many rejects are kept of one account in a day, and of all in a day.
const REJECTS_PER_ACCOUNT: i64 = 100;
const REJECTS_PER_DAY: i64 = 10_000;
/// How many are kept in all; the oldest go first.
const REJECTS: i64 = 50_000;
/// How much of a reject's bytes is kept.
const REJECT_BYTES: usize = 64 * 1024;

/// Returns the accounts that were not known before.
pub(crate) async fn write(
    tx: &Transaction<'_>,
    batch: &Batch,
    written: &Written<'_>,
    touched: &Touched,
    generation: i32,
) -> Result<Vec<String>, StoreError> {
    let new_actors = meet(tx, touched).await?;
    // A relay may not crawl a hold, so one that is new is read directly.
    let new_holds = holds::meet(tx, touched).await?;
    queue(tx, batch, written, touched, &new_actors, new_holds).await?;
    tell(tx, batch, written, touched, generation).await?;
    keep(tx, &batch.rejects).await?;
    if !batch.inbox.is_empty() {
        tx.execute("DELETE FROM inbox WHERE id = ANY($1)", &[&batch.inbox]).await?;
    }
    if let Some(cursor) = &batch.cursor {
        move_cursor(tx, cursor).await?;
    }
    Ok(new_actors)
}

/// Makes rows for accounts and holds that are seen for the first time.
async fn meet(tx: &Transaction<'_>, touched: &Touched) -> Result<Vec<String>, StoreError> {
    let dids: Vec<&String> = touched.actors.union(&touched.holds).collect();
    if dids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx
        .query(
            "INSERT INTO actor (did) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING did",
            &[&dids],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn queue(
    tx: &Transaction<'_>,
    batch: &Batch,
    written: &Written<'_>,
    touched: &Touched,
    new_actors: &[String],
    new_holds: Vec<String>,
) -> Result<(), StoreError> {
    let mut looks: BTreeSet<String> = new_actors.iter().cloned().collect();
    let mut resyncs: BTreeSet<String> = new_holds.into_iter().collect();
    resyncs.extend(written.conflicts.iter().map(|did| did.as_str().to_owned()));
    let mut hidden = Vec::new();
    for change in &batch.changes {
        if let Change::Look { did, hint } = change {
            looks.insert(did.as_str().to_owned());
            match hint {
                Hint::Account { active: false } => hidden.push(did.as_str()),
                Hint::Sync => drop(resyncs.insert(did.as_str().to_owned())),
                Hint::Identity | Hint::Account { active: true } => {}
            }
        }
    }
    if !hidden.is_empty() {
        tx.execute("UPDATE actor SET active = false WHERE did = ANY($1)", &[&hidden]).await?;
    }
    let manifests: Vec<String> = touched.manifests.iter().map(|id| format!("{}/{}", id.did, id.rkey)).collect();
    enqueue(tx, JobKind::Manifest, &manifests).await?;
    enqueue(tx, JobKind::Actor, &looks.into_iter().collect::<Vec<_>>()).await?;
    enqueue(tx, JobKind::Resync, &resyncs.into_iter().collect::<Vec<_>>()).await
}

/// Writes what changed into the change log, and notifies its sequence number: payloads are small.
async fn tell(
    tx: &Transaction<'_>,
    batch: &Batch,
    written: &Written<'_>,
    touched: &Touched,
    generation: i32,
) -> Result<(), StoreError> {
    let mut keys: BTreeSet<String> = written.projected.keys().map(|id| format!("did:{}", id.did)).collect();
    let looked = batch.changes.iter().filter(|change| matches!(change, Change::Look { .. }));
    keys.extend(looked.map(|change| format!("did:{}", change.did())));
    let repositories = touched.repositories.iter().chain(touched.stars.keys());
    keys.extend(repositories.map(|(did, name)| format!("repository:{did}/{name}")));
    keys.extend(touched.holds.iter().map(|hold| format!("hold:{hold}")));
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let row = tx
        .query_one(
            "WITH entry AS (INSERT INTO change_log (generation, keys) VALUES ($1, $2) RETURNING seq)
             SELECT seq, pg_notify($3, seq::text) FROM entry",
            &[&generation, &keys, &CHANGES_CHANNEL],
        )
        .await?;
    if row.get::<_, i64>(0) % LOG_PRUNED_EVERY == 0 {
        tx.execute("DELETE FROM change_log WHERE created_at < now() - interval '1 hour'", &[]).await?;
    }
    Ok(())
}

/// Keeps refused events, unless their account or everyone together has left enough of them today.
async fn keep(tx: &Transaction<'_>, rejects: &[Reject]) -> Result<(), StoreError> {
    if rejects.is_empty() {
        return Ok(());
    }
    let today = "SELECT count(*) FROM reject WHERE created_at > now() - interval '1 day'";
    let left = REJECTS_PER_DAY - tx.query_one(today, &[]).await?.get::<_, i64>(0);
    for reject in rejects.iter().take(usize::try_from(left).unwrap_or_default()) {
        let did = reject.did.as_ref().map(|did| did.as_str());
        let raw = &reject.raw[..reject.raw.len().min(REJECT_BYTES)];
        let detail: String = reject.detail.chars().filter(|c| *c != '\0').take(500).collect();
        tx.execute(
            "INSERT INTO reject (did, reason, detail, raw) SELECT $1, $2, $3, $4
             WHERE (SELECT count(*) FROM reject
                    WHERE did IS NOT DISTINCT FROM $1 AND created_at > now() - interval '1 day') < $5",
            &[&did, &reject.reason.as_str(), &detail, &raw, &REJECTS_PER_ACCOUNT],
        )
        .await?;
    }
    tx.execute("DELETE FROM reject WHERE id <= (SELECT max(id) FROM reject) - $1", &[&REJECTS]).await?;
    Ok(())
}

async fn move_cursor(tx: &Transaction<'_>, cursor: &CursorMove) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO cursor AS c (source, position, safe_time) VALUES ($1, $2, $3)
         ON CONFLICT (source) DO UPDATE
         SET position = greatest(c.position, excluded.position),
             safe_time = greatest(c.safe_time, excluded.safe_time), updated_at = now()",
        &[&cursor.source, &cursor.to, &cursor.safe_time],
    )
    .await?;
    Ok(())
}
