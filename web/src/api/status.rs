use axum::{Json, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use service::config::SourceUrl;
use store::queries::{BackfillView, Counts, SourceView, StatusView};

use crate::{WebConfig, error::WebError, state::Web};

/// A live source's cursor moves at least every 5 s, whatever happens on it.
const STALLED_AFTER: TimeDelta = TimeDelta::seconds(30);

#[derive(Serialize)]
pub struct Status {
    version: String,
    lag_ms: Option<i64>,
    counts: Counts,
    sources: Vec<SourceState>,
    backfill: Option<BackfillView>,
    fingerprint: String,
}

/// A source and how it stands.
#[derive(Serialize)]
pub struct SourceState {
    /// Its URL without query.
    pub url: String,
    /// `jetstream_v1`, `jetstream_v2`, `firehose`, or `unknown`: read off the path.
    pub kind: &'static str,
    /// Its position; `None` if it was never read.
    pub cursor: Option<i64>,
    /// `live`, `stalled` or `never`.
    pub state: &'static str,
    /// When the cursor moved last.
    pub updated_at: Option<DateTime<Utc>>,
}

/// `GET /api/v1/status`
pub async fn get(State(web): State<Web>) -> Result<Json<Status>, WebError> {
    let status = web.reader().status().await?;
    let now = Utc::now();
    Ok(Json(Status {
        version: web.config().version.clone(),
        lag_ms: web.lag_ms(&status, now),
        sources: sources(web.config(), &status, now),
        counts: status.counts,
        backfill: status.backfill,
        fingerprint: web.reader().records_fingerprint().await?.0,
    }))
}

/// A Jetstream that numbers its events has a second cursor beside the one that counts time, named by its URL and this.
const SEQUENCE: &str = "#sequence";

/// Every source that has a cursor, then those that are configured and have none. Of a source's two cursors the one that
/// moved last is shown.
pub fn sources(config: &WebConfig, status: &StatusView, now: DateTime<Utc>) -> Vec<SourceState> {
    let plain = |source: &SourceView| source.url.trim_end_matches(SEQUENCE).to_owned();
    let newer = |source: &&SourceView| {
        status.sources.iter().all(|other| plain(other) != plain(source) || other.updated_at <= source.updated_at)
    };
    let read = status.sources.iter().filter(newer).map(|source| SourceState {
        kind: plain(source).parse().map_or("unknown", |url: SourceUrl| url.kind().as_str()),
        url: plain(source),
        cursor: Some(source.cursor),
        state: if now - source.updated_at > STALLED_AFTER { "stalled" } else { "live" },
        updated_at: Some(source.updated_at),
    });
    let unread = config.sources.iter().filter(|source| {
        let url = source.to_string();
        status.sources.iter().all(|known| plain(known) != url)
    });
    let unread = unread.map(|source| SourceState {
        url: source.to_string(),
        kind: source.kind().as_str(),
        cursor: None,
        state: "never",
        updated_at: None,
    });
    read.chain(unread).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use store::queries::{Counts, SourceView, StatusView};

    use super::sources;
    use crate::WebConfig;

    #[test]
    fn sources_are_live_stalled_or_never_read() {
        let now = Utc::now();
        let source = |url: &str, seconds| SourceView {
            url: url.into(),
            cursor: 7,
            safe_time: None,
            updated_at: now - TimeDelta::seconds(seconds),
        };
        let counts = Counts {
            repositories: 0,
            manifests: 0,
            tags: 0,
            stars: 0,
            holds: 0,
            accounts: 0,
            records: 0,
            invalid: 0,
            jobs: 0,
            rejects: 0,
        };
        let status = StatusView {
            counts,
            sources: vec![source("wss://a.example/subscribe", 1), source("wss://b.example/other", 3_600)],
            backfill: None,
        };
        let config = WebConfig {
            public_url: "http://127.0.0.1:5000".parse().unwrap(),
            version: "0".into(),
            sources: ["wss://a.example/subscribe", "wss://c.example/xrpc/com.atproto.sync.subscribeRepos"]
                .map(|url| url.parse().unwrap())
                .into(),
            lag: None,
        };
        let states: Vec<_> = sources(&config, &status, now)
            .into_iter()
            .map(|source| (source.kind, source.cursor, source.state))
            .collect();
        let expected =
            [("jetstream_v1", Some(7), "live"), ("unknown", Some(7), "stalled"), ("firehose", None, "never")];
        assert_eq!(states, expected);
    }
}
