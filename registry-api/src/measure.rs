//! The registry's metrics.

use metrics::counter;
use service::metric::{Metric, MetricKind, Unit, describe};

use crate::errors::Code;

/// The metrics of a registry.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "crowsnest_pulls_total",
        kind: MetricKind::Counter,
        unit: Unit::Count,
        labels: &["kind", "result"],
        help: "Requests of the pull API, by what was asked for and how it was answered",
    },
    Metric {
        name: "crowsnest_read_through_total",
        kind: MetricKind::Counter,
        unit: Unit::Count,
        labels: &["result"],
        help: "Look-ups at a PDS of what the index lacks",
    },
    Metric {
        name: "crowsnest_sign_ins_total",
        kind: MetricKind::Counter,
        unit: Unit::Count,
        labels: &["result"],
        help: "Sign-ins for private holds: new, believed for some minutes, or the code with which they were refused",
    },
    Metric {
        name: "crowsnest_proxied_blobs_total",
        kind: MetricKind::Counter,
        unit: Unit::Count,
        labels: &["result"],
        help: "Blobs that passed through, by how that ended",
    },
    Metric {
        name: "crowsnest_proxied_bytes_total",
        kind: MetricKind::Counter,
        unit: Unit::Bytes,
        labels: &[],
        help: "Bytes of blobs that passed through",
    },
];

/// What is asked for, and how it is answered where it is not refused.
const KINDS: [&str; 5] = ["manifest", "blob", "tags", "referrers", "catalog"];
const ANSWERS: [&str; 3] = ["served", "redirected", "not_modified"];

/// Describes the metrics, and begins every series whose labels are known at nought: what is not there cannot be watched.
pub fn begin() {
    describe(METRICS);
    for kind in KINDS {
        for result in ANSWERS.into_iter().chain(Code::ALL.into_iter().map(|code| code.row().0)) {
            counter!("crowsnest_pulls_total", "kind" => kind, "result" => result).increment(0);
        }
    }
    for result in ["new", "believed"] {
        counter!("crowsnest_sign_ins_total", "result" => result).increment(0);
    }
    for result in ["found", "absent"] {
        counter!("crowsnest_read_through_total", "result" => result).increment(0);
    }
    for result in ["complete", "other_bytes", "broken", "abandoned"] {
        counter!("crowsnest_proxied_blobs_total", "result" => result).increment(0);
    }
    counter!("crowsnest_proxied_bytes_total").increment(0);
    for what in ["requests", "lookups", "server"] {
        counter!("crowsnest_limited_total", "what" => what).increment(0);
    }
}

#[cfg(test)]
mod tests {
    use service::telemetry::Metrics;

    use super::begin;

    #[tokio::test]
    async fn every_series_begins_at_nought() {
        let metrics = Metrics::install().unwrap();
        begin();
        let text = metrics.render();
        for line in [
            "crowsnest_pulls_total{kind=\"manifest\",result=\"served\"} 0",
            "crowsnest_pulls_total{kind=\"blob\",result=\"redirected\"} 0",
            "crowsnest_pulls_total{kind=\"blob\",result=\"BLOB_UNKNOWN\"} 0",
            "crowsnest_pulls_total{kind=\"catalog\",result=\"UNAUTHORIZED\"} 0",
            "crowsnest_read_through_total{result=\"absent\"} 0",
            "crowsnest_limited_total{what=\"lookups\"} 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
    }
}
