use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use crate::{
    Arrival, Cid, Collection, Did, Rkey, Tid,
    records::{Record, Refusal, decode},
};

/// A record's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId {
    /// Whose repository.
    pub did: Did,
    /// The collection.
    pub collection: Collection,
    /// The key.
    pub rkey: Rkey,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at://{}/{}/{}", self.did, self.collection, self.rkey)
    }
}

/// A record as it stands at a revision of its repository.
#[derive(Clone, Debug)]
pub struct Put {
    /// Its address.
    pub id: RecordId,
    /// The repository's revision that this is known of.
    pub rev: Tid,
    /// The record's CID, as the source gave it.
    pub cid: Cid,
    /// The record's JSON, as it came.
    pub raw: Arc<[u8]>,
    /// What it says, or why it counts for nothing.
    pub record: Result<Record, Refusal>,
    /// How far its content was checked.
    pub verification: Verification,
}

impl Put {
    /// Decodes `raw` with today's decoder.
    pub fn decode(id: RecordId, rev: Tid, cid: Cid, raw: Arc<[u8]>, verification: Verification) -> Self {
        let record = decode(&id, &raw);
        Self { id, rev, cid, raw, record, verification }
    }
}

/// How far a record's content was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verification {
    /// It does not hash to its CID.
    Mismatch,
    /// It came as JSON that has no exact DAG-CBOR form (floats, odd `$link` or `$bytes` objects): nothing speaks against it.
    Unverifiable,
    /// It hashes to its CID.
    CidChecked,
    /// A commit that its account signed holds its CID.
    Signed,
}

impl Verification {
    /// The name as it is stored and served.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Unverifiable => "unverifiable",
            Self::CidChecked => "cid-checked",
            Self::Signed => "signed",
        }
    }
}

impl FromStr for Verification {
    type Err = UnknownVerification;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let all = [Self::Mismatch, Self::Unverifiable, Self::CidChecked, Self::Signed];
        all.into_iter().find(|each| each.as_str() == name).ok_or(UnknownVerification)
    }
}

/// A name that no [`Verification`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is none of mismatch, unverifiable, cid-checked, signed")]
pub struct UnknownVerification;

/// The verbs of the store: it never sees a stream's envelope.
#[derive(Clone, Debug)]
pub enum Change {
    /// The record stands so.
    Put(Box<Put>),
    /// The record is gone.
    Delete {
        /// Its address.
        id: RecordId,
        /// The revision that removed it.
        rev: Tid,
    },
    /// Everything that a repository holds of our collections was read, and nothing was missed: what is not `present` and
    /// not newer is gone.
    Snapshot {
        /// Whose repository.
        did: Did,
        /// The revision that the reading is known to be no older than.
        rev: Tid,
        /// What is there.
        present: BTreeSet<(Collection, Rkey)>,
    },
    /// The account is deleted, and that was confirmed: what is known of it up to a revision goes for good.
    Purge {
        /// Whose.
        did: Did,
        /// What is newer stays: the account came back. The moment of the confirmation, where no revision is known.
        rev: Tid,
    },
    /// Something may have changed that carries no revision: look at the account and its identity again.
    Look {
        /// Whose.
        did: Did,
        /// What gave the hint.
        hint: Hint,
    },
}

impl Change {
    /// The account that the change is about.
    pub fn did(&self) -> &Did {
        match self {
            Self::Put(put) => &put.id.did,
            Self::Delete { id, .. } => &id.did,
            Self::Snapshot { did, .. } | Self::Purge { did, .. } | Self::Look { did, .. } => did,
        }
    }
}

/// What a hint was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// The handle, the keys or the PDS may have changed.
    Identity,
    /// The account may have been hidden, removed or brought back. `false` when the event called it inactive, which hides
    /// it until the look has an answer.
    Account {
        /// The event's `active`.
        active: bool,
    },
    /// The repository was rebuilt: read all of it again.
    Sync,
}

/// Where changes came from; part of a cursor's name and of what is kept about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A live stream of many repositories.
    Stream,
    /// A hold's own stream, of which only what it says of itself counts.
    Hold,
    /// A reading of a whole repository.
    Backfill,
    /// A pull that asked for what was not indexed yet.
    ReadThrough,
}

impl Origin {
    /// The name as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Hold => "hold",
            Self::Backfill => "backfill",
            Self::ReadThrough => "read-through",
        }
    }
}

/// How far a source has been read, moved together with the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorMove {
    /// The source, by its URL without query.
    pub source: String,
    /// The position after this batch: microseconds or a sequence number, as the source counts.
    pub to: i64,
    /// The time up to which events are known to have been seen, in microseconds since 1970.
    pub safe_time: Option<i64>,
}

/// What one transaction applies.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where it came from.
    pub origin: Origin,
    /// The changes, in the order in which they came.
    pub changes: Vec<Change>,
    /// The cursor's move; `None` for what is not a stream.
    pub cursor: Option<CursorMove>,
    /// Events that were refused before they became changes.
    pub rejects: Vec<Reject>,
    /// Inbox rows that this batch settles.
    pub inbox: Vec<i64>,
    /// The events that the changes and rejects were made of, in order, for the archive. A change of a record that none of
    /// them covers is its own event.
    pub arrivals: Vec<Arrival>,
}

impl Batch {
    /// A batch with nothing in it.
    pub fn new(origin: Origin) -> Self {
        Self { origin, changes: Vec::new(), cursor: None, rejects: Vec::new(), inbox: Vec::new(), arrivals: Vec::new() }
    }

    /// Adds an event, with what it came to. It is the account's that the first of that names, unless it says itself whose.
    pub fn take(&mut self, mut event: Arrival, changes: Vec<Change>, rejects: Vec<Reject>) {
        let first = self.changes.len();
        event.changes = first..first + changes.len();
        event.refused = rejects.iter().map(|reject| reject.reason).collect();
        if event.did.is_none() {
            let did = changes.first().map(|change| change.did().clone());
            event.did = did.or_else(|| rejects.first().and_then(|reject| reject.did.clone()));
        }
        self.arrivals.push(event);
        self.changes.extend(changes);
        self.rejects.extend(rejects);
    }

    /// Whether applying it would do nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.cursor.is_none() && self.rejects.is_empty() && self.inbox.is_empty()
    }
}

/// An event in scope that could not become a change; its bytes are kept, capped.
#[derive(Clone, Debug)]
pub struct Reject {
    /// The account, when it could be read.
    pub did: Option<Did>,
    /// Why.
    pub reason: DropReason,
    /// The details, for people.
    pub detail: String,
    /// The event's bytes as they came.
    pub raw: Arc<[u8]>,
}

/// Why an event is not applied: a closed set, each a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropReason {
    /// A collection that is not ours.
    ForeignCollection,
    /// An identity or account event of someone unknown to us.
    UnknownActor,
    /// An envelope of a kind that we do not know.
    UnknownKind,
    /// An envelope that does not decode.
    BadEnvelope,
    /// A DID, key, revision or CID that is none.
    BadName,
    /// A revision more than five minutes ahead of the clock.
    RevTooFarAhead,
    /// The record's bytes do not hash to its CID.
    CidMismatch,
    /// The bytes that a record names do not hash to its digest, or say nothing usable.
    WrongBytes,
    /// A record over 1 MB, or a frame over its cap.
    TooLarge,
    /// Not newer than what is known.
    Stale,
    /// Known already.
    Duplicate,
    /// The same revision with another CID.
    Conflict,
    /// At or below the account's floor.
    BelowFloor,
    /// The account has written as much as is taken of it in a day.
    Quota,
}

impl DropReason {
    /// Every reason, in a fixed order.
    pub const ALL: [Self; 14] = [
        Self::ForeignCollection,
        Self::UnknownActor,
        Self::UnknownKind,
        Self::BadEnvelope,
        Self::BadName,
        Self::RevTooFarAhead,
        Self::CidMismatch,
        Self::WrongBytes,
        Self::TooLarge,
        Self::Stale,
        Self::Duplicate,
        Self::Conflict,
        Self::BelowFloor,
        Self::Quota,
    ];

    /// The metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForeignCollection => "foreign_collection",
            Self::UnknownActor => "unknown_actor",
            Self::UnknownKind => "unknown_kind",
            Self::BadEnvelope => "bad_envelope",
            Self::BadName => "bad_name",
            Self::RevTooFarAhead => "rev_too_far_ahead",
            Self::CidMismatch => "cid_mismatch",
            Self::WrongBytes => "wrong_bytes",
            Self::TooLarge => "too_large",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::BelowFloor => "below_floor",
            Self::Quota => "quota",
        }
    }
}
