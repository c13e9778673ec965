//! The registry's metrics.

use service::metric::{Metric, MetricKind, Unit};

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
