//! What a look at the tables tells an operator.

use tokio_postgres::Client;

use crate::StoreError;

/// How things stand, by the database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gauges {
    /// The jobs that there are.
    pub jobs: Vec<JobsGauge>,
    /// Refused events that are kept.
    pub rejects: i64,
    /// Rows that wait for the writer.
    pub inbox: i64,
    /// Holds that answered when they were last asked.
    pub holds_reachable: i64,
    /// Holds that did not.
    pub holds_unreachable: i64,
    /// What the database takes on disk.
    pub database_bytes: i64,
    /// The accounts that could not be read in the place of a gap.
    pub gap_missing: i64,
}

/// The jobs of a kind that are in a state.
#[derive(Clone, Debug, PartialEq)]
pub struct JobsGauge {
    /// The kind.
    pub kind: String,
    /// `due`, `running`, or `later`: put off.
    pub state: String,
    /// How many.
    pub count: i64,
    /// How long ago the oldest was queued, in seconds.
    pub oldest: f64,
}

/// Each source's cursor, and for how many seconds nothing was seen of it.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn cursor_ages(client: &Client) -> Result<Vec<(String, f64)>, StoreError> {
    let cursors =
        "SELECT source, extract(epoch FROM now() - coalesce(to_timestamp(safe_time / 1e6), updated_at))::float8
                   FROM cursor";
    Ok(client.query(cursors, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Counts what is in the tables.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn gauges(client: &Client) -> Result<Gauges, StoreError> {
    let jobs =
        "SELECT kind, CASE WHEN locked_until > now() THEN 'running' WHEN run_at <= now() THEN 'due' ELSE 'later' END,
                       count(*), extract(epoch FROM now() - min(created_at))::float8
                FROM job GROUP BY 1, 2";
    let rest = "SELECT (SELECT count(*) FROM reject), (SELECT count(*) FROM inbox),
                       (SELECT count(*) FROM hold_health JOIN actor USING (did) WHERE hold_endpoint IS NOT NULL AND reachable),
                       (SELECT count(*) FROM hold_health JOIN actor USING (did)
                        WHERE hold_endpoint IS NOT NULL AND NOT reachable), pg_database_size(current_database()),
                       (SELECT coalesce(max(missing), 0) FROM gap WHERE repaired_at IS NULL)";
    let jobs = client.query(jobs, &[]).await?;
    let rest = client.query_one(rest, &[]).await?;
    Ok(Gauges {
        jobs: jobs
            .iter()
            .map(|row| JobsGauge { kind: row.get(0), state: row.get(1), count: row.get(2), oldest: row.get(3) })
            .collect(),
        rejects: rest.get(0),
        inbox: rest.get(1),
        holds_reachable: rest.get(2),
        holds_unreachable: rest.get(3),
        database_bytes: rest.get(4),
        gap_missing: rest.get(5),
    })
}
