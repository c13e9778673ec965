use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use store::{
    Reader, StoreError,
    queries::{BackfillView, StatusView},
};
use tokio::{sync::Mutex, time::Instant};

use crate::WebConfig;

/// How old the summary under a page may be.
const SUMMARY_AGE: Duration = Duration::from_secs(2);

/// What every handler can reach. Cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    config: WebConfig,
    reader: Reader,
    summary: Mutex<Option<(Instant, Arc<Summary>)>>,
}

/// The index in one line, as the footer shows it.
pub struct Summary {
    /// Milliseconds behind the network; `None` before the first event.
    pub lag_ms: Option<i64>,
    /// The `records` fingerprint.
    pub fingerprint: String,
    /// How far the reading of the whole network is.
    pub backfill: Option<BackfillView>,
}

impl Web {
    pub fn new(config: WebConfig, reader: Reader) -> Self {
        Self(Arc::new(Inner { config, reader, summary: Mutex::default() }))
    }

    pub fn config(&self) -> &WebConfig {
        &self.0.config
    }

    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// The summary, at most two seconds old. One page at a time computes it; the others wait for that one.
    pub async fn summary(&self) -> Result<Arc<Summary>, StoreError> {
        let mut kept = self.0.summary.lock().await;
        if let Some((at, summary)) = &*kept
            && at.elapsed() < SUMMARY_AGE
        {
            return Ok(summary.clone());
        }
        let status = self.reader().status().await?;
        let (fingerprint, _) = self.reader().records_fingerprint().await?;
        let lag_ms = self.lag_ms(&status, Utc::now());
        let summary = Arc::new(Summary { lag_ms, fingerprint, backfill: status.backfill });
        *kept = Some((Instant::now(), summary.clone()));
        Ok(summary)
    }

    /// The indexer's own measure, or else the age of what the newest cursor has seen.
    pub fn lag_ms(&self, status: &StatusView, now: DateTime<Utc>) -> Option<i64> {
        if let Some(lag) = &self.config().lag {
            return lag.lag_ms();
        }
        let seen = |source: &store::queries::SourceView| {
            let heard = source.heard_at.map(|time| time.timestamp_micros());
            heard.or(source.safe_time).or(source.updated_at.map(|time| time.timestamp_micros()))
        };
        let newest = status.sources.iter().filter_map(seen).max()?;
        Some(((now.timestamp_micros() - newest) / 1000).max(0))
    }
}
