//! Work that leaves Postgres: rows that are claimed with SKIP LOCKED, retried with backoff, and idempotent.

use std::time::Duration;

use tokio_postgres::{Client, GenericClient, types::ToSql};

use crate::{JOBS_CHANNEL, StoreError};

/// The kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Look at an account and its identity; the key is a DID.
    Actor,
    /// Fetch and hash a manifest's bytes; the key is `<did>/<rkey>` of its record.
    Manifest,
    /// Read all that a repository holds of our collections; the key is a DID.
    Resync,
    /// List who has records of ours, at the relay; the key is `relay`.
    Discover,
    /// Compare the ledger with what an account has signed; the key is a DID, or `<did>/<collection>/<rkey>` for one record.
    Verify,
    /// Take a purged account out of the archive; the key is a DID.
    Scrub,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Actor, Self::Manifest, Self::Resync, Self::Discover, Self::Verify, Self::Scrub];
    /// Those that are done in a moment, and that somebody waits for.
    pub const SHORT: [Self; 2] = [Self::Actor, Self::Manifest];
    /// Those that may take minutes.
    pub const LONG: [Self; 4] = [Self::Resync, Self::Discover, Self::Verify, Self::Scrub];

    /// The name as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Manifest => "manifest",
            Self::Resync => "resync",
            Self::Discover => "discover",
            Self::Verify => "verify",
            Self::Scrub => "scrub",
        }
    }

    /// Pulls wait for manifests; whole repositories can wait for both.
    pub const fn priority(self) -> i16 {
        match self {
            Self::Manifest => 3,
            Self::Actor => 2,
            Self::Resync | Self::Scrub => 1,
            Self::Discover | Self::Verify => 0,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A claimed job.
#[derive(Clone, Debug)]
pub struct Job {
    /// The row.
    pub id: i64,
    /// What to do.
    pub kind: JobKind,
    /// To what.
    pub key: String,
    /// How often it was tried, this time included.
    pub attempts: i32,
    /// For how long it has been put off by [`wait`].
    pub waited: Duration,
}

/// A claim's life: a worker that dies frees its job after this.
const LEASE: &str = "2 minutes";
/// A job that fails so often stays, for an admin to see, and is tried once a day.
const MANY_ATTEMPTS: i32 = 10;

/// Jobs that are wanted, of any kinds.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    kinds: Vec<&'static str>,
    keys: Vec<&'a str>,
    priorities: Vec<i16>,
    pauses: Vec<f64>,
}

impl<'a> Wanted<'a> {
    /// Queues all of them at once, and wakes the workers. In the order of their kinds and keys: two who queue several of the same
    /// jobs at once wait for each other, not for ever.
    pub const QUEUE: &'static str = "
        WITH queued AS (
            INSERT INTO job (kind, key, priority, run_at)
            SELECT kind, key, min(priority), now() + min(pause) * interval '1 second'
            FROM unnest($1::text[], $2::text[], $3::smallint[], $4::float8[]) wanted (kind, key, priority, pause)
            GROUP BY kind, key ORDER BY kind COLLATE \"C\", key COLLATE \"C\"
            ON CONFLICT (kind, key) DO UPDATE
            SET again = coalesce(job.locked_until > now(), false),
                run_at = CASE WHEN job.locked_until > now() AND NOT job.again THEN excluded.run_at
                              ELSE least(job.run_at, excluded.run_at) END)
        SELECT pg_notify($5, '')";

    /// Adds one, to be done after a pause.
    pub fn push(&mut self, kind: JobKind, key: &'a str, pause: Duration) {
        self.kinds.push(kind.as_str());
        self.keys.push(key);
        self.priorities.push(kind.priority());
        self.pauses.push(pause.as_secs_f64());
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The parameters of [`Self::QUEUE`].
    pub fn parameters(&self) -> [&(dyn ToSql + Sync); 5] {
        [&self.kinds, &self.keys, &self.priorities, &self.pauses, &JOBS_CHANNEL]
    }
}

/// Queues jobs, all of one kind; what is queued already is not queued twice, and a job that is being done is done once
/// more when it ends. Call it inside the transaction that makes the work necessary.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn enqueue(client: &impl GenericClient, kind: JobKind, keys: &[String]) -> Result<(), StoreError> {
    let mut wanted = Wanted::default();
    for key in keys {
        wanted.push(kind, key, Duration::ZERO);
    }
    if !wanted.is_empty() {
        client.execute(Wanted::QUEUE, &wanted.parameters()).await?;
    }
    Ok(())
}

fn names(kinds: &[JobKind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.as_str()).collect()
}

/// Claims up to `limit` due jobs of some kinds.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn claim(client: &Client, kinds: &[JobKind], limit: i64) -> Result<Vec<Job>, StoreError> {
    let rows = client
        .query(
            &format!(
                "UPDATE job SET locked_until = now() + interval '{LEASE}', attempts = attempts + 1, again = false
                 WHERE id IN (SELECT id FROM job WHERE kind = ANY($2) AND run_at <= now()
                                AND coalesce(locked_until <= now(), true)
                              ORDER BY priority DESC, run_at LIMIT $1 FOR UPDATE SKIP LOCKED)
                 RETURNING id, kind, key, attempts,
                           coalesce(greatest(extract(epoch FROM now() - waits_since), 0), 0)::float8 AS waited"
            ),
            &[&limit, &names(kinds)],
        )
        .await?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let kind = JobKind::from_name(row.get("kind"))?;
            let waited = Duration::try_from_secs_f64(row.get("waited")).unwrap_or_default();
            Some(Job { id: row.get("id"), kind, key: row.get("key"), attempts: row.get("attempts"), waited })
        })
        .collect())
}

/// Frees every claim: for the one process that works on jobs, when it begins. An attempt that was cut off is none.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn release_claims(client: &Client) -> Result<(), StoreError> {
    let release = "UPDATE job SET locked_until = NULL, attempts = greatest(attempts - 1, 0)
                   WHERE id IN (SELECT id FROM job WHERE locked_until IS NOT NULL ORDER BY kind, key FOR UPDATE)";
    client.execute(release, &[]).await?;
    Ok(())
}

/// Prolongs the claim of a job that is still being worked on.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn renew_claim(client: &Client, job: &Job) -> Result<(), StoreError> {
    let statement = format!("UPDATE job SET locked_until = now() + interval '{LEASE}' WHERE id = $1");
    client.execute(&statement, &[&job.id]).await?;
    Ok(())
}

/// The job is done; if it was queued again meanwhile it stays.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn finish(client: &impl GenericClient, job: &Job) -> Result<(), StoreError> {
    // One after the other: a single statement would judge both halves by one snapshot, and miss what a transaction that is
    // just ending queues again.
    let gone = client.execute("DELETE FROM job WHERE id = $1 AND NOT again", &[&job.id]).await?;
    if gone == 0 {
        client
            .execute(
                "UPDATE job SET locked_until = NULL, attempts = 0, again = false, run_at = greatest(run_at, now()),
                        error = NULL, waits_since = NULL WHERE id = $1",
                &[&job.id],
            )
            .await?;
    }
    Ok(())
}

/// The job failed: it is tried again after a pause that doubles from one second to ten minutes, later once a day.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn retry(client: &Client, job: &Job, error: &str) -> Result<(), StoreError> {
    let pause = if job.attempts >= MANY_ATTEMPTS { Duration::from_secs(86_400) } else { backoff(job.attempts) };
    let error: String = error.chars().filter(|c| *c != '\0').take(500).collect();
    client
        .execute(
            "UPDATE job SET locked_until = NULL, error = $3,
                    run_at = CASE WHEN again THEN greatest(run_at, now()) ELSE now() + $2::float8 * interval '1 second' END,
                    again = false
             WHERE id = $1",
            &[&job.id, &pause.as_secs_f64(), &error],
        )
        .await?;
    Ok(())
}

/// The job could not even be begun: it is claimed again after a pause, and this counts as no attempt.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn put_back(client: &Client, job: &Job, pause: Duration) -> Result<(), StoreError> {
    client
        .execute(
            "UPDATE job SET locked_until = NULL, attempts = greatest(attempts - 1, 0), again = false,
                    run_at = now() + $2::float8 * interval '1 second'
             WHERE id = $1",
            &[&job.id, &pause.as_secs_f64()],
        )
        .await?;
    Ok(())
}

/// The job waits for somebody else: it is claimed again after a pause, this counts as no attempt, and the time for which it
/// has been waiting is kept ([`Job::waited`]).
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn wait(client: &Client, job: &Job, pause: Duration, why: &str) -> Result<(), StoreError> {
    client
        .execute(
            // A repository that waits was read, whatever came before.
            "UPDATE job SET locked_until = NULL, error = $3, waits_since = coalesce(waits_since, now()),
                    attempts = CASE WHEN kind = 'resync' THEN 0 ELSE greatest(attempts - 1, 0) END,
                    run_at = least(CASE WHEN again THEN greatest(run_at, now()) END, now() + $2::float8 * interval '1 second'),
                    again = false
             WHERE id = $1",
            &[&job.id, &pause.as_secs_f64(), &why],
        )
        .await?;
    Ok(())
}

fn backoff(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, MANY_ATTEMPTS) - 1).unwrap_or_default();
    Duration::from_secs(1 << doublings).min(Duration::from_secs(600))
}

/// How many jobs of a kind are due or run; those that were put off do not count.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn due(client: &Client, kind: JobKind) -> Result<i64, StoreError> {
    let statement = "SELECT count(*) FROM job WHERE kind = $1 AND (run_at <= now() OR locked_until > now())";
    Ok(client.query_one(statement, &[&kind.as_str()]).await?.get(0))
}

/// The time until the next job of some kinds is due, if any waits.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn next_due(client: &Client, kinds: &[JobKind]) -> Result<Option<Duration>, StoreError> {
    let row = client
        .query_one(
            "SELECT extract(epoch FROM min(greatest(run_at, coalesce(locked_until, run_at))) - now())::float8
             FROM job WHERE kind = ANY($1)",
            &[&names(kinds)],
        )
        .await?;
    Ok(row.get::<_, Option<f64>>(0).map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}
