use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use store::{
    Reader, StoreError,
    queries::{BackfillView, StatusView},
};
use tokio::{
    sync::{Mutex, OnceCell},
    time::Instant,
};

use crate::{
    WebConfig,
    pictures::{Pictures, Signer},
};

/// How old the summary under a page may be.
const SUMMARY_AGE: Duration = Duration::from_secs(2);

/// What every handler can reach. Cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    config: WebConfig,
    reader: Reader,
    pictures: Option<Pictures>,
    signer: OnceCell<Option<Signer>>,
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
        let pictures = config.outbound.clone().map(Pictures::new);
        Self(Arc::new(Inner { config, reader, pictures, signer: OnceCell::new(), summary: Mutex::default() }))
    }

    pub fn config(&self) -> &WebConfig {
        &self.0.config
    }

    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// What fetches pictures, if anything may.
    pub fn pictures(&self) -> Option<&Pictures> {
        self.0.pictures.as_ref()
    }

    /// What signs pictures, if any may be fetched. While the key cannot be read there are none.
    pub async fn signer(&self) -> Option<Signer> {
        self.pictures()?;
        let read = async || self.reader().picture_key().await.map(|key| key.as_deref().and_then(Signer::new));
        self.0.signer.get_or_try_init(read).await.ok()?.clone()
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

    /// See [`lag_ms`].
    pub fn lag_ms(&self, status: &StatusView, now: DateTime<Utc>) -> Option<i64> {
        lag_ms(self.config().lag.as_ref().and_then(|lag| lag.lag_ms()), status, now)
    }
}

/// Milliseconds since anything was heard, by whoever heard last: the indexer of this process, which knows best while it is
/// the writer, or the one that is, as the database tells. Else the age of what the newest cursor has seen.
fn lag_ms(own: Option<i64>, status: &StatusView, now: DateTime<Utc>) -> Option<i64> {
    let age = |micros: i64| ((now.timestamp_micros() - micros) / 1000).max(0);
    let micros = |time: DateTime<Utc>| time.timestamp_micros();
    let heard = status.sources.iter().filter_map(|source| source.heard_at).max();
    let seen = || status.sources.iter().filter_map(|source| source.safe_time.or(source.updated_at.map(micros))).max();
    own.into_iter().chain(heard.map(|heard| age(micros(heard)))).min().or_else(|| seen().map(age))
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use store::queries::{Counts, SourceView, StatusView};

    use super::lag_ms;

    #[test]
    fn a_standby_is_as_far_behind_as_the_writer() {
        let now = Utc::now();
        let ago = |seconds| now - TimeDelta::seconds(seconds);
        let source = |heard: Option<i64>| SourceView {
            url: "wss://a.example/subscribe".into(),
            kind: None,
            state: None,
            cursor: Some(7),
            safe_time: Some(ago(60).timestamp_micros()),
            updated_at: Some(ago(70)),
            heard_at: heard.map(ago),
        };
        let status = |sources: Vec<SourceView>| {
            let counts = Counts::default();
            StatusView { counts, sources, gaps: Vec::new(), backfill: None }
        };
        let (nobody, writer) =
            (status(vec![source(None)]), status(vec![source(None), source(Some(2)), source(Some(9))]));
        for (own, status, lag) in [
            // Of this process, which never wrote, or did before another took over.
            (None, &writer, Some(2_000)),
            (Some(5_000), &writer, Some(2_000)),
            // The writer's own measure is the newest.
            (Some(300), &writer, Some(300)),
            (Some(5_000), &nobody, Some(5_000)),
            (None, &nobody, Some(60_000)),
            (None, &status(Vec::new()), None),
        ] {
            assert_eq!(lag_ms(own, status, now), lag, "{own:?}");
        }
    }
}
