//! `docs/OPERATIONS.md`, `docs/REGISTRY.md` and the dashboard agree with the code.

use std::{collections::BTreeSet, path::PathBuf};

use service::metric::{Metric, MetricKind};

fn metrics() -> Vec<&'static Metric> {
    [indexer::METRICS, registry_api::METRICS, service::telemetry::METRICS].into_iter().flatten().collect()
}

fn docs(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../docs", name].iter().collect()
}

/// The names of metrics in a text, what a histogram adds to its own left out.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let ours = words.filter(|word| word.starts_with("crowsnest_"));
    ours.map(|word| {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| word.strip_suffix(suffix));
        let is_histogram =
            |name: &&str| metrics().iter().any(|metric| metric.name == *name && metric.kind == MetricKind::Histogram);
        base.filter(is_histogram).unwrap_or(word).to_owned()
    })
    .collect()
}

#[test]
fn the_table_of_metrics_is_the_codes() {
    let mut table = "| metric | kind | labels | what it tells |\n|---|---|---|---|\n".to_owned();
    for Metric { name, kind, labels, help, .. } in metrics() {
        table += &format!("| `{name}` | {} | {} | {help} |\n", kind.as_str(), labels.join(", "));
    }
    stands_in("OPERATIONS.md", "metrics", &table);
}

#[test]
fn the_table_of_errors_is_the_codes() {
    let mut table = "| code | status | meaning | what to do |\n|---|---|---|---|\n".to_owned();
    for code in registry_api::Code::ALL {
        let (name, status, meaning) = code.row();
        table += &format!("| `{name}` | {} | {meaning} | {} |\n", status.as_u16(), code.remedy());
    }
    stands_in("REGISTRY.md", "errors", &table);
}

/// Checks that a document has this table between its marks, or puts it there.
fn stands_in(document: &str, mark: &str, table: &str) {
    let (begin, end) = (format!("<!-- {mark}: written by a test -->\n"), format!("<!-- /{mark} -->"));
    let path = docs(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(&begin).unwrap();
    let (found, tail) = rest.split_once(&end).unwrap();
    if std::env::var_os("CROWSNEST_BLESS").is_some() {
        std::fs::write(&path, [head, &begin, table, &end, tail].concat()).unwrap();
        return;
    }
    assert!(found == table, "the table in docs/{document} is out of date: run this test with CROWSNEST_BLESS=1");
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let text = std::fs::read_to_string(docs("grafana/crowsnest.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let shown = expressions.map(|target| target["expr"].as_str().unwrap()).collect::<Vec<_>>().join(" ");
    let ours: BTreeSet<String> = metrics().iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(named(&shown), ours);
    let mut ids: Vec<_> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), panels.len());
}
