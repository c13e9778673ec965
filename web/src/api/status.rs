use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use service::config::SourceUrl;
use store::queries::{BackfillView, Counts, GapView, RejectsView, SourceView};

use crate::{WebConfig, error::WebError, state::Web};

#[derive(Serialize)]
pub struct Status {
    version: String,
    lag_ms: Option<i64>,
    counts: Counts,
    sources: Vec<SourceState>,
    gaps: Vec<GapView>,
    backfill: Option<BackfillView>,
    fingerprint: String,
    rejects: Vec<RejectsView>,
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
    /// `connecting`, `connected`, `standby`, `stalled`, `failed`, `stopped` while no indexer runs, or `former` of one that is no
    /// longer read.
    pub state: String,
    /// When the cursor moved last.
    pub updated_at: Option<DateTime<Utc>>,
    /// When something was heard of it last.
    pub heard_at: Option<DateTime<Utc>>,
}

/// `GET /api/v1/status`
pub async fn get(State(web): State<Web>) -> Result<Json<Status>, WebError> {
    let status = web.reader().status().await?;
    let now = Utc::now();
    Ok(Json(Status {
        version: web.config().version.clone(),
        lag_ms: web.lag_ms(&status.sources, now),
        sources: sources(web.config(), &status.sources),
        counts: status.counts,
        gaps: status.gaps,
        backfill: status.backfill,
        fingerprint: web.fingerprint().await?.0,
        rejects: web.reader().rejects_by_reason().await?,
    }))
}

/// Every source that the indexer says something of or once read, then those that are configured here and that it has not
/// come to.
pub fn sources(config: &WebConfig, status: &[SourceView]) -> Vec<SourceState> {
    let known = status.iter().map(|source| SourceState {
        kind: source.url.parse().map_or("unknown", |url: SourceUrl| url.kind().as_str()),
        url: source.url.clone(),
        cursor: source.cursor,
        state: source.state.as_deref().unwrap_or("former").to_owned(),
        updated_at: source.updated_at,
        heard_at: source.heard_at,
    });
    let unread = config.sources.iter().filter(|source| {
        let url = source.to_string();
        status.iter().all(|known| known.url != url)
    });
    let unread = unread.map(|source| SourceState {
        url: source.to_string(),
        kind: source.kind().as_str(),
        cursor: None,
        state: "standby".to_owned(),
        updated_at: None,
        heard_at: None,
    });
    known.chain(unread).collect()
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use store::queries::SourceView;

    use super::sources;
    use crate::WebConfig;

    #[test]
    fn sources_stand_as_the_indexer_says() {
        let source = |url: &str, state: Option<&str>| SourceView {
            url: url.into(),
            kind: None,
            state: state.map(Into::into),
            cursor: Some(7),
            safe_time: None,
            updated_at: Some(Utc::now()),
            heard_at: None,
        };
        let known = [
            source("wss://a.example/subscribe", Some("connected")),
            source("wss://e.example/subscribe", Some("failed")),
            source("wss://b.example/other", None),
        ];
        let config = WebConfig {
            public_url: "http://127.0.0.1:5000".parse().unwrap(),
            version: "0".into(),
            sources: ["wss://a.example/subscribe", "wss://c.example/xrpc/com.atproto.sync.subscribeRepos"]
                .map(|url| url.parse().unwrap())
                .into(),
            lag: None,
            outbound: None,
            freshness: Default::default(),
        };
        let states: Vec<_> =
            sources(&config, &known).into_iter().map(|source| (source.kind, source.cursor, source.state)).collect();
        let expected = [
            ("jetstream_v1", Some(7), "connected"),
            ("jetstream_v1", Some(7), "failed"),
            ("unknown", Some(7), "former"),
            ("firehose", None, "standby"),
        ]
        .map(|(kind, cursor, state)| (kind, cursor, state.to_owned()));
        assert_eq!(states, expected);
    }
}
