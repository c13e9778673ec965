use std::collections::BTreeMap;

use chrono::{NaiveDate, Utc};
use futures::future::try_join;
use tokio::task::spawn_blocking;
use tokio_postgres::Client;
use types::Batch;

use super::{
    actors::Met,
    follow_up,
    late::Purged,
    part::{self, Given, Part},
    quota::{Caps, Quotas},
    silence,
    transaction::{Statements, Transaction},
};
use crate::{
    Connection, StoreError,
    archive::{self, Entry, Recording},
    connect, crash,
};

/// The advisory lock of the one writer.
pub(crate) const WRITER_LOCK: i64 = 7_300_002;

/// What holds for the writer's connection.
/// - A crash of the machine may lose the last batches, but then their cursor too, and they are read again. What commits
///   later and waits for the disk (a job that is done) takes them along: the log is one.
/// - Statements look rows up by their keys, and tables grow: a plan made for a small table must not last.
const SESSION: &str = "
    SET synchronous_commit = off;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    CREATE TEMP TABLE incoming (LIKE record) ON COMMIT DELETE ROWS";

/// The one process that applies changes. It holds an advisory lock on the connection that it writes with, and each
/// transaction checks that nobody has raised the epoch since.
pub struct Writer {
    client: Client,
    statements: Statements,
    generation: i32,
    epoch: i64,
    quotas: Quotas,
    purged: Purged,
    met: Met,
    archives: bool,
    /// The last day for which the archive has a place.
    prepared: Option<NaiveDate>,
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
    /// How often which quota of an account refused something.
    pub over_quota: BTreeMap<&'static str, u64>,
}

/// A verdict's name as a metric's label.
pub type VerdictName = &'static str;

impl Writer {
    /// Becomes the writer, or returns `None` while another process is. A writer that has fallen silent loses its session
    /// here ([`Self::beat`]).
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn try_acquire(url: &str, generation: i32) -> Result<Option<Self>, StoreError> {
        let Connection { client, .. } = connect(url, Some(generation)).await?;
        let mut is_ours = lock(&client).await?;
        if !is_ours && silence::evict(&client, WRITER_LOCK).await? {
            is_ours = lock(&client).await?;
        }
        if !is_ours {
            return Ok(None);
        }
        // Before commits need not reach the disk: an epoch that a crash of the server takes back would be given out twice.
        let epoch = client.query_one("UPDATE writer SET epoch = epoch + 1 RETURNING epoch", &[]).await?.get(0);
        client.batch_execute(SESSION).await?;
        let quotas = Quotas::load(&client, Caps::default()).await?;
        let purged = Purged::load(&client).await?;
        let statements = Statements::default();
        let met = Met::default();
        Ok(Some(Self { client, statements, generation, epoch, quotas, purged, met, archives: true, prepared: None }))
    }

    /// Whether events are archived; they are, unless told otherwise.
    pub fn set_archive(&mut self, archives: bool) {
        self.archives = archives;
    }

    /// How much is taken of one account in a day.
    pub fn set_caps(&mut self, caps: Caps) {
        self.quotas.set_caps(caps);
    }

    /// The connection, for reads that belong to the writer (its cursor, its inbox).
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A sign of life; without one a second a standby may end this session and take over.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub async fn beat(&self) -> Result<(), StoreError> {
        let theirs: i64 = self.client.query_one("SELECT epoch FROM writer", &[]).await?.get(0);
        let ours = self.epoch;
        if theirs == ours { Ok(()) } else { Err(StoreError::Fenced { ours, theirs }) }
    }

    /// Applies a batch: data, archive, jobs, change log, rejects, inbox and cursor, in one transaction. If Postgres refuses a
    /// value, that is done again change by change as far as need be, each part behind a savepoint: what is refused is kept as
    /// invalid and its siblings are applied.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another process is the writer now; anything else leaves the database as it was.
    pub async fn apply(&mut self, mut batch: Batch) -> Result<Applied, StoreError> {
        let day = Utc::now().date_naive();
        self.quotas.begin(day);
        self.purged.look_again(&self.client, &batch).await?;
        batch.rejects.retain(|reject| !self.purged.holds(reject.did.as_ref()));
        if self.archives && self.prepared.is_none_or(|prepared| prepared < day) {
            archive::make_partitions(&self.client, day).await?;
            self.prepared = Some(day);
        }
        let (archives, purged) = (self.archives, &self.purged);
        let record = |quotas: &mut Quotas, batch: &Batch| {
            let admit = |entry: &Entry| {
                !purged.is_late(entry) && quotas.take_archive_bytes(entry.did.as_ref(), entry.raw.len())
            };
            archives.then(|| Recording::start(batch, day, admit)).flatten()
        };
        let (epoch, quotas) = (self.epoch, &mut self.quotas);
        let given = Given { generation: self.generation, origin: batch.origin, met: &self.met };
        let tx = begin(&mut self.client, &self.statements).await?;
        let mut part = match Box::pin(whole(tx, epoch, given, quotas, &batch, record)).await {
            Err(StoreError::Data(error)) if !batch.changes.is_empty() => {
                tracing::debug!(%error, changes = batch.changes.len(), "Postgres refused a batch");
                quotas.undo();
                let recording = record(quotas, &batch);
                let tx = begin(&mut self.client, &self.statements).await?;
                Box::pin(in_parts(tx, epoch, given, quotas, &mut batch, recording)).await?
            }
            result => result?,
        };
        crash::point("after-commit");
        self.purged.add(&batch.changes);
        self.met.extend(std::mem::take(&mut part.met));
        let applied = Applied { over_quota: self.quotas.commit(), ..part.applied() };
        // It takes milliseconds to take apart what thousands of records came as, in which the database would wait for us.
        spawn_blocking(move || drop(batch));
        Ok(applied)
    }
}

async fn lock(client: &Client) -> Result<bool, StoreError> {
    Ok(client.query_one("SELECT pg_try_advisory_lock($1)", &[&WRITER_LOCK]).await?.get(0))
}

/// The transaction of a batch, top to bottom.
async fn whole(
    tx: Transaction<'_>,
    epoch: i64,
    given: Given<'_>,
    quotas: &mut Quotas,
    batch: &Batch,
    record: impl FnOnce(&mut Quotas, &Batch) -> Option<Recording>,
) -> Result<Part, StoreError> {
    let mut recording = None;
    let meanwhile = |quotas: &mut Quotas| recording = record(quotas, batch);
    // The server reads while it is found out whose turn it is: nothing of a transaction that is not ours will be committed.
    let writing = part::write(&tx, given, &batch.changes, quotas, meanwhile);
    let ((), part) = try_join(check_fence(&tx, epoch), writing).await?;
    settle(&tx, batch, &part.verdicts, quotas, recording).await?;
    crash::point("before-commit");
    tx.commit().await?;
    Ok(part)
}

/// The same for a batch of which Postgres refused something.
async fn in_parts(
    mut tx: Transaction<'_>,
    epoch: i64,
    given: Given<'_>,
    quotas: &mut Quotas,
    batch: &mut Batch,
    recording: Option<Recording>,
) -> Result<Part, StoreError> {
    check_fence(&tx, epoch).await?;
    let part = part::write_what_can_be(&mut tx, given, batch, quotas).await?;
    settle(&tx, batch, &part.verdicts, quotas, recording).await?;
    crash::point("before-commit");
    tx.commit().await?;
    Ok(part)
}

/// What is told once a batch, after everything else: that all of it is done.
async fn settle(
    tx: &Transaction<'_>,
    batch: &Batch,
    verdicts: &[VerdictName],
    quotas: &mut Quotas,
    recording: Option<Recording>,
) -> Result<(), StoreError> {
    let keeping = async {
        match recording {
            Some(recording) => recording.save(tx, verdicts).await,
            None => Ok(()),
        }
    };
    try_join(keeping, follow_up::settle(tx, batch, quotas)).await?;
    quotas.write(tx).await
}

async fn begin<'a>(client: &'a mut Client, statements: &'a Statements) -> Result<Transaction<'a>, StoreError> {
    Ok(Transaction::new(client.transaction().await?, statements))
}

async fn check_fence(tx: &Transaction<'_>, ours: i64) -> Result<(), StoreError> {
    let theirs: i64 = tx.query_one("SELECT epoch FROM writer FOR UPDATE", &[]).await?.get(0);
    if theirs == ours { Ok(()) } else { Err(StoreError::Fenced { ours, theirs }) }
}
