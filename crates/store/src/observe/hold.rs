use tokio_postgres::Client;
use types::Did;

use crate::StoreError;

/// Stores whether a hold answered; `since` moves only when that changes.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn hold_health(client: &Client, hold: &Did, problem: Option<&str>) -> Result<(), StoreError> {
    let reachable = problem.is_none();
    client
        .execute(
            "INSERT INTO hold_health AS h (did, reachable, detail, last_reachable_at)
             VALUES ($1, $2, $3, CASE WHEN $2 THEN now() END)
             ON CONFLICT (did) DO UPDATE
             SET reachable = $2, detail = $3, checked_at = now(),
                 since = CASE WHEN h.reachable = $2 THEN h.since ELSE now() END,
                 last_reachable_at = CASE WHEN $2 THEN now() ELSE h.last_reachable_at END",
            &[&hold.as_str(), &reachable, &problem],
        )
        .await?;
    Ok(())
}
