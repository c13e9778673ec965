//! Histories: what accounts committed, and how word of it reached the index.

use std::collections::BTreeMap;

use serde_json::Value;
use types::{Batch, Change, Cid, Collection, Did, Hint, Origin, Put, RecordId, Rkey, Tid, Verification};

use super::cid;

/// The collections, as a reading goes through them.
pub const PAGES: usize = Collection::ALL.len();
/// A moment before every commit, in microseconds.
const EPOCH: u64 = 1_700_000_000_000_000;

/// One of a history's accounts, by its number: three people, then two holds.
pub type Who = usize;
/// How many accounts a history has.
pub const ACCOUNTS: usize = 5;
/// The first of them that is a hold.
pub const HOLDS: Who = 3;

/// A record's place in its account's repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    pub collection: Collection,
    pub rkey: String,
}

/// What an account committed at a moment. No two moments of a history are the same.
#[derive(Clone, Debug)]
pub struct Commit {
    pub at: u64,
    pub who: Who,
    /// Records as they stand from now on; `None`: gone.
    pub ops: Vec<(Slot, Option<Value>)>,
}

/// A reading of a whole repository. It knows itself to be no older than the account's newest commit at `at`; each
/// collection is seen as it is when its turn comes, which may be later.
#[derive(Clone, Debug)]
pub struct Reading {
    pub who: Who,
    pub at: u64,
    pub seen: [u64; PAGES],
}

/// Word of something, as it reaches the writer.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// The events of the commit at a moment.
    Commit(u64),
    /// An event of that commit's revision which says that one of its records is something else.
    Fork { at: u64, op: usize, record: Value },
    /// A record that a pull asked for, as it stood at a moment, with the repository's revision of then.
    Found { who: Who, slot: Slot, at: u64 },
    /// A collection's records, of the reading with this number.
    Page { reading: usize, collection: usize },
    /// The end of a reading: what it did not find is gone.
    Sweep { reading: usize },
    /// The account was deleted at a moment, and that was confirmed.
    Purge { who: Who, at: u64 },
    /// An event without a revision.
    Look { who: Who, hint: Hint },
    /// What the account's server said about it.
    Seen { who: Who, active: bool },
}

/// All of it.
#[derive(Clone, Debug)]
pub struct History {
    /// Names its accounts, so that histories have nothing in common.
    pub number: u32,
    pub commits: Vec<Commit>,
    pub readings: Vec<Reading>,
    /// Who was deleted, with all records, and when. What is committed later is of an account that came back.
    pub purges: Vec<(Who, u64)>,
    /// In the order of their arrival; `true`: in one batch with the one before, if that is possible at all.
    pub deliveries: Vec<(Delivery, bool)>,
    /// Whether each account may be shown in the end.
    pub active: [bool; ACCOUNTS],
}

/// What the writer gets at once, or what was observed meanwhile.
#[derive(Debug)]
pub enum Step {
    Apply(Origin, Vec<Change>),
    Observe(Did, bool),
}

/// The name of an account.
pub fn did(number: u32, who: Who) -> String {
    match who {
        0 => format!("did:plc:n{number}alice"),
        1 => format!("did:plc:n{number}bob"),
        2 => format!("did:plc:n{number}carol"),
        3 => format!("did:web:n{number}.hold.example"),
        _ => format!("did:plc:n{number}hold"),
    }
}

/// A moment as a revision.
pub fn rev(at: u64) -> Tid {
    Tid::from_micros(EPOCH + at, 7)
}

impl History {
    /// An account's records as they stood at a moment.
    pub fn standing(&self, who: Who, at: u64) -> BTreeMap<&Slot, &Value> {
        let mut records = BTreeMap::new();
        let purges = self.purges.iter().filter(|(purged, when)| *purged == who && *when <= at);
        let since = purges.map(|(_, when)| *when).max().unwrap_or_default();
        for commit in self.commits.iter().filter(|commit| commit.who == who && commit.at > since && commit.at <= at) {
            for (slot, record) in &commit.ops {
                match record {
                    Some(record) => drop(records.insert(slot, record)),
                    None => drop(records.remove(slot)),
                }
            }
        }
        records
    }

    /// The account's newest commit at a moment.
    pub fn head(&self, who: Who, at: u64) -> Option<u64> {
        self.commits.iter().filter(|commit| commit.who == who && commit.at <= at).map(|commit| commit.at).max()
    }

    /// Every commit once, in order, as an uninterrupted stream tells them; then who may be shown.
    pub fn plainly(&self) -> Vec<Step> {
        let told = self.commits.iter().map(|commit| (commit.at, Delivery::Commit(commit.at)));
        let purged = self.purges.iter().map(|(who, at)| (*at, Delivery::Purge { who: *who, at: *at }));
        let mut told: Vec<(u64, Delivery)> = told.chain(purged).collect();
        told.sort_by_key(|(at, _)| *at);
        told.iter().map(|(_, delivery)| self.changes(delivery)).chain(self.hidden()).collect()
    }

    /// As they arrived; then who may be shown, for those about whom there was a doubt.
    pub fn as_delivered(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (delivery, joined) in &self.deliveries {
            let (origin, changes) = match self.changes(delivery) {
                Step::Apply(origin, changes) => (origin, changes),
                observed @ Step::Observe(..) => {
                    steps.push(observed);
                    continue;
                }
            };
            match steps.last_mut() {
                Some(Step::Apply(last, before)) if *joined && *last == origin => before.extend(changes),
                _ => steps.push(Step::Apply(origin, changes)),
            }
        }
        let doubted = |who: Who| self.deliveries.iter().any(|(delivery, _)| delivery.doubts(who));
        let told = |who: &Who| !self.active[*who] || doubted(*who);
        steps.extend((0..ACCOUNTS).filter(told).map(|who| self.seen(who, self.active[who])));
        steps
    }

    fn hidden(&self) -> impl Iterator<Item = Step> {
        (0..ACCOUNTS).filter(|who| !self.active[*who]).map(|who| self.seen(who, false))
    }

    fn seen(&self, who: Who, active: bool) -> Step {
        Step::Observe(self.did(who), active)
    }

    pub fn did(&self, who: Who) -> Did {
        did(self.number, who).parse().expect("a DID")
    }

    fn id(&self, who: Who, slot: &Slot) -> RecordId {
        RecordId { did: self.did(who), collection: slot.collection, rkey: slot.rkey.parse().expect("a key") }
    }

    fn put(&self, who: Who, slot: &Slot, at: u64, record: &Value) -> Change {
        let (bytes, verification) = (cid::of(record), Verification::CidChecked);
        let cid = Cid::from_bytes(&bytes).expect("a CID");
        let raw = record.to_string().into_bytes();
        Change::Put(Box::new(Put::decode(self.id(who, slot), rev(at), cid, raw.into(), verification)))
    }

    fn events(&self, commit: &Commit) -> Vec<Change> {
        let event = |(slot, record): &(Slot, Option<Value>)| match record {
            Some(record) => self.put(commit.who, slot, commit.at, record),
            None => Change::Delete { id: self.id(commit.who, slot), rev: rev(commit.at) },
        };
        commit.ops.iter().map(event).collect()
    }

    fn commit(&self, at: u64) -> &Commit {
        self.commits.iter().find(|commit| commit.at == at).expect("a commit of that moment")
    }

    fn changes(&self, delivery: &Delivery) -> Step {
        let (origin, changes) = match delivery {
            Delivery::Commit(at) => (Origin::Stream, self.events(self.commit(*at))),
            Delivery::Fork { at, op, record } => {
                let commit = self.commit(*at);
                (Origin::Stream, vec![self.put(commit.who, &commit.ops[*op].0, *at, record)])
            }
            Delivery::Found { who, slot, at } => {
                let head = self.head(*who, *at);
                let found = head.and_then(|head| Some((head, *self.standing(*who, *at).get(slot)?)));
                let put = found.map(|(head, record)| self.put(*who, slot, head, record));
                (Origin::ReadThrough, put.into_iter().collect())
            }
            Delivery::Page { reading, collection } => {
                let Reading { who, at, seen } = &self.readings[*reading];
                let there = self.standing(*who, seen[*collection]);
                let there = there.into_iter().filter(|(slot, _)| slot.collection == Collection::ALL[*collection]);
                let head = self.head(*who, *at).unwrap_or_default();
                (Origin::Backfill, there.map(|(slot, record)| self.put(*who, slot, head, record)).collect())
            }
            Delivery::Sweep { reading } => (Origin::Backfill, vec![self.sweep(&self.readings[*reading])]),
            Delivery::Purge { who, at } => (Origin::Stream, vec![Change::Purge { did: self.did(*who), rev: rev(*at) }]),
            Delivery::Look { who, hint } => (Origin::Stream, vec![Change::Look { did: self.did(*who), hint: *hint }]),
            Delivery::Seen { who, active } => return self.seen(*who, *active),
        };
        Step::Apply(origin, changes)
    }

    fn sweep(&self, reading: &Reading) -> Change {
        let present = Collection::ALL.iter().enumerate().flat_map(|(n, collection)| {
            let there = self.standing(reading.who, reading.seen[n]).into_keys();
            there.filter(move |slot| slot.collection == *collection).map(|slot| {
                let rkey: Rkey = slot.rkey.parse().expect("a key");
                (slot.collection, rkey)
            })
        });
        let head = self.head(reading.who, reading.at).unwrap_or_default();
        Change::Snapshot { did: self.did(reading.who), rev: rev(head), present: present.collect() }
    }
}

impl Delivery {
    /// Whether it leaves open if the account may be shown.
    fn doubts(&self, who: Who) -> bool {
        matches!(self, Self::Look { who: about, .. } | Self::Seen { who: about, .. } if *about == who)
    }
}

/// A batch of changes.
pub fn batch(origin: Origin, changes: Vec<Change>) -> Batch {
    Batch { changes, ..Batch::new(origin) }
}
