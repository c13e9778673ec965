//! The log on standard error, and the metrics that `/metrics` renders.

use std::io;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

use crate::config::{LogFormat, TelemetryArgs};
use crate::metric::{Metric, MetricKind, Unit, describe};

/// Sends `tracing` events to standard error, in the asked form and filtered by `--log`. Once a process.
///
/// # Errors
/// A filter that does not parse, or a log that was set up before.
pub fn init(args: &TelemetryArgs) -> Result<(), TelemetryError> {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let filter = EnvFilter::try_new(&args.log)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match args.log_format {
        LogFormat::Text => registry.with(lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr()))).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    Ok(())
}

/// The metrics of this process. Every name begins with `crowsnest_`; durations are in seconds and end in `_seconds`.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder behind the `metrics` macros. Once a process, in a tokio runtime: a task there empties the
    /// histograms' buffers, which otherwise grow until the next scrape.
    ///
    /// # Errors
    /// A recorder that was installed before.
    pub fn install() -> Result<Self, TelemetryError> {
        let handle = builder()?.install_recorder()?;
        describe(METRICS);
        metrics::gauge!("crowsnest_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        metrics::counter!("crowsnest_limited_total", "what" => "connections").increment(0);
        let upkeep = handle.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(UPKEEP_INTERVAL);
            loop {
                tick.tick().await;
                upkeep.run_upkeep();
            }
        });
        Ok(Metrics(handle))
    }

    /// Metrics that nothing records into, for tests of routes.
    pub fn detached() -> Self {
        Metrics(PrometheusBuilder::new().build_recorder().handle())
    }

    /// The Prometheus text form, version 0.0.4.
    pub fn render(&self) -> String {
        self.0.render()
    }
}

/// The metrics of every process.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "crowsnest_connections",
        kind: MetricKind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Connections that are open to the public address",
    },
    Metric {
        name: "crowsnest_limited_total",
        kind: MetricKind::Counter,
        unit: Unit::Count,
        labels: &["what"],
        help: "Connections, requests and look-ups that were refused because there were too many of one client, or for one server",
    },
    Metric {
        name: "crowsnest_build_info",
        kind: MetricKind::Gauge,
        unit: Unit::Count,
        labels: &["version"],
        help: "1, with the version of the program",
    },
];

const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Upper bounds in seconds; from a cache hit (0.1 ms) to a slow fetch (30 s).
const SECONDS: [f64; 15] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Upper bounds of sizes of batches and bodies.
const SIZES: [f64; 7] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(&SIZES)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
}

/// Why log or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `--log` does not parse.
    #[error("--log is not a log filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// A log was set up before.
    #[error("the log is already set up")]
    Log(#[from] TryInitError),
    /// A recorder was installed before.
    #[error("the metrics recorder could not be installed")]
    Metrics(#[from] BuildError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn metrics_render_as_prometheus_text_under_our_prefix() {
        let metrics = Metrics::install().unwrap();
        metrics::counter!("crowsnest_events_total", "kind" => "commit").increment(2);
        metrics::histogram!("crowsnest_apply_seconds").record(0.002);
        metrics::histogram!("crowsnest_batch_changes").record(50.0);
        let text = metrics.render();
        assert!(text.contains("crowsnest_limited_total{what=\"connections\"} 0"), "{text}");
        assert!(text.contains("crowsnest_events_total{kind=\"commit\"} 2"), "{text}");
        assert!(text.contains("crowsnest_apply_seconds_bucket{le=\"0.0025\"} 1"), "{text}");
        assert!(text.contains("crowsnest_batch_changes_bucket{le=\"100\"} 1"), "{text}");
        assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#') || line.starts_with("crowsnest_")));
        assert!(matches!(Metrics::install(), Err(TelemetryError::Metrics(_))));
    }
}
