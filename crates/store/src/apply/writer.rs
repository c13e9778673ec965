use std::collections::BTreeMap;

use tokio_postgres::{Client, Transaction};
use types::{Batch, Change, DropReason, Reject, records::Refusal};

use super::{Verdict, fingerprint, follow_up, ledger, projection, repository, snapshot};
use crate::{Connection, StoreError, connect};

/// The advisory lock of the one writer.
const WRITER_LOCK: i64 = 7_300_002;

/// The one process that applies changes. It holds an advisory lock on the connection that it writes with, and each
/// transaction checks that nobody has raised the epoch since.
pub struct Writer {
    client: Client,
    generation: i32,
    epoch: i64,
}

/// What a batch came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many changes met which fate.
    pub verdicts: BTreeMap<VerdictName, u64>,
    /// Accounts that the index had not heard of before.
    pub new_actors: Vec<String>,
    /// Changes that Postgres refused, kept as invalid records or as rejects.
    pub refused: u64,
}

/// A verdict's name as a metric's label.
pub type VerdictName = &'static str;

impl Applied {
    /// Counts a verdict.
    pub(crate) fn count(&mut self, verdict: Verdict) {
        let name = match verdict {
            Verdict::Applied => "applied",
            Verdict::Advanced => "advanced",
            Verdict::Dropped(reason) => reason.as_str(),
        };
        *self.verdicts.entry(name).or_default() += 1;
    }

    /// Counts a record that speaks of what its repository has no say in, besides its verdict.
    pub(crate) fn count_forged(&mut self) {
        *self.verdicts.entry("forged").or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        for (name, count) in other.verdicts {
            *self.verdicts.entry(name).or_default() += count;
        }
        self.new_actors.extend(other.new_actors);
        self.refused += other.refused;
    }
}

impl Writer {
    /// Becomes the writer, or returns `None` while another process is.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn try_acquire(url: &str, generation: i32) -> Result<Option<Self>, StoreError> {
        let Connection { client, .. } = connect(url, Some(generation)).await?;
        let locked: bool = client.query_one("SELECT pg_try_advisory_lock($1)", &[&WRITER_LOCK]).await?.get(0);
        if !locked {
            return Ok(None);
        }
        // The server ends a session whose client is gone, so that a standby need not wait for TCP to notice.
        client
            .batch_execute(
                "SET client_connection_check_interval = '1s';
                 SET idle_in_transaction_session_timeout = '30s';
                 CREATE TEMP TABLE incoming (LIKE record) ON COMMIT DELETE ROWS",
            )
            .await?;
        let epoch = client.query_one("UPDATE writer SET epoch = epoch + 1 RETURNING epoch", &[]).await?.get(0);
        Ok(Some(Self { client, generation, epoch }))
    }

    /// The connection, for reads that belong to the writer (its cursor, its inbox).
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Applies a batch: data, jobs, change log, rejects, inbox and cursor, all or nothing. If Postgres refuses a value, the
    /// batch is halved until the change that holds it stands alone; it is kept as invalid and its siblings are applied.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another process is the writer now; anything else leaves the database as it was.
    pub async fn apply(&mut self, batch: Batch) -> Result<Applied, StoreError> {
        let mut total = Applied::default();
        let mut todo = vec![batch];
        while let Some(batch) = todo.pop() {
            match self.apply_whole(&batch).await {
                Ok(applied) => total.add(applied),
                Err(StoreError::Data(error)) if batch.changes.len() == 1 => {
                    total.refused += u64::from(!is_retry(&batch));
                    todo.push(refused(batch, &error));
                }
                Err(StoreError::Data(_)) if batch.changes.len() > 1 => todo.extend(halves(batch)),
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    async fn apply_whole(&mut self, batch: &Batch) -> Result<Applied, StoreError> {
        let (generation, epoch) = (self.generation, self.epoch);
        let transaction = self.client.transaction().await?;
        let applied = apply_in(&transaction, batch, generation, epoch).await?;
        transaction.commit().await?;
        Ok(applied)
    }
}

/// The transaction of a batch, top to bottom.
async fn apply_in(tx: &Transaction<'_>, batch: &Batch, generation: i32, epoch: i64) -> Result<Applied, StoreError> {
    check_fence(tx, epoch).await?;
    let mut applied = Applied::default();
    let mut written = ledger::write(tx, batch, &mut applied).await?;
    for change in &batch.changes {
        if let Change::Snapshot { did, rev, present } = change {
            written.merge(snapshot::sweep(tx, did, *rev, present).await?);
        }
    }
    let touched = projection::write(tx, &written).await?;
    repository::derive(tx, &touched).await?;
    fingerprint::write(tx, &written).await?;
    applied.new_actors = follow_up::write(tx, batch, &written, &touched, generation).await?;
    Ok(applied)
}

async fn check_fence(tx: &Transaction<'_>, ours: i64) -> Result<(), StoreError> {
    let theirs: i64 = tx.query_one("SELECT epoch FROM writer FOR UPDATE", &[]).await?.get(0);
    if theirs == ours { Ok(()) } else { Err(StoreError::Fenced { ours, theirs }) }
}

/// The cursor, the rejects and the inbox go with the second half: they say that all before them is done.
fn halves(mut batch: Batch) -> [Batch; 2] {
    let first = Batch { changes: batch.changes.drain(..batch.changes.len() / 2).collect(), ..Batch::new(batch.origin) };
    [batch, first]
}

/// Whether the batch is one that was refused before.
fn is_retry(batch: &Batch) -> bool {
    matches!(batch.changes.as_slice(), [Change::Put(put)] if matches!(put.record, Err(Refusal::Unstorable(_))))
}

/// The batch with its one change as an invalid record, so that nothing older is served in its stead; or if Postgres refuses
/// even that, without the change, which becomes a reject.
fn refused(mut batch: Batch, error: &tokio_postgres::Error) -> Batch {
    let detail = error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned());
    let change = batch.changes.pop();
    let Some(Change::Put(mut put)) = change else {
        tracing::error!(%detail, ?change, "Postgres refused a change");
        let did = change.map(|change| change.did().clone());
        batch.rejects.push(Reject { did, reason: DropReason::BadEnvelope, detail, raw: [].into() });
        return batch;
    };
    tracing::error!(%detail, record = %put.id, rev = %put.rev, "Postgres refused a record");
    if put.record.is_ok() {
        put.record = Err(Refusal::Unstorable(detail));
        batch.changes.push(Change::Put(put));
    } else {
        let did = Some(put.id.did.clone());
        batch.rejects.push(Reject { did, reason: DropReason::BadEnvelope, detail, raw: put.raw.clone() });
    }
    batch
}
