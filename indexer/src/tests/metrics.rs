use std::collections::BTreeSet;

use service::{postgres::testing::TestDatabase, telemetry::Metrics};

use super::{Indexer, eventually, network::Network, put, rev, stream::Stream, tag};
use crate::METRICS;

#[tokio::test]
async fn a_running_indexer_shows_every_metric_and_no_other() {
    let metrics = Metrics::install().unwrap();
    let database = TestDatabase::create().await.unwrap();
    let (stream, network) = (Stream::jetstream().await, Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.line(&put("did:plc:alice", rev(1), "io.atcr.tag", "t", &tag("latest")));
    indexer.until("SELECT count(*) FROM cursor", &["1"]).await;
    indexer.stop().await;
    // The next one finds the cursor when it first looks.
    let indexer = Indexer::start(&database, &stream, &network).await;
    let told = || metrics.render().lines().filter_map(|line| Some(line.strip_prefix("# TYPE ")?.to_owned())).collect();
    let all: BTreeSet<String> =
        METRICS.iter().map(|metric| format!("{} {}", metric.name, metric.kind.as_str())).collect();
    let ours = |told: &BTreeSet<String>| all.iter().all(|metric| told.contains(metric));
    eventually("every metric is there", || ours(&told())).await;
    let others: Vec<_> = told().difference(&all).cloned().collect();
    assert_eq!(others, ["crowsnest_build_info gauge", "crowsnest_limited_total counter"]);
    let text = metrics.render();
    for metric in METRICS {
        assert!(text.contains(&format!("# HELP {} {}", metric.name, metric.help)), "{}", metric.name);
    }
    for line in [
        "crowsnest_writer 1",
        "crowsnest_events_total{source=\"jetstream_v1\",kind=\"commit\"} ",
        "crowsnest_changes_total{verdict=\"applied\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    indexer.stop().await;
    assert!(metrics.render().contains("crowsnest_writer 0"));
    if let Some(path) = std::env::var_os("CROWSNEST_METRICS") {
        std::fs::write(path, text).unwrap();
    }
}
