//! The indexer's metrics.

use std::{collections::BTreeMap, time::Duration};

use metrics::{Counter, counter, gauge, histogram};
use service::metric::{Metric, MetricKind, Unit, describe};
use store::{
    StoreError,
    gauges::{cursor_ages, gauges},
    jobs::JobKind,
};
use tokio::time::{MissedTickBehavior, interval};
use types::DropReason;

const EVENTS: [&str; 6] = ["commit", "identity", "account", "sync", "info", "unknown"];
const OUTCOMES: [&str; 3] = ["done", "later", "never"];
const STATES: [&str; 3] = ["due", "running", "later"];
/// How often the cursors are looked at, and each how many of these times the tables are counted.
const LOOK: Duration = Duration::from_secs(1);
const COUNT_EVERY: u32 = 10;

const fn metric(
    kind: MetricKind,
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, unit, labels, help }
}

/// The metrics of an indexer.
pub const METRICS: &[Metric] = {
    use MetricKind::{Counter, Gauge, Histogram};
    &[
        metric(Gauge, "crowsnest_writer", Unit::Count, &[], "1 while this process is the one that writes"),
        metric(Gauge, "crowsnest_lag_ms", Unit::Milliseconds, &[], "Time since anything was heard of a source"),
        metric(
            Gauge,
            "crowsnest_cursor_age_seconds",
            Unit::Seconds,
            &["source"],
            "Age of the newest event that a source's cursor stands at",
        ),
        metric(
            Counter,
            "crowsnest_events_total",
            Unit::Count,
            &["source", "kind"],
            "Events read, by the kind of source",
        ),
        metric(Counter, "crowsnest_dropped_total", Unit::Count, &["reason"], "Events, or parts of them, not applied"),
        metric(Counter, "crowsnest_changes_total", Unit::Count, &["verdict"], "Changes, by what became of them"),
        metric(Histogram, "crowsnest_batch_changes", Unit::Count, &[], "Changes of a batch"),
        metric(Histogram, "crowsnest_apply_seconds", Unit::Seconds, &[], "Time in which a batch was applied"),
        metric(
            Counter,
            "crowsnest_source_reconnects_total",
            Unit::Count,
            &["reason"],
            "Connections to sources that ended",
        ),
        metric(
            Counter,
            "crowsnest_source_gaps_total",
            Unit::Count,
            &[],
            "Gaps in a stream, each followed by a backfill",
        ),
        metric(
            Gauge,
            "crowsnest_gap_missing_accounts",
            Unit::Count,
            &[],
            "Accounts that could not be read in the place of a gap, and are tried again",
        ),
        metric(
            Counter,
            "crowsnest_job_runs_total",
            Unit::Count,
            &["kind", "outcome"],
            "Runs of jobs, by how they ended",
        ),
        metric(Gauge, "crowsnest_jobs", Unit::Count, &["kind", "state"], "Jobs that wait, run, or were put off"),
        metric(
            Gauge,
            "crowsnest_jobs_oldest_seconds",
            Unit::Seconds,
            &["kind"],
            "Time since the oldest job was queued",
        ),
        metric(
            Counter,
            "crowsnest_quota_exceeded_total",
            Unit::Count,
            &["kind"],
            "What was not kept of accounts that are over a daily quota",
        ),
        metric(Gauge, "crowsnest_rejects", Unit::Count, &[], "Refused events that are kept"),
        metric(Gauge, "crowsnest_inbox", Unit::Count, &[], "Finds of other processes that wait for the writer"),
        metric(Gauge, "crowsnest_holds", Unit::Count, &["state"], "Holds, by whether they answered when last asked"),
        metric(Gauge, "crowsnest_holds_followed", Unit::Count, &[], "Holds that are followed at their own streams"),
        metric(
            Counter,
            "crowsnest_verified_total",
            Unit::Count,
            &["outcome"],
            "Records compared with what their accounts signed, or their hosts have",
        ),
        metric(Gauge, "crowsnest_database_bytes", Unit::Bytes, &[], "What the database takes on disk"),
    ]
};

/// Describes the metrics, and begins every series whose labels are known at nought: what is not there cannot be watched.
pub fn begin() {
    describe(METRICS);
    writer(false);
    for reason in DropReason::ALL {
        counter!("crowsnest_dropped_total", "reason" => reason.as_str()).increment(0);
    }
    for kind in ["records", "record_bytes", "archive_bytes", "rejects"] {
        counter!("crowsnest_quota_exceeded_total", "kind" => kind).increment(0);
    }
    for verdict in ["applied", "verified", "advanced", "refused", "forged"] {
        counter!("crowsnest_changes_total", "verdict" => verdict).increment(0);
    }
    for reason in ["unreachable", "stalled", "closed", "broken", "bad_frame", "too_old", "better"] {
        counter!("crowsnest_source_reconnects_total", "reason" => reason).increment(0);
    }
    counter!("crowsnest_source_gaps_total").increment(0);
    for outcome in ["signed", "moved", "mismatch", "unproved"] {
        counter!("crowsnest_verified_total", "outcome" => outcome).increment(0);
    }
    for kind in JobKind::ALL {
        for outcome in OUTCOMES {
            counter!("crowsnest_job_runs_total", "kind" => kind.as_str(), "outcome" => outcome).increment(0);
        }
    }
}

/// Counters that are touched by every event of the whole network, looked up once.
pub struct Meters {
    events: Vec<(&'static str, Counter)>,
    drops: BTreeMap<DropReason, Counter>,
}

impl Meters {
    /// The counters of one kind of source.
    pub fn new(kind: &'static str) -> Self {
        let events = EVENTS.map(|event| (event, counter!("crowsnest_events_total", "source" => kind, "kind" => event)));
        let drops = DropReason::ALL.map(|r| (r, counter!("crowsnest_dropped_total", "reason" => r.as_str())));
        Self { events: events.into(), drops: drops.into() }
    }

    /// An event was read.
    pub fn event(&self, label: &'static str) {
        if let Some((_, counter)) = self.events.iter().find(|(event, _)| *event == label) {
            counter.increment(1);
        }
    }

    /// An event, or a part of it, is not applied.
    pub fn dropped(&self, reason: DropReason) {
        if let Some(counter) = self.drops.get(&reason) {
            counter.increment(1);
        }
    }
}

/// What became of a batch.
pub fn applied(applied: &store::Applied, changes: usize, seconds: f64) {
    histogram!("crowsnest_batch_changes").record(changes as f64);
    histogram!("crowsnest_apply_seconds").record(seconds);
    for (verdict, count) in &applied.verdicts {
        counter!("crowsnest_changes_total", "verdict" => *verdict).increment(*count);
    }
    for (quota, count) in &applied.over_quota {
        counter!("crowsnest_quota_exceeded_total", "kind" => *quota).increment(*count);
    }
    if applied.refused > 0 {
        counter!("crowsnest_changes_total", "verdict" => "refused").increment(applied.refused);
    }
}

/// A connection to a source ended.
pub fn reconnect(reason: &'static str) {
    counter!("crowsnest_source_reconnects_total", "reason" => reason).increment(1);
}

/// A source no longer has all that came since we left it.
pub fn gap() {
    counter!("crowsnest_source_gaps_total").increment(1);
}

/// A job ended.
pub fn job(kind: &'static str, outcome: &'static str) {
    counter!("crowsnest_job_runs_total", "kind" => kind, "outcome" => outcome).increment(1);
}

/// How long nothing was heard.
pub fn lag(milliseconds: i64) {
    gauge!("crowsnest_lag_ms").set(milliseconds as f64);
}

/// Whether this process writes.
pub fn writer(writing: bool) {
    gauge!("crowsnest_writer").set(f64::from(u8::from(writing)));
}

/// Tells how the tables stand, until the store fails. On a connection of its own: counting may take its time.
pub async fn watch(database_url: String, generation: i32) -> Result<(), StoreError> {
    let db = store::connect(&database_url, Some(generation)).await?.client;
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for look in 0u32.. {
        tick.tick().await;
        for (source, age) in cursor_ages(&db).await? {
            gauge!("crowsnest_cursor_age_seconds", "source" => source).set(age);
        }
        if look.is_multiple_of(COUNT_EVERY) {
            tables(&gauges(&db).await?);
        }
    }
    Ok(())
}

fn tables(seen: &store::gauges::Gauges) {
    for kind in JobKind::ALL.map(JobKind::as_str) {
        let jobs = || seen.jobs.iter().filter(|jobs| jobs.kind == kind);
        for state in STATES {
            let count = jobs().find(|jobs| jobs.state == state).map_or(0, |jobs| jobs.count);
            gauge!("crowsnest_jobs", "kind" => kind, "state" => state).set(count as f64);
        }
        let oldest = jobs().map(|jobs| jobs.oldest).fold(0.0, f64::max);
        gauge!("crowsnest_jobs_oldest_seconds", "kind" => kind).set(oldest);
    }
    gauge!("crowsnest_rejects").set(seen.rejects as f64);
    gauge!("crowsnest_inbox").set(seen.inbox as f64);
    gauge!("crowsnest_holds", "state" => "reachable").set(seen.holds_reachable as f64);
    gauge!("crowsnest_holds", "state" => "unreachable").set(seen.holds_unreachable as f64);
    gauge!("crowsnest_gap_missing_accounts").set(seen.gap_missing as f64);
    gauge!("crowsnest_database_bytes").set(seen.database_bytes as f64);
}

/// How many holds are followed at their own streams.
pub fn holds_followed(followed: usize) {
    gauge!("crowsnest_holds_followed").set(followed as f64);
}

/// A record was compared with what its account signed.
pub fn verified(outcome: &'static str) {
    counter!("crowsnest_verified_total", "outcome" => outcome).increment(1);
}
