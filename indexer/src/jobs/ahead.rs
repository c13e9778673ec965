//! What the index has at a revision that the account's host has not come to. The host may be slow to follow; in the end whoever
//! told of it was wrong, and what the host has is put in its place.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use outbound::{Pds, PdsError};
use store::records::{self, LedgerRow};
use types::{Batch, Change, Cid, Collection, Did, DropReason, RecordId, Reject, Rkey, Tid};

use super::{Context, JobError};
use crate::{Timing, measure, validate::reject};

/// The most that one reading puts right; the next one goes on.
const AT_ONCE: usize = 5_000;

/// The rows that are ahead of their host, and what became of them.
pub struct Ahead {
    rows: BTreeMap<(Collection, Rkey), (Tid, Option<Cid>)>,
    timing: Timing,
    waited: Duration,
    /// How many contradict the host, which may still follow.
    open: usize,
    /// How many did for too long, and one of them.
    settled: usize,
    first: Option<RecordId>,
}

impl Ahead {
    /// Asks a host for its revision and the index for what is newer; whoever asks has waited so long for the host to follow. The
    /// outer error is ours, the inner one the host's.
    pub async fn look(
        context: &Context,
        pds: &Pds,
        did: &Did,
        waited: Duration,
    ) -> Result<Result<(Tid, Self), PdsError>, JobError> {
        let mut rev = match pds.get_latest_commit(did).await {
            Ok(commit) => commit.rev,
            Err(error) => return Ok(Err(error)),
        };
        let mut rows = records::newer(&context.store, did, rev).await?;
        if !rows.is_empty() {
            // What was there before the host was asked did not come meanwhile.
            rev = match pds.get_latest_commit(did).await {
                Ok(commit) => commit.rev,
                Err(error) => return Ok(Err(error)),
            };
            rows.retain(|row| row.rev > rev);
        }
        let row = |row: LedgerRow| ((row.collection, row.rkey), (row.rev, row.cid));
        let rows = rows.into_iter().map(row).collect();
        Ok(Ok((rev, Self { rows, timing: context.timing, waited, open: 0, settled: 0, first: None })))
    }

    /// The host lists a record. If it has stood otherwise in the index for too long: the revision at which what is listed takes
    /// its place, and what is kept of the contradiction.
    pub fn listed(&mut self, id: &RecordId, cid: Cid) -> Option<(Tid, Reject)> {
        let (rev, known) = *self.rows.get(&(id.collection, id.rkey.clone()))?;
        if known == Some(cid) { None } else { self.judge(id, rev) }
    }

    /// The host lists no records but these: what else has stood in the index for too long goes.
    pub fn missing(&mut self, did: &Did, present: &BTreeSet<(Collection, Rkey)>, batch: &mut Batch) {
        let gone = self.rows.iter().filter(|(key, (_, cid))| cid.is_some() && !present.contains(*key));
        let gone: Vec<(RecordId, Tid)> = gone
            .map(|((collection, rkey), (rev, _))| {
                (RecordId { did: did.clone(), collection: *collection, rkey: rkey.clone() }, *rev)
            })
            .collect();
        for (id, rev) in gone {
            if let Some((rev, wrong)) = self.judge(&id, rev) {
                batch.changes.push(Change::Delete { id, rev });
                batch.rejects.push(wrong);
            }
        }
    }

    /// Nothing is news to the ledger below the revision that it knows, so what is put in its place takes that one.
    fn judge(&mut self, id: &RecordId, rev: Tid) -> Option<(Tid, Reject)> {
        if self.timing.is_patient(self.waited, rev) || self.settled >= AT_ONCE {
            self.open += 1;
            return None;
        }
        self.settled += 1;
        self.first.get_or_insert_with(|| id.clone());
        measure::verified("mismatch");
        let detail = format!("{id} at {rev} is not what its host has, which never came to that revision");
        Some((rev, reject(Some(id.did.clone()), DropReason::CidMismatch, detail, &[])))
    }

    /// Tells of what was wrong, and has the repository read again if there is more of which that is not certain yet.
    pub fn end(self, did: &Did, rev: Tid) -> Result<(), JobError> {
        if let Some(first) = &self.first {
            tracing::error!(did = %did, records = self.settled, first = %first, "What was told of records is not what their host has");
        }
        match self.open {
            0 => Ok(()),
            open => Err(JobError::Behind(format!("{open} records are newer here than their host, which is at {rev}"))),
        }
    }
}
