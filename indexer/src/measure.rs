//! The indexer's metrics.

use std::collections::BTreeMap;

use metrics::{Counter, counter};
use types::DropReason;

const EVENTS: [&str; 6] = ["commit", "identity", "account", "sync", "info", "unknown"];

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
    metrics::histogram!("crowsnest_batch_changes").record(changes as f64);
    metrics::histogram!("crowsnest_apply_seconds").record(seconds);
    for (verdict, count) in &applied.verdicts {
        counter!("crowsnest_changes_total", "verdict" => *verdict).increment(*count);
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
    counter!("crowsnest_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
}

/// How long nothing was heard.
pub fn lag(milliseconds: i64) {
    metrics::gauge!("crowsnest_lag_ms").set(milliseconds as f64);
}

/// How many holds are followed at their own streams.
pub fn holds_followed(followed: usize) {
    metrics::gauge!("crowsnest_holds_followed").set(followed as f64);
}

/// How many holds answered when they were asked last, and how many did not.
pub fn hold_health((reachable, unreachable): (i64, i64)) {
    metrics::gauge!("crowsnest_holds", "state" => "reachable").set(reachable as f64);
    metrics::gauge!("crowsnest_holds", "state" => "unreachable").set(unreachable as f64);
}

/// A record was compared with what its account signed.
pub fn verified(outcome: &'static str) {
    counter!("crowsnest_verified_total", "outcome" => outcome).increment(1);
}
