//! The reading of a whole repository: all that it holds of our collections, page by page.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::Utc;
use outbound::{
    IdentityError, Pds, PdsError,
    pds::{PAGE_BYTES, RecordEntry},
};
use store::{
    backfill, crash,
    jobs::{Job, JobKind},
    observe,
};
use types::{
    Arrival, Batch, Change, Cid, Collection, Did, DropReason, Form, Origin, Put, RecordId, Reject, Rkey, Tid,
    Verification, record_cid,
};

use super::{Context, JobError, ahead::Ahead, deadline::Deadline};
use crate::{
    budget::Room,
    source::reader::chain,
    validate::{Checked, check, reject},
};

/// The most items of a batch, and the most bytes of JSON that they may come from; a page may go over it.
const AT_ONCE: usize = 500;
const BYTES_AT_ONCE: usize = 2 << 20;
/// The most records of a page.
const PAGE: u8 = 100;
/// The most pages of a collection: a list that goes on and on is not read to its end.
const MOST_PAGES: usize = 5_000;

/// The most bytes of JSON that are read of a repository: what is larger is never read to its end, so nothing that is stored of
/// it is removed.
const MOST_BYTES: usize = 1 << 30;

/// Reads the repository that the job's key names. Only a reading that missed nothing removes what it did not find. What the index
/// has of a later revision than its host has come to is left as it is, until the host has had the time to follow.
pub async fn read(context: &Context, job: &Job, deadline: &Deadline) -> Result<(), JobError> {
    // Only DIDs are queued; a row that holds anything else is dropped.
    let Ok(did) = job.key.parse::<Did>() else { return Ok(()) };
    let host = match context.repository_host(&did).await {
        Ok(host) => host,
        Err(error @ IdentityError::Outbound(_)) => return Err(JobError::later(&error)),
        Err(error) => return gone(context, &did, chain(&error)).await,
    };
    let _turn = context.turn(JobKind::Resync, &host).await?;
    let pds = context.pds(host);
    // Read before anything is listed: what is listed is at least as new.
    let (rev, ahead) = match Ahead::look(context, &pds, &did, job.waited).await? {
        Ok(found) => found,
        Err(error) => return unread(context, &did, error).await,
    };
    if rev.is_too_far_ahead(Utc::now().timestamp_micros().unsigned_abs()) {
        return Err(JobError::Later(format!("the revision {rev} is more than five minutes ahead")));
    }
    let mut reading = Reading {
        context,
        deadline,
        did: &did,
        rev,
        ahead,
        present: BTreeSet::new(),
        bytes: 0,
        missed: 0,
        batch: Batch::new(Origin::Backfill),
        batch_bytes: 0,
        rooms: Vec::new(),
    };
    for collection in Collection::ALL {
        match reading.collection(&pds, collection).await? {
            Ok(()) => {}
            Err(error) => return unread(context, &did, error).await,
        }
    }
    crash::point("before-snapshot");
    let Reading { present, missed, mut batch, rooms, mut ahead, .. } = reading;
    if missed > 0 {
        // What cannot be read may be anything that we have.
        tracing::debug!(did = %did, missed, "A repository was read, but for items that are no records");
    } else {
        ahead.missing(&did, &present, &mut batch);
        batch.changes.push(Change::Snapshot { did: did.clone(), rev, present });
    }
    context.apply(batch).await?;
    drop(rooms);
    observe::hold_answered(&context.store, &did).await?;
    backfill::served(&context.store, did.as_str()).await?;
    ahead.end(&did, rev)
}

/// A repository of which its host says that it does not serve it is nothing to come back for; an event will tell when it
/// returns. Nor is a host that is its own account and does not know the question: an old hold, which has no repository. Any other
/// answer says nothing of the repository.
async fn unread(context: &Context, did: &Did, error: PdsError) -> Result<(), JobError> {
    match error {
        PdsError::Account { .. } => gone(context, did, chain(&error)).await,
        PdsError::Outbound(ref refusal)
            if did.method() == "web"
                && matches!(refusal.status().map(|status| status.as_u16()), Some(404 | 405 | 501)) =>
        {
            gone(context, did, chain(&error)).await
        }
        error => Err(JobError::later(&error)),
    }
}

async fn gone(context: &Context, did: &Did, reason: String) -> Result<(), JobError> {
    tracing::debug!(did = %did, %reason, "A repository cannot be read");
    Ok(backfill::unserved(&context.store, did.as_str(), &reason).await?)
}

struct Reading<'a> {
    context: &'a Context,
    deadline: &'a Deadline,
    did: &'a Did,
    rev: Tid,
    ahead: Ahead,
    present: BTreeSet<(Collection, Rkey)>,
    bytes: usize,
    /// How many items were no records.
    missed: usize,
    batch: Batch,
    /// What the batch comes from, and its share of what may be held.
    batch_bytes: usize,
    rooms: Vec<Room>,
}

impl Reading<'_> {
    /// Reads a collection to its end. The outer error is ours, the inner one the host's.
    async fn collection(&mut self, pds: &Pds, collection: Collection) -> Result<Result<(), PdsError>, JobError> {
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut room = self.room().await?;
            let page = match pds.list_records(self.did, collection, cursor.as_deref(), PAGE).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            room.shrink(page.bytes());
            self.rooms.push(room);
            let last = page.is_last();
            for item in page.unreadable {
                self.missed += 1;
                let reject =
                    reject(Some(self.did.clone()), DropReason::BadEnvelope, "an item that is no record", &item);
                self.keep(item, None, Some(reject));
            }
            let before = self.present.len();
            page.records.into_iter().for_each(|entry| self.take(collection, entry));
            let found = u32::try_from(self.present.len() - before).unwrap_or_default();
            self.deadline.extend(self.context.timing.record * found);
            let (most, next) = (self.context.most_records, page.cursor);
            if self.present.len() > most || self.bytes > MOST_BYTES {
                return Err(JobError::Later(format!("more than {most} records or {MOST_BYTES} bytes")));
            }
            if self.batch.arrivals.len() >= AT_ONCE || self.batch_bytes >= BYTES_AT_ONCE {
                self.flush().await?;
            }
            if last {
                return Ok(Ok(()));
            }
            if next == cursor {
                return Err(JobError::Later(format!("the list of {collection} stands still")));
            }
            cursor = next;
        }
        Err(JobError::Later(format!("the list of {collection} does not end")))
    }

    /// Room for a page. Who waits for it holds nothing: else all could wait for each other.
    async fn room(&mut self) -> Result<Room, JobError> {
        let budget = &self.context.budget;
        if let Some(room) = budget.try_take(PAGE_BYTES as usize) {
            return Ok(room);
        }
        self.flush().await?;
        Ok(budget.take(PAGE_BYTES as usize).await)
    }

    async fn flush(&mut self) -> Result<(), JobError> {
        let batch = std::mem::replace(&mut self.batch, Batch::new(Origin::Backfill));
        self.context.apply(batch).await?;
        self.batch_bytes = 0;
        self.rooms.clear();
        Ok(())
    }

    /// A record that is listed is there, even if it cannot be believed.
    fn take(&mut self, collection: Collection, entry: RecordEntry) {
        let did = Some(self.did.clone());
        let rkey = match entry.rkey().parse::<Rkey>() {
            Ok(rkey) => rkey,
            // No record of ours has such a key.
            Err(error) => {
                let reject = reject(did, DropReason::BadName, error, &entry.came);
                return self.keep(entry.came, None, Some(reject));
            }
        };
        self.present.insert((collection, rkey.clone()));
        let id = RecordId { did: self.did.clone(), collection, rkey };
        let json = entry.value();
        let Some(cid) = named(entry.cid, json) else {
            let reject = reject(did, DropReason::BadName, format!("{id} has no CID, and cannot have one"), &entry.came);
            return self.keep(entry.came, None, Some(reject));
        };
        let (verification, mut reject) = match check(json, cid) {
            Checked::Other => {
                let detail = format!("{id} does not hash to {cid}");
                (Verification::Mismatch, Some(reject(did, DropReason::CidMismatch, detail, json.as_bytes())))
            }
            Checked::Fine => (Verification::CidChecked, None),
            Checked::Unverifiable | Checked::TooLarge => (Verification::Unverifiable, None),
        };
        let mut rev = self.rev;
        if verification != Verification::Mismatch
            && let Some((known, wrong)) = self.ahead.listed(&id, cid)
        {
            (rev, reject) = (known, Some(wrong));
        }
        let put = Put::decode(id, rev, cid, json.as_bytes().into(), verification);
        self.keep(entry.came, Some(put), reject);
    }

    /// Puts an item into the batch, with what it came to.
    fn keep(&mut self, item: Bytes, put: Option<Put>, reject: Option<Reject>) {
        self.bytes += item.len();
        self.batch_bytes += item.len();
        let event = Arrival::new(Form::Listed, item, Utc::now().timestamp_micros());
        let event = Arrival { did: Some(self.did.clone()), rev: Some(self.rev), ..event };
        let changes = put.map(|put| Change::Put(Box::new(put)));
        self.batch.take(event, changes.into_iter().collect(), reject.into_iter().collect());
    }
}

/// The CID that the host names, else the one that the record has.
pub fn named(cid: Option<Cid>, json: &str) -> Option<Cid> {
    cid.or_else(|| record_cid(&serde_json::from_str(json).ok()?).ok())
}
