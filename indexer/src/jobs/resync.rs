//! The reading of a whole repository: all that it holds of our collections, page by page.

use std::collections::BTreeSet;

use chrono::Utc;
use outbound::{Pds, PdsError, pds::RecordEntry};
use store::{crash, jobs::JobKind};
use types::{
    Batch, Change, Cid, Collection, Did, DropReason, Origin, Put, RecordId, Rkey, Tid, Verification, record_cid,
};

use super::{Context, JobError};
use crate::validate::{Checked, check, reject};

/// The most changes of a batch.
const AT_ONCE: usize = 500;
/// The most records of a page.
const PAGE: u8 = 100;
/// The most pages of a collection: a list that goes on and on is not read to its end.
const MOST_PAGES: usize = 5_000;

/// The most bytes of JSON that are read of a repository: what is larger is never read to its end, so nothing that is stored of
/// it is removed.
const MOST_BYTES: usize = 1 << 30;

/// Reads the repository that `key` names. Only a reading that missed nothing removes what it did not find.
pub async fn read(context: &Context, key: &str) -> Result<(), JobError> {
    // Only DIDs are queued; a row that holds anything else is dropped.
    let Ok(did) = key.parse::<Did>() else { return Ok(()) };
    let host = match context.repository_host(&did).await {
        Ok(host) => host,
        Err(error) if error.is_transient() => return Err(JobError::later(&error)),
        Err(error) => return gone(&did, &error),
    };
    let _turn = context.turn(JobKind::Resync, &host).await?;
    let pds = context.pds(host);
    // Read before anything is listed: what is listed is at least as new.
    let rev = match pds.get_latest_commit(&did).await {
        Ok(commit) => commit.rev,
        Err(error) => return unread(&did, error),
    };
    if rev.is_too_far_ahead(Utc::now().timestamp_micros().unsigned_abs()) {
        return Err(JobError::Later(format!("the revision {rev} is more than five minutes ahead")));
    }
    let mut reading =
        Reading { context, did: &did, rev, present: BTreeSet::new(), bytes: 0, batch: Batch::new(Origin::Backfill) };
    for collection in Collection::ALL {
        match reading.collection(&pds, collection).await? {
            Ok(()) => {}
            Err(error) => return unread(&did, error),
        }
    }
    crash::point("before-snapshot");
    let Reading { present, mut batch, .. } = reading;
    batch.changes.push(Change::Snapshot { did, rev, present });
    context.apply(batch).await
}

/// A repository that its host does not serve is nothing to come back for; an event will tell when it returns.
fn unread(did: &Did, error: PdsError) -> Result<(), JobError> {
    if error.is_transient() { Err(JobError::later(&error)) } else { gone(did, &error) }
}

fn gone(did: &Did, error: &dyn std::error::Error) -> Result<(), JobError> {
    tracing::info!(did = %did, reason = %error, "A repository cannot be read");
    Ok(())
}

struct Reading<'a> {
    context: &'a Context,
    did: &'a Did,
    rev: Tid,
    present: BTreeSet<(Collection, Rkey)>,
    bytes: usize,
    batch: Batch,
}

impl Reading<'_> {
    /// Reads a collection to its end. The outer error is ours, the inner one the host's.
    async fn collection(&mut self, pds: &Pds, collection: Collection) -> Result<Result<(), PdsError>, JobError> {
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let page = match pds.list_records(self.did, collection, cursor.as_deref(), PAGE).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            let last = page.records.is_empty() || page.cursor.is_none();
            for entry in page.records {
                self.bytes += entry.value.get().len();
                self.take(collection, entry);
            }
            let most = self.context.most_records;
            if self.present.len() > most || self.bytes > MOST_BYTES {
                return Err(JobError::Later(format!("more than {most} records or {MOST_BYTES} bytes")));
            }
            if self.batch.changes.len() >= AT_ONCE {
                let batch = std::mem::replace(&mut self.batch, Batch::new(Origin::Backfill));
                self.context.apply(batch).await?;
            }
            if last {
                return Ok(Ok(()));
            }
            if page.cursor == cursor {
                return Err(JobError::Later(format!("the list of {collection} stands still")));
            }
            cursor = page.cursor;
        }
        Err(JobError::Later(format!("the list of {collection} does not end")))
    }

    /// A record that is listed is there, even if it cannot be believed.
    fn take(&mut self, collection: Collection, entry: RecordEntry) {
        let Ok(rkey) = entry.rkey().parse::<Rkey>() else { return };
        self.present.insert((collection, rkey.clone()));
        let id = RecordId { did: self.did.clone(), collection, rkey };
        let json = entry.value.get();
        let Some(cid) = named(entry.cid, json) else { return };
        let verification = match check(json, cid) {
            Checked::Other => {
                let detail = format!("{id} does not hash to {cid}");
                let did = Some(self.did.clone());
                self.batch.rejects.push(reject(did, DropReason::CidMismatch, detail, json.as_bytes()));
                Verification::Mismatch
            }
            Checked::Fine => Verification::CidChecked,
            Checked::Unverifiable | Checked::TooLarge => Verification::Unverifiable,
        };
        let put = Put::decode(id, self.rev, cid, json.as_bytes().into(), verification);
        self.batch.changes.push(Change::Put(Box::new(put)));
    }
}

/// The CID that the host names, else the one that the record has.
pub fn named(cid: Option<Cid>, json: &str) -> Option<Cid> {
    cid.or_else(|| record_cid(&serde_json::from_str(json).ok()?).ok())
}
