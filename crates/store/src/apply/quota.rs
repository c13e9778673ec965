//! How much is taken of one account in a day (UTC): so that one cannot fill the disk. Counted in the writer's memory; what is
//! worth a row is written with the batch, so that a successor goes on from there.

use std::collections::{BTreeMap, HashMap};

use chrono::{Days, NaiveDate, Utc};
use tokio_postgres::Client;
use types::Did;

use super::Transaction;
use crate::StoreError;

/// What one account may use up in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Records that the ledger had not heard of before, deletions included; from streams, since a repository that is read
    /// has bounds of its own.
    pub records: u64,
    /// Bytes of new and changed records that the ledger takes, from streams.
    pub record_bytes: u64,
    /// Bytes of events, before compression, that the archive keeps.
    pub archive_bytes: u64,
    /// Rejects that are kept.
    pub rejects: u64,
    /// Rejects that are kept of everyone together.
    pub all_rejects: u64,
}

impl Default for Caps {
    fn default() -> Self {
        // A busy hold writes a record for each layer that is pushed to it.
        Self { records: 100_000, record_bytes: 512 << 20, archive_bytes: 256 << 20, rejects: 100, all_rejects: 10_000 }
    }
}

/// A kind of quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Records,
    RecordBytes,
    ArchiveBytes,
    Rejects,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Records, Self::RecordBytes, Self::ArchiveBytes, Self::Rejects];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::RecordBytes => "record_bytes",
            Self::ArchiveBytes => "archive_bytes",
            Self::Rejects => "rejects",
        }
    }
}

/// What an account used up, by kind.
type Usage = [u64; 4];

/// The account that stands for everyone together.
const EVERYONE: &str = "*";
/// What has no account is counted as one.
const NOBODY: &str = "";
/// Usage is written whenever it has grown by this part of a cap.
const PARTS: u64 = 16;
/// How long usage is kept, for people to look at.
const KEPT: Days = Days::new(7);

/// The quotas of all accounts on one day.
pub(crate) struct Quotas {
    caps: Caps,
    day: NaiveDate,
    used: HashMap<String, Usage>,
    /// What the batch under way uses up besides.
    pending: HashMap<String, Usage>,
    /// What the batch under way asked for in vain.
    exceeded: BTreeMap<(String, Kind), u64>,
    /// Of whom it was told today.
    told: BTreeMap<(String, Kind), ()>,
}

impl Quotas {
    /// Goes on from what an earlier writer counted today.
    pub async fn load(client: &Client, caps: Caps) -> Result<Self, StoreError> {
        let day = Utc::now().date_naive();
        client.execute("DELETE FROM quota WHERE day < $1", &[&(day - KEPT)]).await?;
        let select = "SELECT did, records, record_bytes, archive_bytes, rejects FROM quota WHERE day = $1";
        let number = |row: &tokio_postgres::Row, at| u64::try_from(row.get::<_, i64>(at)).unwrap_or_default();
        let used = client.query(select, &[&day]).await?;
        let used = used.iter().map(|row| (row.get(0), [1, 2, 3, 4].map(|at| number(row, at)))).collect();
        let (pending, exceeded, told) = (HashMap::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Self { caps, day, used, pending, exceeded, told })
    }

    pub fn set_caps(&mut self, caps: Caps) {
        self.caps = caps;
    }

    /// Begins a batch; on a new day everyone begins afresh.
    pub fn begin(&mut self, today: NaiveDate) {
        self.undo();
        if today != self.day {
            self.day = today;
            self.used.clear();
            self.told.clear();
        }
    }

    /// Forgets what the batch under way used up.
    pub fn undo(&mut self) {
        self.pending.clear();
        self.exceeded.clear();
    }

    /// What the batch used up so far, to come back to by [`Self::restore`].
    pub fn save_point(&self) -> SavePoint {
        (self.pending.clone(), self.exceeded.clone())
    }

    pub fn restore(&mut self, point: SavePoint) {
        (self.pending, self.exceeded) = point;
    }

    /// Whether one more record of an account is taken, new or changed.
    pub fn take_record(&mut self, did: &Did, is_new: bool, bytes: usize) -> bool {
        (!is_new || self.take(did.as_str(), Kind::Records, 1))
            && self.take(did.as_str(), Kind::RecordBytes, bytes as u64)
    }

    /// Whether the archive keeps so many bytes more of an account.
    pub fn take_archive_bytes(&mut self, did: Option<&Did>, bytes: usize) -> bool {
        self.take(did.map_or(NOBODY, Did::as_str), Kind::ArchiveBytes, bytes as u64)
    }

    /// Whether one more reject of an account is kept.
    pub fn take_reject(&mut self, did: Option<&Did>) -> bool {
        self.take(did.map_or(NOBODY, Did::as_str), Kind::Rejects, 1) && self.take(EVERYONE, Kind::Rejects, 1)
    }

    fn take(&mut self, who: &str, kind: Kind, amount: u64) -> bool {
        let at = kind as usize;
        let before = self.used.get(who).map_or(0, |used| used[at]);
        let cap = self.cap(who, kind);
        match self.pending.get_mut(who) {
            Some(pending) if before + pending[at] + amount <= cap => pending[at] += amount,
            None if before + amount <= cap => {
                let mut usage = Usage::default();
                usage[at] = amount;
                self.pending.insert(who.to_owned(), usage);
            }
            _ => {
                *self.exceeded.entry((who.to_owned(), kind)).or_default() += 1;
                return false;
            }
        }
        true
    }

    fn cap(&self, who: &str, kind: Kind) -> u64 {
        match kind {
            Kind::Records => self.caps.records,
            Kind::RecordBytes => self.caps.record_bytes,
            Kind::ArchiveBytes => self.caps.archive_bytes,
            Kind::Rejects if who == EVERYONE => self.caps.all_rejects,
            Kind::Rejects => self.caps.rejects,
        }
    }

    /// Writes the usage that has grown enough, in the batch's transaction.
    pub async fn write(&self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        let worth_it = self.pending.iter().filter_map(|(who, pending)| {
            let before = self.used.get(who).copied().unwrap_or_default();
            let after: Usage = std::array::from_fn(|at| before[at] + pending[at]);
            let grown = Kind::ALL.into_iter().any(|kind| {
                let part = (self.cap(who, kind) / PARTS).max(1);
                before[kind as usize] / part != after[kind as usize] / part
            });
            grown.then_some((who, after))
        });
        let (whose, usages): (Vec<&String>, Vec<Usage>) = worth_it.unzip();
        if whose.is_empty() {
            return Ok(());
        }
        let column = |at: usize| -> Vec<i64> { usages.iter().map(|usage| usage[at] as i64).collect() };
        tx.execute(
            "INSERT INTO quota (day, did, records, record_bytes, archive_bytes, rejects)
             SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
             ON CONFLICT (day, did) DO UPDATE SET records = excluded.records, record_bytes = excluded.record_bytes,
                 archive_bytes = excluded.archive_bytes, rejects = excluded.rejects",
            &[&self.day, &whose, &column(0), &column(1), &column(2), &column(3)],
        )
        .await?;
        Ok(())
    }

    /// The batch is applied: its usage counts. Returns how often each quota refused something.
    pub fn commit(&mut self) -> BTreeMap<&'static str, u64> {
        for (who, pending) in self.pending.drain() {
            let used = self.used.entry(who).or_default();
            (0..used.len()).for_each(|at| used[at] += pending[at]);
        }
        let mut counts = BTreeMap::new();
        for ((who, kind), count) in std::mem::take(&mut self.exceeded) {
            *counts.entry(kind.as_str()).or_default() += count;
            if self.told.insert((who.clone(), kind), ()).is_none() {
                tracing::warn!(did = %who, quota = kind.as_str(), "An account is over its quota for today");
            }
        }
        counts
    }
}

/// What a batch had used up at some point.
pub(crate) type SavePoint = (HashMap<String, Usage>, BTreeMap<(String, Kind), u64>);
