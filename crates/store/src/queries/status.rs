use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;

use super::Reader;
use crate::{
    StoreError,
    apply::{WRITER_LOCK, is_held},
};

/// A source that is said to be connected, and of which nothing was heard for so long, is not any more. An indexer that runs
/// leaves it sooner.
const STALLED_AFTER: &str = "90 seconds";
/// What is more is estimated: to count a million rows takes a tenth of a second.
const COUNTED: i64 = 20_000;

/// What the index knows of itself.
#[derive(Clone, Debug, Serialize)]
pub struct StatusView {
    /// How many of each there are.
    pub counts: Counts,
    /// The sources that the indexer is told of in the order of preference, then those that it once read.
    pub sources: Vec<SourceView>,
    /// What sources could not give us, the latest first.
    pub gaps: Vec<GapView>,
    /// How far the reading of the whole network is; `None` if there was none.
    pub backfill: Option<BackfillView>,
}

/// How many of each there are.
#[derive(Clone, Debug, Default, FromQueryResult, Serialize)]
pub struct Counts {
    /// Repositories with something to pull.
    pub repositories: i64,
    /// Manifests.
    pub manifests: i64,
    /// Tags.
    pub tags: i64,
    /// Stars: accounts and repositories, each pair once.
    pub stars: i64,
    /// Holds that said so, or whose owner did, and that have a hold's service.
    pub holds: i64,
    /// Accounts with records.
    pub accounts: i64,
    /// Live records.
    pub records: i64,
    /// Records that are kept but did not decode, or were forged.
    pub invalid: i64,
    /// Jobs that wait.
    pub jobs: i64,
    /// Events that were refused and kept.
    pub rejects: i64,
    /// Whether some of these are estimates: what is more than twenty thousand is not counted one by one.
    pub estimated: bool,
}

/// How far behind the network the index was.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Serialize)]
pub struct LagView {
    /// The beginning of a span of time.
    pub at: DateTime<Utc>,
    /// The worst of it, in milliseconds.
    pub worst_ms: i64,
}

/// Refused events that are kept, of one reason.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Serialize)]
pub struct RejectsView {
    /// Why: a name of `types::DropReason`.
    pub reason: String,
    /// How many.
    pub kept: i64,
    /// When the newest came.
    pub newest: DateTime<Utc>,
}

/// A source: one that the indexer reads or would, or that it read once.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct SourceView {
    /// The source, without query.
    pub url: String,
    /// `jetstream_v1`, `jetstream_v2` or `firehose`; `None` if the indexer is no longer told of it.
    pub kind: Option<String>,
    /// `connecting`, `connected`, `standby`, `stalled` or `failed`, as the indexer says; `stalled` too if it says `connected`,
    /// but has heard nothing for a minute and a half; `stopped` while no indexer runs; `None` if it is no longer told of it.
    pub state: Option<String>,
    /// Its position, as it counts; `None` if it was never read.
    pub cursor: Option<i64>,
    /// The time up to which its events are known to have been seen, in microseconds.
    #[serde(skip)]
    pub safe_time: Option<i64>,
    /// When the cursor was written last.
    pub updated_at: Option<DateTime<Utc>>,
    /// When something was heard of it last.
    pub heard_at: Option<DateTime<Utc>>,
}

/// Milliseconds since anything was heard, by whoever heard last: the indexer of this process (`own`), which knows best while it is
/// the writer, or the one that is, as the database tells. Else the age of what the newest cursor has seen.
pub fn lag_ms(own: Option<i64>, sources: &[SourceView], now: DateTime<Utc>) -> Option<i64> {
    let age = |micros: i64| ((now.timestamp_micros() - micros) / 1000).max(0);
    let micros = |time: DateTime<Utc>| time.timestamp_micros();
    let heard = sources.iter().filter_map(|source| source.heard_at).max();
    let seen = || sources.iter().filter_map(|source| source.safe_time.or(source.updated_at.map(micros))).max();
    own.into_iter().chain(heard.map(|heard| age(micros(heard)))).min().or_else(|| seen().map(age))
}

/// A part of a stream that a source could not give us.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct GapView {
    /// The source, without query.
    pub source: String,
    /// `outdated`, `future` or `unreadable`.
    pub reason: String,
    /// Up to when everything was seen, if that is known.
    pub since: Option<DateTime<Utc>>,
    /// When the stream went on, if that is known.
    pub until: Option<DateTime<Utc>>,
    /// The position up to which everything was seen, as the source counts.
    pub from_position: Option<i64>,
    /// The position at which the stream went on.
    pub to_position: Option<i64>,
    /// When it was noticed.
    pub detected_at: DateTime<Utc>,
    /// When every repository had been read in its place; `None` while that goes on.
    pub repaired_at: Option<DateTime<Utc>>,
    /// How many accounts could not be read so far, which are tried again; `None` until each was tried.
    pub missing: Option<i64>,
}

/// How far the reading of the whole network is.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct BackfillView {
    /// Accounts found.
    pub total: i64,
    /// Accounts read.
    pub done: i64,
    /// Accounts that could not be read.
    pub failed: i64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Reader {
    /// The state of the index.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn status(&self) -> Result<StatusView, StoreError> {
        Ok(StatusView {
            counts: self.counts().await?,
            sources: self.sources().await?,
            gaps: self.gaps().await?,
            backfill: self.backfill().await?,
        })
    }

    /// How many of each there are: counted while there are few, else as Postgres estimates.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let counted = |table: &str, whose: &str| {
            format!(
                "(SELECT CASE WHEN n <= {COUNTED} THEN n ELSE greatest(n, pg_stat_get_live_tuples('{table}'::regclass),
                         (SELECT reltuples::bigint FROM pg_class WHERE oid = '{table}'::regclass)) END
                  FROM (SELECT count(*) AS n FROM (SELECT FROM {table} {whose} LIMIT {COUNTED} + 1) few) counted)"
            )
        };
        let [repositories, manifests, tags, stars, accounts, all_records, invalid, jobs, rejects] = [
            ("repository", "WHERE manifests > 0"),
            ("manifest", ""),
            ("tag", ""),
            ("star_edge", ""),
            ("fingerprint", "WHERE live > 0"),
            ("record", ""),
            ("record", "WHERE state = 'invalid'"),
            ("job", ""),
            ("reject", ""),
        ]
        .map(|(table, whose)| counted(table, whose));
        let sql = format!(
            "WITH n AS MATERIALIZED (
                 SELECT {repositories} AS repositories, {manifests} AS manifests, {tags} AS tags, {stars} AS stars,
                        (SELECT count(DISTINCT few.hold) FROM (SELECT hold FROM hold LIMIT {COUNTED}) few
                         JOIN actor a ON a.did = few.hold AND a.hold_endpoint IS NOT NULL) AS holds,
                        {accounts} AS accounts, {invalid} AS invalid, {jobs} AS jobs, {rejects} AS rejects)
             SELECT n.*, greatest(repositories, manifests, tags, stars, accounts, invalid, jobs, rejects) > {COUNTED} AS estimated,
                    CASE WHEN accounts > {COUNTED} THEN {all_records}
                         ELSE (SELECT coalesce(sum(live), 0)::bigint FROM fingerprint) END AS records FROM n"
        );
        self.one(&sql, vec![]).await?.ok_or_else(|| StoreError::Statement("no counts".into()))
    }

    /// The sources that the indexer is told of in the order of preference, then those that it once read.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn sources(&self) -> Result<Vec<SourceView>, StoreError> {
        // A Jetstream that numbers its events has a second cursor, named by its URL and #sequence: the one that moved last.
        let writes = is_held(WRITER_LOCK);
        let sources = format!(
            "SELECT url, s.kind, CASE WHEN s.state IS NULL THEN NULL
                                      WHEN NOT EXISTS (SELECT FROM pg_locks l WHERE {writes}) THEN 'stopped'
                                      WHEN s.state = 'connected'
                                       AND greatest(s.heard_at, s.changed_at) < now() - interval '{STALLED_AFTER}' THEN 'stalled'
                                      ELSE s.state END AS state, c.position AS cursor, c.safe_time, c.updated_at, s.heard_at
             FROM source s FULL JOIN (
                 SELECT DISTINCT ON (split_part(source, '#', 1)) split_part(source, '#', 1) AS url, position, safe_time,
                        updated_at
                 FROM cursor ORDER BY split_part(source, '#', 1), updated_at DESC
             ) c USING (url) ORDER BY s.preference NULLS LAST, c.updated_at DESC, url"
        );
        self.all(&sources, vec![]).await
    }

    /// What sources could not give us, the latest first.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn gaps(&self) -> Result<Vec<GapView>, StoreError> {
        let gaps = "SELECT source, reason, since, until, from_position, to_position, detected_at, repaired_at,
                           missing
                    FROM gap ORDER BY id DESC LIMIT 20";
        self.all(gaps, vec![]).await
    }

    /// How far the reading of the whole network is; `None` if there was none.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn backfill(&self) -> Result<Option<BackfillView>, StoreError> {
        self.one("SELECT total, done, failed, started_at, finished_at FROM backfill", vec![]).await
    }

    /// How far behind the index was in each ten minutes of the last day, the oldest first. Of a span in which no indexer ran
    /// there is nothing.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn lag_of_a_day(&self) -> Result<Vec<LagView>, StoreError> {
        self.all(
            "SELECT date_bin('10 minutes', minute, 'epoch') AS at, max(worst_ms) AS worst_ms FROM lag
             WHERE minute >= date_bin('10 minutes', now(), 'epoch') - interval '1430 minutes' GROUP BY 1 ORDER BY 1",
            vec![],
        )
        .await
    }

    /// Why the events that were refused and kept were refused, the most frequent first.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn rejects_by_reason(&self) -> Result<Vec<RejectsView>, StoreError> {
        self.all(
            "SELECT reason, count(*) AS kept, max(created_at) AS newest FROM reject GROUP BY reason ORDER BY 2 DESC, 1",
            vec![],
        )
        .await
    }

    /// The `records` fingerprint: the sum of the per-account sums of active accounts, and how many records it covers.
    /// 64 hex characters, the most significant first.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn records_fingerprint(&self) -> Result<(String, i64), StoreError> {
        #[derive(FromQueryResult)]
        struct Row {
            parts: Vec<i64>,
            live: i64,
        }
        // Postgres adds up eight parts of 32 bits each, the least significant first: there may be a million accounts.
        let byte = |n: usize| format!("get_byte(f.sum, {n})::bigint");
        let part = |part: usize| {
            let bytes = [0, 1, 2, 3].map(|n| format!("({} << {})", byte(4 * part + n), 8 * n));
            format!("coalesce(sum({}), 0)::bigint", bytes.join(" | "))
        };
        let parts: Vec<String> = (0..8).map(part).collect();
        let sql = format!(
            "SELECT ARRAY[{}] AS parts, coalesce(sum(f.live), 0)::bigint AS live
             FROM fingerprint f JOIN actor a ON a.did = f.did AND a.active WHERE f.live > 0",
            parts.join(", ")
        );
        let row: Option<Row> = self.one(&sql, vec![]).await?;
        let Row { parts, live } = row.ok_or_else(|| StoreError::Statement("no sum".into()))?;
        let (mut sum, mut carry) = (Vec::with_capacity(32), 0);
        for part in parts {
            carry += part;
            sum.extend_from_slice(&(carry as u32).to_le_bytes());
            carry >>= 32;
        }
        Ok(crate::apply::fingerprint::total(std::iter::once((sum.as_slice(), live))))
    }
}
