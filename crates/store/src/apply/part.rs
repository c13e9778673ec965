//! The changes of a batch, or as many of them as Postgres takes at once.

use futures::future::{try_join, try_join3};
use types::{Batch, Change, DropReason, Origin, Reject, records::Refusal};

use super::{
    Applied, Transaction, Verdict,
    actors::{self, Met},
    entries, fingerprint, follow_up, ledger, projection, purge,
    quota::Quotas,
    repository, snapshot,
};
use crate::{StoreError, crash};

/// What changes came to.
#[derive(Default)]
pub(super) struct Part {
    /// The verdict on each, in order.
    pub verdicts: Vec<&'static str>,
    new_actors: Vec<String>,
    /// Accounts that surely have rows, once this is committed.
    pub met: Vec<String>,
    refused: u64,
    /// Records that speak of what their repository has no say in, counted besides their verdicts.
    forged: u64,
}

impl Part {
    /// Counts the verdicts.
    pub fn applied(self) -> Applied {
        let mut applied = Applied { new_actors: self.new_actors, refused: self.refused, ..Applied::default() };
        for verdict in self.verdicts {
            // What is no record's change has no fate to count, and what was refused is counted apart.
            if ![LOOK, SNAPSHOT, PURGE, REFUSED].contains(&verdict) {
                *applied.verdicts.entry(verdict).or_default() += 1;
            }
        }
        if self.forged > 0 {
            applied.verdicts.insert("forged", self.forged);
        }
        applied
    }
}

/// What holds for all changes of a batch.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub generation: i32,
    pub origin: Origin,
    pub met: &'a Met,
}

/// What stands for a verdict where the ledger gives none.
const LOOK: &str = "look";
const SNAPSHOT: &str = "snapshot";
const PURGE: &str = "purge";
const REFUSED: &str = "refused";

/// Writes changes and all that follows from them; `meanwhile` is called once, while the database is busy with them.
pub(super) async fn write(
    tx: &Transaction<'_>,
    given: Given<'_>,
    changes: &[Change],
    quotas: &mut Quotas,
    meanwhile: impl FnOnce(&mut Quotas),
) -> Result<Part, StoreError> {
    let verdicts = changes.iter().map(|change| match change {
        Change::Snapshot { .. } => SNAPSHOT,
        Change::Purge { .. } => PURGE,
        _ => LOOK,
    });
    let mut verdicts: Vec<&'static str> = verdicts.collect();
    actors::hide(tx, changes).await?;
    crash::point("before-ledger");
    let tell = |at: usize, verdict: Verdict| verdicts[at] = verdict.as_str();
    let (mut written, entries) = ledger::decide_all(tx, given.origin, changes, quotas, tell).await?;
    // Where two things are joined, the server works on one while we make ready the other.
    let other_work = async {
        meanwhile(quotas);
        Ok(())
    };
    let ((), mut rows, ()) = try_join3(entries::save(tx, &entries), projection::rows(&written), other_work).await?;
    crash::point("after-ledger");
    let mut sweeps = false;
    for change in changes {
        let swept = match change {
            Change::Snapshot { did, rev, present } => snapshot::sweep(tx, did, *rev, present).await?,
            Change::Purge { did, rev } => purge::remove(tx, did, *rev).await?,
            Change::Put(_) | Change::Delete { .. } | Change::Look { .. } => continue,
        };
        written.merge(swept);
        sweeps = true;
    }
    if sweeps {
        rows = projection::rows(&written).await?;
    }
    let projecting = projection::write(tx, given.met, changes, &written, rows);
    let (mut touched, ()) = try_join(projecting, fingerprint::write(tx, changes, &written)).await?;
    crash::point("after-projection");
    purge::forget(tx, changes, &touched).await?;
    let follow_up = follow_up::write(tx, changes, &written, &touched, given.generation);
    let ((), new_actors) = try_join(repository::derive(tx, &touched), follow_up).await?;
    let forged = changes.iter().zip(&verdicts).filter(|(change, verdict)| is_forged(change, verdict)).count() as u64;
    Ok(Part { verdicts, new_actors, met: std::mem::take(&mut touched.met), refused: 0, forged })
}

/// Writes the changes of a batch in halves, each behind a savepoint, until what Postgres refuses stands alone. It is kept as
/// invalid, so that nothing older is served in its stead; or if Postgres refuses even that, as a reject.
pub(super) async fn write_what_can_be(
    tx: &mut Transaction<'_>,
    given: Given<'_>,
    batch: &mut Batch,
    quotas: &mut Quotas,
) -> Result<Part, StoreError> {
    let mut whole = Part::default();
    let mut todo = Vec::from_iter(std::iter::once(0..batch.changes.len()));
    while let Some(range) = todo.pop() {
        let before = quotas.save_point();
        let savepoint = tx.savepoint().await?;
        savepoint.execute("DELETE FROM incoming", &[]).await?;
        match write(&savepoint, given, &batch.changes[range.clone()], quotas, |_| {}).await {
            Ok(part) => {
                savepoint.commit().await?;
                whole.verdicts.extend(part.verdicts);
                whole.new_actors.extend(part.new_actors);
                whole.met.extend(part.met);
                whole.forged += part.forged;
            }
            Err(StoreError::Data(error)) => {
                savepoint.rollback().await?;
                quotas.restore(before);
                if range.len() > 1 {
                    let middle = range.start + range.len() / 2;
                    todo.push(middle..range.end);
                    todo.push(range.start..middle);
                } else if refuse(batch, range.start, &error) {
                    whole.refused += 1;
                    todo.push(range);
                } else {
                    whole.refused += u64::from(!is_marked(&batch.changes[range.start]));
                    whole.verdicts.push(REFUSED);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(whole)
}

fn is_forged(change: &Change, verdict: &str) -> bool {
    let forged = matches!(change, Change::Put(put) if matches!(put.record, Err(Refusal::Forged(_))));
    forged && verdict == Verdict::Applied.as_str()
}

/// Whether a change was refused before.
fn is_marked(change: &Change) -> bool {
    matches!(change, Change::Put(put) if matches!(put.record, Err(Refusal::Unstorable(_))))
}

/// Marks a record as one that Postgres refuses; whether it can be tried again so. If not, it is a reject.
fn refuse(batch: &mut Batch, at: usize, error: &tokio_postgres::Error) -> bool {
    let detail = error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned());
    let change = &mut batch.changes[at];
    let reject = match change {
        Change::Put(put) if put.record.is_ok() => {
            tracing::error!(%detail, record = %put.id, rev = %put.rev, "Postgres refused a record");
            put.record = Err(Refusal::Unstorable(detail));
            return true;
        }
        Change::Put(put) => {
            tracing::error!(%detail, record = %put.id, rev = %put.rev, "Postgres refused an invalid record");
            Reject { did: Some(put.id.did.clone()), reason: DropReason::BadEnvelope, detail, raw: put.raw.clone() }
        }
        _ => {
            tracing::error!(%detail, ?change, "Postgres refused a change");
            Reject { did: Some(change.did().clone()), reason: DropReason::BadEnvelope, detail, raw: [].into() }
        }
    };
    batch.rejects.push(reject);
    false
}
