//! What a batch leaves to do and to tell, in its own transaction: jobs, change log, rejects, inbox, cursor.

use std::{collections::BTreeSet, time::Duration};

use chrono::{Days, NaiveTime, Utc};
use futures::future::try_join;
use types::{Batch, Change, Collection, CursorMove, Hint, Reject};

use super::{Transaction, holds, ledger::Written, projection::Touched, quota::Quotas};
use crate::{
    CHANGES_CHANNEL, StoreError, crash,
    jobs::{JobKind, Wanted},
};

/// After so many entries the change log forgets what is older than an hour: whoever was away so long starts afresh.
const LOG_PRUNED_EVERY: i64 = 1000;
/// How many rejects are kept in all; the oldest go first. Quotas bound those of a day.
const REJECTS: i64 = 50_000;
/// How much of a reject's bytes is kept.
const REJECT_BYTES: usize = 64 * 1024;
/// When a repository is asked for what a stream could not prove: there may be more of it in a moment.
const PROOF_PAUSE: Duration = Duration::from_secs(30);
/// Over how long after midnight the repositories are read that went over a quota.
const MORNING: Duration = Duration::from_secs(3600);

/// Returns the accounts that were not known before.
pub(crate) async fn write(
    tx: &Transaction<'_>,
    changes: &[Change],
    written: &Written<'_>,
    touched: &Touched,
    generation: i32,
) -> Result<Vec<String>, StoreError> {
    let new_actors: Vec<String> = touched.new_actors.iter().chain(&written.met).cloned().collect();
    // A relay may not crawl a hold, so one that is new is read directly.
    let new_holds = holds::meet(tx, touched).await?;
    let queueing = queue(tx, changes, written, touched, &new_actors, new_holds);
    try_join(queueing, tell(tx, changes, written, touched, generation)).await?;
    Ok(new_actors)
}

/// What says that a batch is done: its rejects, its inbox rows and its cursor.
pub(crate) async fn settle(tx: &Transaction<'_>, batch: &Batch, quotas: &mut Quotas) -> Result<(), StoreError> {
    keep(tx, &batch.rejects, quotas).await?;
    if !batch.inbox.is_empty() {
        tx.execute("DELETE FROM inbox WHERE id = ANY($1)", &[&batch.inbox]).await?;
    }
    if let Some(cursor) = &batch.cursor {
        crash::point("before-cursor");
        move_cursor(tx, cursor).await?;
    }
    Ok(())
}

async fn queue(
    tx: &Transaction<'_>,
    changes: &[Change],
    written: &Written<'_>,
    touched: &Touched,
    new_actors: &[String],
    new_holds: Vec<String>,
) -> Result<(), StoreError> {
    let mut looks: BTreeSet<String> = new_actors.iter().cloned().collect();
    let mut resyncs: BTreeSet<String> = new_holds.into_iter().collect();
    resyncs.extend(written.conflicts.iter().map(|did| did.as_str().to_owned()));
    for change in changes {
        if let Change::Look { did, hint } = change {
            looks.insert(did.as_str().to_owned());
            if matches!(hint, Hint::Sync) {
                resyncs.insert(did.as_str().to_owned());
            }
        }
    }
    let manifests: Vec<String> = touched.manifests.iter().map(|id| format!("{}/{}", id.did, id.rkey)).collect();
    let mut wanted = Wanted::default();
    looks.iter().for_each(|did| wanted.push(JobKind::Actor, did, Duration::ZERO));
    manifests.iter().for_each(|key| wanted.push(JobKind::Manifest, key, Duration::ZERO));
    resyncs.iter().for_each(|did| wanted.push(JobKind::Resync, did, Duration::ZERO));
    // What is queued already stays due when it was.
    written.unproved.iter().for_each(|did| wanted.push(JobKind::Resync, did.as_str(), PROOF_PAUSE));
    let tomorrow = tomorrow();
    written.put_off.iter().for_each(|did| wanted.push(JobKind::Resync, did.as_str(), tomorrow));
    for change in changes {
        if let Change::Purge { did, .. } = change {
            wanted.push(JobKind::Scrub, did.as_str(), Duration::ZERO);
        }
    }
    if !wanted.is_empty() {
        tx.execute(Wanted::QUEUE, &wanted.parameters()).await?;
    }
    Ok(())
}

/// The time until some moment after midnight.
fn tomorrow() -> Duration {
    let now = Utc::now();
    let midnight = (now.date_naive() + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
    // The nanoseconds are as good as dice.
    (midnight - now).to_std().unwrap_or_default() + MORNING.mul_f64(f64::from(now.timestamp_subsec_nanos()) / 1e9)
}

/// Writes what changed into the change log, and notifies its sequence number: payloads are small.
async fn tell(
    tx: &Transaction<'_>,
    changes: &[Change],
    written: &Written<'_>,
    touched: &Touched,
    generation: i32,
) -> Result<(), StoreError> {
    let mut keys: BTreeSet<String> = written.projected.keys().map(|id| format!("did:{}", id.did)).collect();
    let looked = changes.iter().filter(|change| matches!(change, Change::Look { .. } | Change::Purge { .. }));
    keys.extend(looked.map(|change| format!("did:{}", change.did())));
    let repositories = touched.repositories.iter().chain(touched.stars.keys());
    keys.extend(repositories.map(|(did, name)| format!("repository:{did}/{name}")));
    keys.extend(touched.holds.iter().chain(&touched.declared_holds).map(|hold| format!("hold:{hold}")));
    // A hold is named with each push to it; what it declares of itself changes now and then.
    keys.extend(touched.declared_holds.iter().map(|hold| format!("captain:{hold}")));
    let hidden =
        changes.iter().filter(|change| matches!(change, Change::Look { hint: Hint::Account { active: false }, .. }));
    keys.extend(hidden.map(|change| format!("stars:{}", change.did())));
    // A scan's key is the hex of the digest that it is about.
    let scans = written.projected.keys().filter(|id| id.collection == Collection::Scan);
    keys.extend(scans.map(|id| format!("scanned:sha256:{}", id.rkey)));
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
async fn keep(tx: &Transaction<'_>, rejects: &[Reject], quotas: &mut Quotas) -> Result<(), StoreError> {
    if rejects.is_empty() {
        return Ok(());
    }
    let kept = rejects.iter().filter(|reject| quotas.take_reject(reject.did.as_ref()));
    for reject in kept {
        let did = reject.did.as_ref().map(|did| did.as_str());
        let raw = &reject.raw[..reject.raw.len().min(REJECT_BYTES)];
        let detail: String = reject.detail.chars().filter(|c| *c != '\0').take(500).collect();
        let insert = "INSERT INTO reject (did, reason, detail, raw) VALUES ($1, $2, $3, $4)";
        tx.execute(insert, &[&did, &reject.reason.as_str(), &detail, &raw]).await?;
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
