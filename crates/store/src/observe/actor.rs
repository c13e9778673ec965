use std::collections::HashSet;

use tokio_postgres::Client;
use types::{Did, Handle};

use crate::{CHANGES_CHANNEL, StoreError};

/// The first half of the advisory locks under which handles are given; the second is the handle's hash.
const HANDLE_LOCK: i32 = 7_300;

/// What an account's PDS says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it may be shown.
    pub active: bool,
    /// `active`, `deactivated`, `takendown`, `suspended`, `not-found`, …, or `unknown`. `deleted` only if somebody who must
    /// know says so: it is what an account is purged for, in the end.
    pub name: String,
}

/// What a look at an account found.
#[derive(Clone, Debug)]
pub struct ActorSeen {
    /// Whose account.
    pub did: Did,
    /// The handle, if DID → handle → DID agrees.
    pub handle: Option<Handle>,
    /// The PDS in the DID document.
    pub pds: Option<String>,
    /// The hold's endpoint in the DID document, for holds.
    pub hold_endpoint: Option<String>,
    /// What the PDS says; `None` when it did not answer, which changes nothing.
    pub status: Option<Status>,
}

impl ActorSeen {
    /// A look that found nothing.
    pub const fn nothing(did: Did) -> Self {
        Self { did, handle: None, pds: None, hold_endpoint: None, status: None }
    }
}

/// Stores what a look found, and tells other processes if it changed something that is shown.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn actor(client: &mut Client, seen: &ActorSeen, generation: i32) -> Result<(), StoreError> {
    let did = seen.did.as_str();
    let handle = seen.handle.as_ref().map(|handle| handle.as_str());
    let (active, status) = seen.status.as_ref().map(|s| (s.active, s.name.as_str())).unzip();
    let tx = client.transaction().await?;
    // Two who prove the same handle at once: the second one waits, and then sees the first.
    tx.execute("SELECT pg_advisory_xact_lock($1, hashtext($2)) WHERE $2 IS NOT NULL", &[&HANDLE_LOCK, &handle]).await?;
    // Whoever changes more than its own row, or moves stars, locks rows as the writer does: they take turns.
    tx.execute(
        "SELECT FROM writer WHERE coalesce($2, true) <> coalesce((SELECT active FROM actor WHERE did = $1), true)
                                OR EXISTS (SELECT FROM actor WHERE handle = $3 AND did <> $1) FOR NO KEY UPDATE",
        &[&did, &active, &handle],
    )
    .await?;
    let taken = tx
        .query("UPDATE actor SET handle = NULL WHERE handle = $2 AND did <> $1 RETURNING did", &[&did, &handle])
        .await?;
    let taken: Vec<&str> = taken.iter().map(|row| row.get(0)).collect();
    let keys: Vec<String> = std::iter::once(did).chain(taken.iter().copied()).map(|did| format!("did:{did}")).collect();
    tx.execute(
        "WITH old AS (SELECT handle, active, pds FROM actor WHERE did = $1),
         new AS (INSERT INTO actor AS a (did, handle, handle_checked_at, pds, hold_endpoint, active, status, status_checked_at,
                                         gone_at)
                 VALUES ($1, $2, now(), $3, $4, coalesce($5, true), coalesce($6, 'unknown'), now(),
                         CASE WHEN $6 = 'deleted' THEN now() END)
                 ON CONFLICT (did) DO UPDATE
                 -- What a purge removed stays removed until the account is back.
                 SET handle = CASE WHEN $5 OR a.purged_at IS NULL THEN $2 END, handle_checked_at = now(),
                     pds = CASE WHEN $5 OR a.purged_at IS NULL THEN coalesce($3, a.pds) END,
                     hold_endpoint = CASE WHEN $5 OR a.purged_at IS NULL THEN coalesce($4, a.hold_endpoint) END,
                     active = coalesce($5, a.active),
                     status = coalesce($6, a.status),
                     status_checked_at = CASE WHEN $6 IS NULL THEN a.status_checked_at ELSE now() END,
                     -- No answer leaves it open whether an account that is gone is still gone.
                     gone_at = CASE WHEN $6 IS NULL THEN a.gone_at WHEN $6 = 'deleted' THEN coalesce(a.gone_at, now()) END,
                     purged_at = CASE WHEN $5 THEN NULL ELSE a.purged_at END
                 RETURNING handle, active, pds),
         entry AS (INSERT INTO change_log (generation, keys)
                   SELECT $7, $8 || CASE WHEN coalesce((SELECT active FROM old), true) <> (SELECT active FROM new)
                                         THEN ARRAY['stars:' || $1] ELSE '{}'::text[] END
                   WHERE $10 OR (SELECT (handle, active, pds) FROM old) IS DISTINCT FROM (SELECT (handle, active, pds) FROM new)
                   RETURNING seq)
         SELECT pg_notify($9, seq::text) FROM entry",
        &[
            &did,
            &handle,
            &seen.pds,
            &seen.hold_endpoint,
            &active,
            &status,
            &generation,
            &keys,
            &CHANGES_CHANNEL,
            &!taken.is_empty(),
        ],
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Whether every answer for so many seconds said that the account is deleted, and what it left is still there.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn is_gone_for_good(client: &Client, did: &Did, seconds: f64) -> Result<bool, StoreError> {
    let statement = "SELECT EXISTS (SELECT FROM actor WHERE did = $1 AND NOT active AND purged_at IS NULL
                                    AND gone_at <= now() - $2::float8 * interval '1 second')";
    Ok(client.query_one(statement, &[&did.as_str(), &seconds]).await?.get(0))
}

/// Stores where a hold without a document must be, unless more is known of it.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn legacy_hold(client: &Client, did: &Did, endpoint: &str) -> Result<(), StoreError> {
    let statement = "UPDATE actor SET hold_endpoint = $2 WHERE did = $1 AND hold_endpoint IS NULL";
    client.execute(statement, &[&did.as_str(), &endpoint]).await?;
    Ok(())
}

/// What an earlier look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownActor {
    /// Whether it is shown.
    pub active: bool,
    /// The handle, while one is proved.
    pub handle: Option<String>,
    /// The PDS, once it is known.
    pub pds: Option<String>,
}

/// What is known of an account.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn known_actor(client: &Client, did: &Did) -> Result<Option<KnownActor>, StoreError> {
    let row = client.query_opt("SELECT active, handle, pds FROM actor WHERE did = $1", &[&did.as_str()]).await?;
    Ok(row.map(|row| KnownActor { active: row.get("active"), handle: row.get("handle"), pds: row.get("pds") }))
}

/// Everyone whom the index has heard of: events of others are dropped without touching Postgres.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn known_dids(client: &Client) -> Result<HashSet<Did>, StoreError> {
    let rows = client.query("SELECT did FROM actor", &[]).await?;
    rows.iter().map(|row| Ok(row.get::<_, &str>(0).parse()?)).collect()
}

/// Accounts whose handle was not checked within `older_than_seconds`, the longest first, unless a look at them is queued.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn stale_handles(client: &Client, older_than_seconds: f64, limit: i64) -> Result<Vec<String>, StoreError> {
    let rows = client
        .query(
            "SELECT did FROM actor
             WHERE coalesce(handle_checked_at < now() - $1 * interval '1 second', true)
               AND NOT EXISTS (SELECT FROM job WHERE kind = 'actor' AND key = did)
             ORDER BY handle_checked_at NULLS FIRST LIMIT $2",
            &[&older_than_seconds, &limit],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
