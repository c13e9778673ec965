use tokio_postgres::Client;
use types::Did;

use crate::StoreError;

/// A hold whose stream nobody reads at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldDue {
    /// The hold.
    pub did: Did,
    /// Where its stream was, and how far it was read there.
    pub read_to: Option<(String, i64)>,
    /// How often in a row it could not be reached.
    pub failures: i32,
}

/// Holds to connect to, those that wait longest first; not those in `followed`, nor any whose account is hidden, nor whoever is
/// called a hold and has no such service: anybody may say so, and there are only so many places.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn holds_due(client: &Client, followed: &[&str], limit: i64) -> Result<Vec<HoldDue>, StoreError> {
    let rows = client
        .query(
            "SELECT h.did, h.endpoint, h.position, h.failures FROM hold_stream h JOIN actor a ON a.did = h.did
             WHERE h.next_at <= now() AND h.did <> ALL($1) AND a.active AND a.hold_endpoint IS NOT NULL
             ORDER BY h.next_at LIMIT $2",
            &[&followed, &limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(HoldDue {
                did: row.get::<_, &str>("did").parse()?,
                read_to: row.get::<_, Option<String>>("endpoint").zip(row.get("position")),
                failures: row.get("failures"),
            })
        })
        .collect()
}

/// Everything up to a position of a hold's stream is applied.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn hold_read(client: &Client, hold: &Did, endpoint: &str, position: i64) -> Result<(), StoreError> {
    let statement = "UPDATE hold_stream SET endpoint = $2, position = $3 WHERE did = $1";
    client.execute(statement, &[&hold.as_str(), &endpoint, &position]).await?;
    Ok(())
}

/// How a connection to a hold's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldLeft {
    /// It was open, and goes on where it was.
    Open,
    /// It was open, but its position means nothing any more.
    OutOfStep,
    /// It could not be made, or did not last.
    Failed,
}

/// A hold's stream is left; it is due again after a pause in seconds.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn hold_left(client: &Client, hold: &Did, how: HoldLeft, pause: f64) -> Result<(), StoreError> {
    client
        .execute(
            "UPDATE hold_stream
             SET next_at = now() + $2::float8 * interval '1 second', failures = CASE WHEN $3 THEN failures + 1 ELSE 0 END,
                 position = CASE WHEN NOT $4 THEN position END
             WHERE did = $1",
            &[&hold.as_str(), &pause, &(how == HoldLeft::Failed), &(how == HoldLeft::OutOfStep)],
        )
        .await?;
    Ok(())
}
