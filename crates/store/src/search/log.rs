//! What is to be looked at again, by the change log.

use tokio_postgres::{Client, Transaction};

use crate::StoreError;

/// The change log forgets after an hour; whoever has not read it for that long looks at everything.
const MEMORY: &str = "50 minutes";

/// What a key of the change log says is to be looked at, as (owner, name).
const MEANT: &str = "
    -- What was pushed, tagged, described or starred.
    SELECT split_part(substr(key, 12), '/', 1) AS did, substr(key, 13 + strpos(substr(key, 12), '/') - 1) AS name
    FROM changed WHERE key LIKE 'repository:%'
    -- What somebody stars who was hidden or is shown again.
    UNION SELECT e.owner, e.repository FROM changed JOIN star_edge e ON e.did = substr(key, 7) WHERE key LIKE 'stars:%'
    UNION SELECT m.did, m.repository FROM changed JOIN manifest m ON m.digest = substr(key, 9) WHERE key LIKE 'scanned:%'
    UNION SELECT m.did, m.repository FROM changed JOIN manifest m ON m.hold = substr(key, 9) WHERE key LIKE 'captain:%'";

const EVERYTHING: &str = "
    INSERT INTO search_dirty (did, name) SELECT did, name FROM repository UNION SELECT did, name FROM search_doc
    ON CONFLICT DO NOTHING";

/// Entries that nobody has read yet: those of transactions that had not ended when the log was read last.
const UNREAD: &str = "change_log l JOIN search_state s
    ON l.tx >= pg_snapshot_xmin(s.seen) AND NOT pg_visible_in_snapshot(l.tx, s.seen)";

/// Whether the state can be believed: it is recent, and of this server.
fn knows() -> String {
    format!(
        "read_at > now() - interval '{MEMORY}' AND pg_snapshot_xmax(seen) <= pg_snapshot_xmax(pg_current_snapshot())"
    )
}

/// Whether there is anything to do.
pub(super) async fn is_due(client: &Client) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM search_dirty) OR EXISTS (SELECT FROM {UNREAD})
             OR NOT EXISTS (SELECT FROM search_state WHERE {} AND read_at > now() - interval '10 minutes')",
        knows()
    );
    Ok(client.query_one(&sql, &[]).await?.get(0))
}

/// Marks what was changed since the last time. The state's row is locked until the end.
pub(super) async fn read(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let state = format!("SELECT {} FROM search_state FOR UPDATE", knows());
    let knows = tx.query_opt(&state, &[]).await?.is_some_and(|row| row.get(0));
    // One statement, and so one snapshot: what is read is what is noted.
    let marked = if knows {
        format!(
            "WITH changed AS (SELECT DISTINCT unnest(l.keys) AS key FROM {UNREAD}),
             marked AS (INSERT INTO search_dirty (did, name) {MEANT} ON CONFLICT DO NOTHING)
             UPDATE search_state SET seen = pg_current_snapshot(), read_at = now()"
        )
    } else {
        format!(
            "WITH marked AS ({EVERYTHING})
             INSERT INTO search_state (seen) VALUES (pg_current_snapshot())
             ON CONFLICT (one) DO UPDATE SET seen = excluded.seen, read_at = now()"
        )
    };
    tx.execute(&marked, &[]).await?;
    Ok(())
}

/// Forgets how far the change log was read.
pub(super) async fn forget(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute("DELETE FROM search_state", &[]).await?;
    Ok(())
}

/// Takes some of what is marked: owners and names.
pub(super) async fn take(tx: &Transaction<'_>, most: i64) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let rows = tx
        .query(
            "DELETE FROM search_dirty d USING (SELECT did, name FROM search_dirty ORDER BY did, name LIMIT $1) t
             WHERE d.did = t.did AND d.name = t.name RETURNING d.did, d.name",
            &[&most],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).unzip())
}
