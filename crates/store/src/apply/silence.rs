//! A writer whose process is stopped or cut off keeps its session, and with it the lock: whoever stands by ends it.

use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::Client;

use crate::StoreError;

/// How long the server may wait for the writer. The writer gives a sign of life twice a second.
const MOST: &str = "2500 milliseconds";
/// How long it is looked at once it is under suspicion.
const SECOND_LOOK: Duration = Duration::from_millis(250);

/// What is true of the row `l` of `pg_locks` that is an advisory lock of this database which somebody holds.
pub(crate) fn is_held(lock: i64) -> String {
    format!(
        "l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND l.classid::bigint << 32 | l.objid::bigint = {lock}"
    )
}

/// Ends the session that holds the lock if its client has fallen silent, be it between transactions, in one, or amid a COPY.
/// Whether it did. A server that works on a long statement is not silent: it is not waiting for its client.
pub(super) async fn evict(client: &Client, lock: i64) -> Result<bool, StoreError> {
    let Some(first) = silent(client, lock).await? else { return Ok(false) };
    sleep(SECOND_LOOK).await;
    if silent(client, lock).await?.as_ref() != Some(&first) {
        return Ok(false);
    }
    let (pid, since) = first;
    tracing::warn!(pid, silent_since = %since, "The writer has fallen silent: its session is ended");
    // Waits until the session is gone, and its lock with it.
    let ended: bool = client.query_one("SELECT pg_terminate_backend($1, 2000)", &[&pid]).await?.get(0);
    Ok(ended)
}

/// The session that holds the lock, and since when its server waits for it, if that is long ago.
async fn silent(client: &Client, lock: i64) -> Result<Option<(i32, String)>, StoreError> {
    let row = client
        .query_opt(
            &format!(
                "SELECT a.pid, a.state_change::text FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                 WHERE {}
                   AND a.wait_event_type = 'Client' AND a.state_change < clock_timestamp() - interval '{MOST}'",
                is_held(lock)
            ),
            &[],
        )
        .await?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}
