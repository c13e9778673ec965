//! What the indexer says of its sources, for processes that only read: their states, when something was heard, and how far
//! behind the index was.

use chrono::DateTime;
use tokio_postgres::Client;

use crate::StoreError;

/// Says which sources there are, by URL and kind, in the order of preference; others are forgotten.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn announce(client: &Client, sources: &[(&str, &str)], state: &str) -> Result<(), StoreError> {
    let (urls, kinds): (Vec<&str>, Vec<&str>) = sources.iter().copied().unzip();
    client
        .execute(
            "WITH gone AS (DELETE FROM source WHERE url <> ALL ($1))
             INSERT INTO source (url, kind, preference, state)
             SELECT DISTINCT ON (url) url, kind, (n - 1)::integer, $3
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t (url, kind, n) ORDER BY url, n
             ON CONFLICT (url) DO UPDATE
             SET kind = excluded.kind, preference = excluded.preference, state = excluded.state, changed_at = now()",
            &[&urls, &kinds, &state],
        )
        .await?;
    Ok(())
}

/// Says how a source stands.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn set_state(client: &Client, url: &str, state: &str) -> Result<(), StoreError> {
    client.execute("UPDATE source SET state = $2, changed_at = now() WHERE url = $1", &[&url, &state]).await?;
    Ok(())
}

/// Says when the source in use was heard last, in milliseconds since 1970; another process may have heard it since.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn heard(client: &Client, at: Option<i64>) -> Result<(), StoreError> {
    let Some(at) = at.and_then(DateTime::from_timestamp_millis) else { return Ok(()) };
    let statement = "UPDATE source SET heard_at = $1 WHERE state = 'connected' AND coalesce(heard_at < $1, true)";
    client.execute(statement, &[&at]).await?;
    Ok(())
}

/// Notes how far behind the network the index is, in milliseconds: the worst of each minute is kept for two days.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn lagged(client: &Client, ms: i64) -> Result<(), StoreError> {
    let statement = "INSERT INTO lag AS l (minute, worst_ms) VALUES (date_trunc('minute', now()), $1)
                     ON CONFLICT (minute) DO UPDATE SET worst_ms = greatest(l.worst_ms, excluded.worst_ms)";
    client.execute(statement, &[&ms]).await?;
    client.execute("DELETE FROM lag WHERE minute < now() - interval '2 days'", &[]).await?;
    Ok(())
}
