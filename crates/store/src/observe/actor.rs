use std::collections::HashSet;

use tokio_postgres::Client;
use types::{Did, Handle};

use crate::{CHANGES_CHANNEL, StoreError};

/// What an account's PDS says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it may be shown.
    pub active: bool,
    /// `active`, `deactivated`, `takendown`, `suspended`, `deleted`, …, or `unknown`.
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

/// Stores what a look found, and tells other processes if it changed something that is shown.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn actor(client: &Client, seen: &ActorSeen, generation: i32) -> Result<(), StoreError> {
    let did = seen.did.as_str();
    let handle = seen.handle.as_ref().map(|handle| handle.as_str());
    let (active, status) = seen.status.as_ref().map(|s| (s.active, s.name.as_str())).unzip();
    let keys = vec![format!("did:{did}")];
    client
        .execute(
            "WITH old AS (SELECT handle, active, pds FROM actor WHERE did = $1),
             -- A handle has one holder: whoever had it before has to prove it again.
             taken AS (UPDATE actor SET handle = NULL WHERE handle = $2 AND did <> $1 RETURNING did),
             new AS (INSERT INTO actor AS a (did, handle, handle_checked_at, pds, hold_endpoint, active, status, status_checked_at)
                     VALUES ($1, $2, now(), $3, $4, coalesce($5, true), coalesce($6, 'unknown'), now())
                     ON CONFLICT (did) DO UPDATE
                     SET handle = $2, handle_checked_at = now(), pds = coalesce($3, a.pds),
                         hold_endpoint = coalesce($4, a.hold_endpoint), active = coalesce($5, a.active),
                         status = coalesce($6, a.status),
                         status_checked_at = CASE WHEN $6 IS NULL THEN a.status_checked_at ELSE now() END
                     RETURNING handle, active, pds),
             entry AS (INSERT INTO change_log (generation, keys)
                       SELECT $7, $8 || (SELECT coalesce(array_agg('did:' || did), '{}') FROM taken)
                       WHERE (SELECT (handle, active, pds) FROM old) IS DISTINCT FROM (SELECT (handle, active, pds) FROM new)
                          OR EXISTS (SELECT FROM taken)
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
            ],
        )
        .await?;
    Ok(())
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
    /// The PDS, once it is known.
    pub pds: Option<String>,
}

/// What is known of an account.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn known_actor(client: &Client, did: &Did) -> Result<Option<KnownActor>, StoreError> {
    let row = client.query_opt("SELECT active, pds FROM actor WHERE did = $1", &[&did.as_str()]).await?;
    Ok(row.map(|row| KnownActor { active: row.get("active"), pds: row.get("pds") }))
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
