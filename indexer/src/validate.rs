//! An event becomes changes, or a reason why not. Nothing that the network sends gets further than this unparsed.

use std::sync::Arc;

use types::{
    Change, Cid, Collection, Did, DropReason, Hint, Put, RecordId, Reject, Tid, Verification, record_block,
    records::{DecodeError, Refusal, is_bounded},
};

use crate::{
    event::{Action, Body, Commit, Event, Op},
    known::Known,
    source::cbor::MAX_BLOCK,
};

/// How much of a refused event is kept; the store keeps no more.
const REJECT_BYTES: usize = 64 << 10;

/// What an event comes to.
#[derive(Debug)]
pub enum Outcome {
    /// Something for the store.
    Take {
        /// To apply.
        changes: Vec<Change>,
        /// To keep.
        rejects: Vec<Reject>,
    },
    /// Nothing for us.
    Drop(DropReason),
    /// The server speaks of the stream itself: nothing to apply, nothing lost.
    Note,
}

/// Judges an event. `raw` is its frame, of which the beginning is kept if it is refused; `now` is in microseconds since 1970.
pub fn validate(event: Event<'_>, raw: &[u8], known: &Known, now: u64) -> Outcome {
    match event {
        Event::Commit(commit) if commit.ops.is_empty() => Outcome::Drop(DropReason::ForeignCollection),
        Event::Commit(commit) => self::commit(commit, raw, now),
        // Everyone's identity and account events come by: whom we do not know costs one look-up.
        Event::Identity { did } => look(&did, Hint::Identity, known),
        Event::Account { did, active } => look(&did, Hint::Account { active }, known),
        Event::Sync { did, ours } => match did.parse() {
            Ok(did) if ours => {
                Outcome::Take { changes: vec![Change::Look { did, hint: Hint::Sync }], rejects: Vec::new() }
            }
            _ => look(&did, Hint::Sync, known),
        },
        Event::Info { .. } => Outcome::Note,
        Event::Unknown => Outcome::Drop(DropReason::UnknownKind),
    }
}

/// What is kept of an event that is refused.
pub fn reject(did: Option<Did>, reason: DropReason, detail: impl ToString, raw: &[u8]) -> Reject {
    Reject { did, reason, detail: detail.to_string(), raw: raw[..raw.len().min(REJECT_BYTES)].into() }
}

fn look(did: &str, hint: Hint, known: &Known) -> Outcome {
    // Before it is parsed: nearly all of them are strangers.
    if !known.contains(did) {
        return Outcome::Drop(DropReason::UnknownActor);
    }
    match did.parse() {
        Ok(did) => Outcome::Take { changes: vec![Change::Look { did, hint }], rejects: Vec::new() },
        Err(_) => Outcome::Drop(DropReason::UnknownActor),
    }
}

fn commit(commit: Commit<'_>, raw: &[u8], now: u64) -> Outcome {
    let (mut changes, mut rejects) = (Vec::new(), Vec::new());
    let did: Did = match commit.did.parse() {
        Ok(did) => did,
        Err(error) => {
            rejects.push(reject(None, DropReason::BadName, error, raw));
            return Outcome::Take { changes, rejects };
        }
    };
    let mut foreign = true;
    for op in commit.ops {
        let Ok(collection) = op.collection.parse() else { continue };
        foreign = false;
        match self::op(&did, &commit.rev, collection, op, now) {
            Ok(change) => {
                if let Change::Put(put) = &change
                    && put.verification == Verification::Mismatch
                {
                    let detail = format!("{} does not hash to {}", put.id, put.cid);
                    rejects.push(reject(Some(did.clone()), DropReason::CidMismatch, detail, raw));
                }
                changes.push(change);
            }
            Err(fault) => {
                rejects.push(reject(Some(did.clone()), fault.reason, fault.detail, raw));
                if fault.resync {
                    changes.push(Change::Look { did: did.clone(), hint: Hint::Sync });
                }
            }
        }
    }
    if foreign { Outcome::Drop(DropReason::ForeignCollection) } else { Outcome::Take { changes, rejects } }
}

/// Why an operation is refused.
struct Fault {
    reason: DropReason,
    detail: String,
    /// Whether the repository has to be read to learn what the operation should have told.
    resync: bool,
}

impl Fault {
    fn new(reason: DropReason, detail: impl ToString) -> Self {
        Self { reason, detail: detail.to_string(), resync: false }
    }

    fn resync(reason: DropReason, detail: impl ToString) -> Self {
        Self { resync: true, ..Self::new(reason, detail) }
    }
}

fn op(did: &Did, rev: &str, collection: Collection, op: Op<'_>, now: u64) -> Result<Change, Fault> {
    let bad_name = |error: types::NameError| Fault::new(DropReason::BadName, error);
    let id = RecordId { did: did.clone(), collection, rkey: op.rkey.parse().map_err(bad_name)? };
    let rev: Tid = rev.parse().map_err(bad_name)?;
    if rev.is_too_far_ahead(now) {
        return Err(Fault::new(DropReason::RevTooFarAhead, format!("{rev} is more than five minutes ahead")));
    }
    match op.action {
        Action::Delete => Ok(Change::Delete { id, rev }),
        Action::Unknown(verb) => Err(Fault::resync(DropReason::UnknownKind, format!("an operation called {verb}"))),
        Action::Put { body: Body::Missing(why), .. } => Err(Fault::resync(DropReason::BadEnvelope, why)),
        Action::Put { cid, body } => {
            let cid = cid.map_err(|error| Fault::resync(DropReason::BadName, error))?;
            put(id, rev, cid, body).map(|put| Change::Put(Box::new(put)))
        }
    }
}

fn put(id: RecordId, rev: Tid, cid: Cid, body: Body<'_>) -> Result<Put, Fault> {
    match body {
        Body::Json(text) => match check(text, cid) {
            // What it replaces is no longer so; the store has the repository read for what is.
            Checked::Other => Ok(Put::decode(id, rev, cid, text.as_bytes().into(), Verification::Mismatch)),
            Checked::TooLarge => Ok(refused(id, rev, cid, &[], "larger than 1 MB, or of too many values")),
            Checked::Fine => Ok(Put::decode(id, rev, cid, text.as_bytes().into(), Verification::CidChecked)),
            Checked::Unverifiable => Ok(Put::decode(id, rev, cid, text.as_bytes().into(), Verification::Unverifiable)),
        },
        Body::Proved(json) => Ok(Put::decode(id, rev, cid, json.into(), Verification::CidChecked)),
        Body::Unreadable { block, .. } if block.len() > MAX_BLOCK => Ok(refused(id, rev, cid, &[], "larger than 1 MB")),
        Body::Unreadable { block, why } => Ok(refused(id, rev, cid, block, &why)),
        Body::WrongHash => {
            let put = refused(id, rev, cid, &[], "its block is another one's");
            Ok(Put { verification: Verification::Mismatch, ..put })
        }
        Body::Missing(why) => Err(Fault::resync(DropReason::BadEnvelope, why)),
    }
}

/// A record that stands so but counts for nothing: what it replaces must go.
pub fn refused(id: RecordId, rev: Tid, cid: Cid, raw: &[u8], why: &str) -> Put {
    // What was not kept was not hashed.
    let verification = if raw.is_empty() { Verification::Unverifiable } else { Verification::CidChecked };
    let error = DecodeError { field: "$".to_owned(), why: why.to_owned() };
    Put { id, rev, cid, raw: Arc::from(raw), record: Err(Refusal::Undecodable(error)), verification }
}

/// What hashing a record's JSON tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is what the CID names.
    Fine,
    /// It has no exact DAG-CBOR form, or none at all: nothing speaks against it.
    Unverifiable,
    /// It is something else.
    Other,
    /// It is more than a record may be, or has more values.
    TooLarge,
}

/// Hashes a record's JSON, by way of its DAG-CBOR form, against its CID.
pub fn check(json: &str, cid: Cid) -> Checked {
    if !is_bounded(json.as_bytes()) {
        return Checked::TooLarge;
    }
    match serde_json::from_str(json).map(|record| record_block(&record)) {
        Ok(Ok(block)) if block.len() > MAX_BLOCK => Checked::TooLarge,
        Ok(Ok(block)) if Cid::of_block(&block) == cid => Checked::Fine,
        Ok(Ok(_)) => Checked::Other,
        Ok(Err(_)) | Err(_) if json.len() > MAX_BLOCK => Checked::TooLarge,
        Ok(Err(_)) | Err(_) => Checked::Unverifiable,
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
