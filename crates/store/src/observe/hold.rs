use tokio_postgres::Client;
use types::Did;

use crate::StoreError;

/// Stores whether a hold answered; `since` moves only when that changes, and the answer says whether it did. Nothing is stored of
/// whoever has no hold's service.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn hold_health(client: &Client, hold: &Did, problem: Option<&str>) -> Result<bool, StoreError> {
    let reachable = problem.is_none();
    let row = client
        .query_opt(
            "WITH old AS (SELECT reachable FROM hold_health WHERE did = $1)
             INSERT INTO hold_health AS h (did, reachable, detail, last_reachable_at)
             SELECT did, $2, $3, CASE WHEN $2 THEN now() END FROM actor WHERE did = $1 AND hold_endpoint IS NOT NULL
             ON CONFLICT (did) DO UPDATE
             SET reachable = $2, detail = $3, checked_at = now(),
                 since = CASE WHEN h.reachable = $2 THEN h.since ELSE now() END,
                 last_reachable_at = CASE WHEN $2 THEN now() ELSE h.last_reachable_at END
             RETURNING (SELECT reachable FROM old) IS DISTINCT FROM $2",
            &[&hold.as_str(), &reachable, &problem],
        )
        .await?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// A server answered for an account: if that is a hold, it was seen. Whether one that was down is up is for whoever follows it
/// to say.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn hold_answered(client: &Client, did: &Did) -> Result<(), StoreError> {
    let statement = "UPDATE hold_health SET last_reachable_at = now() WHERE did = $1";
    client.execute(statement, &[&did.as_str()]).await?;
    Ok(())
}

/// Whether a hold says that its blobs are not for everyone; `None` when no declaration of it is known. The hold's own
/// declaration beats a legacy one.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn hold_is_private(client: &Client, hold: &Did) -> Result<Option<bool>, StoreError> {
    let row = client
        .query_opt(
            "SELECT NOT public FROM hold WHERE hold = $1 ORDER BY captain DESC, public LIMIT 1",
            &[&hold.as_str()],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}
