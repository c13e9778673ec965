use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::atomic::{AtomicU64, Ordering},
};

/// A power of two. Keys that share a slot cost each other a look into Postgres now and then, and nothing else.
const SLOTS: usize = 1 << 16;

/// What may change, as the change log names it (`did:…`, `repository:…`, `hold:…`, `captain:…`, `manifest:…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u16);

impl Key {
    /// The key of a name in the change log.
    pub fn of(name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self((hasher.finish() & (SLOTS as u64 - 1)) as u16)
    }
}

/// A point between two changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// When what last changed, on a clock that each change moves. It takes the same memory however much changes, and finds no
/// entry of any cache: those ask.
#[derive(Debug)]
pub(super) struct Stamps {
    clock: AtomicU64,
    /// Nothing older is believed.
    floor: AtomicU64,
    slots: Box<[AtomicU64]>,
}

impl Default for Stamps {
    fn default() -> Self {
        let slots = std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect();
        Self { clock: AtomicU64::new(0), floor: AtomicU64::new(0), slots }
    }
}

impl Stamps {
    pub fn moment(&self) -> Moment {
        Moment(self.clock.load(Ordering::SeqCst))
    }

    /// What is under the key changed: nothing that was read before this counts.
    pub fn change(&self, key: Key) {
        let now = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        self.slots[usize::from(key.0)].fetch_max(now, Ordering::SeqCst);
    }

    /// Anything may have changed.
    pub fn clear(&self) {
        let now = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        self.floor.fetch_max(now, Ordering::SeqCst);
    }

    /// Whether nothing at all changed since.
    pub fn stands(&self, since: Moment) -> bool {
        self.moment() == since
    }

    pub fn holds(&self, Moment(since): Moment, keys: &[Key]) -> bool {
        let changed = |key: &Key| self.slots[usize::from(key.0)].load(Ordering::SeqCst);
        since >= self.floor.load(Ordering::SeqCst) && keys.iter().all(|key| changed(key) <= since)
    }
}
