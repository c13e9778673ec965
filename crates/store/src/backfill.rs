//! How far the reading of a whole network has come. Its steps are jobs, so its progress is read off their queue.

use chrono::{DateTime, Utc};
use tokio_postgres::Client;

use crate::{
    JOBS_CHANNEL, StoreError,
    jobs::{JobKind, enqueue},
};

/// A repository that could not be read so often no longer holds up the end; it goes on being tried.
const GIVEN_UP_AFTER: i32 = 3;

/// How many of those that could not be read are named.
const NAMED: i64 = 3;

/// A reading that waits for longer than this was put off to another day.
pub(crate) const PUT_OFF: &str = "attempts = 0 AND waits_since IS NULL AND run_at > now() + interval '1 minute'
                                  AND NOT coalesce(locked_until > now(), false)";

/// A repository that was read, and is read again because its host is behind what the index has.
pub(crate) const BEHIND: &str = "attempts = 0 AND waits_since IS NOT NULL AND run_at > now()
                                 AND NOT coalesce(locked_until > now(), false)";

/// Whoever was found to be served by nobody in the reading of the whole network, and is not to be read again. Whom only a record
/// names, a hold that somebody made up, is nobody to be missed.
const UNSERVED: &str = "u.expected AND u.found_at >= backfill.started_at AND NOT EXISTS (SELECT FROM job WHERE kind = 'resync' AND key = u.did)";

/// Whether a job was given up: attempts are counted when they begin, and the last one may still succeed.
fn given_up() -> String {
    format!(
        "(attempts > {GIVEN_UP_AFTER} OR attempts = {GIVEN_UP_AFTER} AND NOT coalesce(locked_until > now(), false))"
    )
}

/// The key of the one job that lists repositories.
pub const RELAY: &str = "relay";

/// Begins a reading of the whole network, in place of an earlier one. One that is under way lists repositories once more, at
/// once: what it has read already may be older than the gap that asks for this.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn start(client: &Client) -> Result<(), StoreError> {
    client
        .execute(
            "WITH patience AS (UPDATE job SET attempts = 0 WHERE kind = $1)
             INSERT INTO backfill AS b DEFAULT VALUES ON CONFLICT (one) DO UPDATE
             SET total = CASE WHEN b.finished_at IS NULL THEN b.total ELSE 0 END,
                 done = CASE WHEN b.finished_at IS NULL THEN b.done ELSE 0 END,
                 failed = CASE WHEN b.finished_at IS NULL THEN b.failed ELSE 0 END,
                 started_at = CASE WHEN b.finished_at IS NULL THEN b.started_at ELSE now() END,
                 listed_at = NULL, finished_at = NULL, again = false",
            &[&JobKind::Discover.as_str()],
        )
        .await?;
    enqueue(client, JobKind::Discover, &[RELAY.to_owned()]).await
}

/// For a stream that begins now, and tells nothing of what was before: begins a reading of the whole network. One that is under
/// way is not begun anew each time that such a stream is connected to; if it has listed repositories already, another follows
/// it. Whether one was begun.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn start_or_follow(client: &Client) -> Result<bool, StoreError> {
    let follow = "UPDATE backfill SET again = true WHERE finished_at IS NULL AND listed_at IS NOT NULL";
    if client.execute(follow, &[]).await? > 0 {
        return Ok(false);
    }
    start(client).await?;
    Ok(true)
}

/// For a stream that begins with the oldest that its server has, a day at least: begins a reading of the whole network, unless
/// one has begun in less than that, whether or not it has ended. Whether one was begun.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn start_once(client: &Client) -> Result<bool, StoreError> {
    let recent = "SELECT EXISTS (SELECT FROM backfill WHERE started_at > now() - interval '23 hours')";
    if client.query_one(recent, &[]).await?.get(0) {
        return Ok(false);
    }
    start(client).await?;
    Ok(true)
}

/// How far a reading is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many repositories there are to read; `None` until they are listed.
    pub total: Option<i64>,
    /// How many are read.
    pub done: i64,
    /// How many could not be read so far.
    pub failed: i64,
    /// How many of those that are done nobody serves: their hosts, or the directory, say that they are not there, though
    /// somebody lists them, or they left records.
    pub unserved: i64,
    /// How many of those that are read are over a quota; they are read again on another day.
    pub put_off: i64,
    /// When the first of these is read again.
    pub put_off_until: Option<DateTime<Utc>>,
    /// Of how many of those that are read the index has what their hosts have not come to; they are read again until they
    /// have, or until that is known to be wrong.
    pub ahead: i64,
    /// Whether nothing is left to wait for.
    pub finished: bool,
    /// Why the repositories cannot be listed, after some tries.
    pub trouble: Option<String>,
    /// The first few that could not be read.
    pub unread: Vec<Unread>,
}

/// An account that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Whose repository.
    pub did: String,
    /// What is wrong with it, or with its host.
    pub reason: String,
}

/// Begins a reading of the whole network, or goes on with the one that is under way.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn resume(client: &Client) -> Result<(), StoreError> {
    let under_way = "SELECT EXISTS (SELECT FROM backfill WHERE finished_at IS NULL)
                        AND (EXISTS (SELECT FROM job WHERE kind = $1) OR (SELECT listed_at IS NOT NULL FROM backfill))";
    if client.query_one(under_way, &[&JobKind::Discover.as_str()]).await?.get(0) {
        return again(client, &[JobKind::Discover, JobKind::Resync], None).await;
    }
    start(client).await
}

/// Queues a reading of some accounts.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn some(client: &Client, dids: &[String]) -> Result<(), StoreError> {
    client.execute("DELETE FROM unread WHERE did = ANY($1)", &[&dids]).await?;
    again(client, &[JobKind::Resync], Some(dids)).await?;
    enqueue(client, JobKind::Resync, dids).await
}

/// What was given up before is tried anew.
async fn again(client: &Client, kinds: &[JobKind], keys: Option<&[String]>) -> Result<(), StoreError> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let statement = "UPDATE job SET attempts = 0, error = NULL, run_at = now()
                     WHERE id IN (SELECT id FROM job WHERE kind = ANY($1) AND key = ANY(coalesce($2, ARRAY[key]))
                                     AND coalesce(locked_until <= now(), true) ORDER BY kind, key FOR UPDATE)";
    client.execute(statement, &[&kinds, &keys]).await?;
    client.execute("SELECT pg_notify($1, '')", &[&JOBS_CHANNEL]).await?;
    Ok(())
}

/// How far the reading of the whole network is.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn progress(client: &Client) -> Result<Progress, StoreError> {
    let given_up = given_up();
    let row = client
        .query_opt(
            &format!(
                "SELECT CASE WHEN listed_at IS NOT NULL THEN total END, done, failed, finished_at IS NOT NULL,
                        (SELECT error FROM job WHERE kind = $1 AND {given_up}), put_off.count, put_off.until,
                        (SELECT count(*) FROM unread u WHERE {UNSERVED}),
                        (SELECT count(*) FROM job WHERE kind = $2 AND backfill AND {BEHIND})
                 FROM backfill, (SELECT count(*), min(run_at) AS until
                                 FROM job WHERE kind = $2 AND backfill AND {PUT_OFF}) put_off"
            ),
            &[&JobKind::Discover.as_str(), &JobKind::Resync.as_str()],
        )
        .await?;
    let Some(row) = row else { return Ok(Progress::default()) };
    let unread = format!(
        "SELECT key, coalesce(error, '') FROM job WHERE kind = $1 AND backfill AND {given_up}
         UNION ALL SELECT did, reason FROM unread u, backfill WHERE {UNSERVED}
         ORDER BY 1 LIMIT $2"
    );
    let unread = client.query(&unread, &[&JobKind::Resync.as_str(), &NAMED]).await?;
    Ok(Progress {
        total: row.get(0),
        done: row.get(1),
        failed: row.get(2),
        unserved: row.get(7),
        put_off: row.get(5),
        put_off_until: row.get(6),
        ahead: row.get(8),
        finished: row.get(3),
        trouble: row.get(4),
        unread: unread.iter().map(|row| Unread { did: row.get(0), reason: row.get(1) }).collect(),
    })
}

/// How far the reading of some accounts is.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn progress_of(client: &Client, dids: &[String]) -> Result<Progress, StoreError> {
    let given_up = given_up();
    let row = client
        .query_one(
            &format!(
                "SELECT count(*) FILTER (WHERE NOT ({PUT_OFF}) AND NOT ({BEHIND})), count(*) FILTER (WHERE {given_up}),
                        count(*) FILTER (WHERE {PUT_OFF}), min(run_at) FILTER (WHERE {PUT_OFF}),
                        (SELECT count(*) FROM unread u WHERE did = ANY($2)
                           AND NOT EXISTS (SELECT FROM job WHERE kind = $1 AND key = u.did)),
                        count(*) FILTER (WHERE {BEHIND})
                 FROM job WHERE kind = $1 AND key = ANY($2)"
            ),
            &[&JobKind::Resync.as_str(), &dids],
        )
        .await?;
    let (left, given_up_on, unserved): (i64, i64, i64) = (row.get(0), row.get(1), row.get(4));
    let unread = format!(
        "SELECT key, coalesce(error, '') FROM job WHERE kind = $1 AND key = ANY($2) AND {given_up}
         UNION ALL SELECT did, reason FROM unread u WHERE did = ANY($2)
           AND NOT EXISTS (SELECT FROM job WHERE kind = $1 AND key = u.did)
         ORDER BY 1 LIMIT $3"
    );
    let unread = client.query(&unread, &[&JobKind::Resync.as_str(), &dids, &NAMED]).await?;
    let total = dids.len() as i64;
    Ok(Progress {
        total: Some(total),
        done: total - left - unserved,
        failed: given_up_on + unserved,
        unserved: 0,
        put_off: row.get(2),
        put_off_until: row.get(3),
        ahead: row.get(5),
        finished: left == given_up_on,
        trouble: None,
        unread: unread.iter().map(|row| Unread { did: row.get(0), reason: row.get(1) }).collect(),
    })
}

/// The accounts of which there are records.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn with_records(client: &Client) -> Result<Vec<String>, StoreError> {
    let rows = client.query("SELECT did FROM fingerprint WHERE live > 0", &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The repositories are listed and their jobs queued; `dids` are those that count, each of which is tried afresh. Whoever is on
/// no list and left no record, a hold that somebody made up, holds up nothing.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn listed(client: &Client, dids: &[String]) -> Result<(), StoreError> {
    client
        .execute(
            "UPDATE job SET backfill = key = ANY($2),
                    attempts = CASE WHEN key = ANY($2) AND coalesce(locked_until <= now(), true) THEN 0 ELSE attempts END
             WHERE id IN (SELECT id FROM job WHERE kind = $1 AND (backfill OR key = ANY($2)) ORDER BY key FOR UPDATE)",
            &[&JobKind::Resync.as_str(), &dids],
        )
        .await?;
    client.execute("UPDATE unread SET expected = true WHERE did = ANY($1)", &[&dids]).await?;
    let total = dids.len() as i64;
    client.execute("UPDATE backfill SET total = $1, listed_at = now() WHERE finished_at IS NULL", &[&total]).await?;
    Ok(())
}

/// What a reading of the whole network came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How many repositories there were to read.
    pub total: i64,
    /// How many could not be read so far.
    pub failed: i64,
    /// How many of the others nobody serves.
    pub unserved: i64,
}

/// Brings the progress up to date; cheap when nothing is under way. What is read late no longer counts as failed. Tells of a
/// reading's end, once; where another is to follow, it begins.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn refresh(client: &Client) -> Result<Option<Ended>, StoreError> {
    let given_up = given_up();
    let row = client
        .query_opt(
            &format!(
                "UPDATE backfill SET done = greatest(backfill.total - waiting.ours, 0), failed = waiting.failed,
                        finished_at = coalesce(backfill.finished_at, CASE WHEN waiting.all = waiting.given_up THEN now() END)
                 FROM backfill was, (SELECT count(*) AS all, count(*) FILTER (WHERE {given_up}) AS given_up,
                              count(*) FILTER (WHERE backfill) AS ours,
                              count(*) FILTER (WHERE backfill AND {given_up}) AS failed
                       FROM job WHERE kind = $1 AND (attempts > 0 OR run_at <= now() OR locked_until > now())) waiting
                 WHERE was.one = backfill.one AND was.listed_at IS NOT NULL AND (was.finished_at IS NULL OR was.failed > 0)
                   AND NOT EXISTS (SELECT FROM job WHERE kind = $2)
                 RETURNING was.finished_at IS NULL AND backfill.finished_at IS NOT NULL, backfill.again, backfill.total,
                           backfill.failed, (SELECT count(*) FROM unread u WHERE {UNSERVED})"
            ),
            &[&JobKind::Resync.as_str(), &JobKind::Discover.as_str()],
        )
        .await?;
    let Some(row) = row.filter(|row| row.get(0)) else { return Ok(None) };
    if row.get(1) {
        start(client).await?;
    }
    Ok(Some(Ended { total: row.get(2), failed: row.get(3), unserved: row.get(4) }))
}

/// Notes that nobody serves an account, for whoever asked for its reading. It is forgotten by [`forget_unread`].
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn unserved(client: &Client, did: &str, reason: &str) -> Result<(), StoreError> {
    client
        .execute(
            "INSERT INTO unread (did, reason, expected)
             VALUES ($1, $2, EXISTS (SELECT FROM job WHERE kind = $3 AND key = $1 AND backfill))
             ON CONFLICT (did) DO UPDATE SET reason = excluded.reason, found_at = now(), expected = excluded.expected",
            &[&did, &reason, &JobKind::Resync.as_str()],
        )
        .await?;
    Ok(())
}

/// Notes that an account was read.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn served(client: &Client, did: &str) -> Result<(), StoreError> {
    client.execute("DELETE FROM unread WHERE did = $1", &[&did]).await?;
    Ok(())
}

/// Forgets what was found more than an hour ago: whoever asked knows.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn forget_unread(client: &Client) -> Result<(), StoreError> {
    client.execute("DELETE FROM unread WHERE found_at < now() - interval '1 hour'", &[]).await?;
    Ok(())
}
