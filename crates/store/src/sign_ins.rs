//! Sessions of readers, sealed: the store knows neither whose they are nor what is in them.

use std::time::Duration;

use tokio_postgres::Client;

use crate::StoreError;

/// A row's key: a hash of what only the reader's token tells.
pub type RowId = [u8; 32];

/// A sealed session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The sealed bytes.
    pub bytes: Vec<u8>,
    /// How often it was replaced, and one.
    pub version: i32,
}

/// Keeps a session for as long as `lifetime`, and forgets those whose time is over.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn keep(client: &Client, id: &RowId, sealed: &[u8], lifetime: Duration) -> Result<(), StoreError> {
    client
        .execute(
            "WITH swept AS (DELETE FROM ops.registry_session WHERE expires_at <= now())
             INSERT INTO ops.registry_session (id, sealed, expires_at)
             VALUES ($1, $2, now() + make_interval(secs => $3))",
            &[&&id[..], &sealed, &lifetime.as_secs_f64()],
        )
        .await?;
    Ok(())
}

/// A session, until its time is over.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn find(client: &Client, id: &RowId) -> Result<Option<Sealed>, StoreError> {
    let sql = "SELECT sealed, version FROM ops.registry_session WHERE id = $1 AND expires_at > now()";
    let row = client.query_opt(sql, &[&&id[..]]).await?;
    Ok(row.map(|row| Sealed { bytes: row.get(0), version: row.get(1) }))
}

/// Takes the turn to replace this version of a session; `false` when somebody else has it, or it was replaced.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn lease(client: &Client, id: &RowId, version: i32, lease: Duration) -> Result<bool, StoreError> {
    let taken = client
        .execute(
            "UPDATE ops.registry_session SET leased_until = now() + make_interval(secs => $3)
             WHERE id = $1 AND version = $2 AND coalesce(leased_until <= now(), true)",
            &[&&id[..], &version, &lease.as_secs_f64()],
        )
        .await?;
    Ok(taken == 1)
}

/// Puts the next version in the place of this one, if it is still there.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn replace(client: &Client, id: &RowId, version: i32, sealed: &[u8]) -> Result<bool, StoreError> {
    let replaced = client
        .execute(
            "UPDATE ops.registry_session SET sealed = $3, version = version + 1, leased_until = NULL
             WHERE id = $1 AND version = $2",
            &[&&id[..], &version, &sealed],
        )
        .await?;
    Ok(replaced == 1)
}

/// Gives the turn back: it could not be used.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn release(client: &Client, id: &RowId, version: i32) -> Result<(), StoreError> {
    let sql = "UPDATE ops.registry_session SET leased_until = NULL WHERE id = $1 AND version = $2";
    client.execute(sql, &[&&id[..], &version]).await?;
    Ok(())
}

/// Forgets a session.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn forget(client: &Client, id: &RowId) -> Result<(), StoreError> {
    client.execute("DELETE FROM ops.registry_session WHERE id = $1", &[&&id[..]]).await?;
    Ok(())
}

/// Forgets the sessions whose time is over; how many there were.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn sweep(client: &Client) -> Result<u64, StoreError> {
    Ok(client.execute("DELETE FROM ops.registry_session WHERE expires_at <= now()", &[]).await?)
}
