use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::Utc;

use crate::measure;

/// What the indexer is doing, for other parts of the same process. Cheap to clone; every clone shows the same.
#[derive(Clone, Debug, Default)]
pub struct IndexerStatus(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    writing: AtomicBool,
    /// Since when, in milliseconds since 1970.
    writing_since: AtomicI64,
    /// Milliseconds since 1970; 0 before anything was heard.
    heard_at: AtomicI64,
    sources: RwLock<BTreeMap<String, SourceState>>,
}

/// How far the connection to a source has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It is being dialled, or waited for.
    Connecting,
    /// It is open.
    Connected,
    /// It is there for when those before it fail.
    Standby,
    /// It was left because nothing was heard of it.
    Stalled,
    /// It was left because it could not be reached, or ended.
    Failed,
}

impl SourceState {
    /// The name as it is stored and served.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Standby => "standby",
            Self::Stalled => "stalled",
            Self::Failed => "failed",
        }
    }
}

impl IndexerStatus {
    /// Whether this process is the writer.
    pub fn is_writing(&self) -> bool {
        self.0.writing.load(Ordering::Relaxed)
    }

    /// Milliseconds since the last frame or ping of a source; grows while it stalls. `None` before the first one.
    pub fn lag_ms(&self) -> Option<i64> {
        match self.0.heard_at.load(Ordering::Relaxed) {
            0 => None,
            at => Some((Utc::now().timestamp_millis() - at).max(0)),
        }
    }

    /// How long a writer has heard nothing; `None` for a process that does not write, which has nobody to listen to.
    pub fn silence(&self) -> Option<Duration> {
        let heard = self.0.heard_at.load(Ordering::Relaxed).max(self.0.writing_since.load(Ordering::Relaxed));
        let silence = u64::try_from(Utc::now().timestamp_millis() - heard).unwrap_or_default();
        self.is_writing().then(|| Duration::from_millis(silence))
    }

    /// The state of a source, by its URL; `None` before its first turn.
    pub fn source(&self, url: &str) -> Option<SourceState> {
        self.0.sources.read().unwrap_or_else(PoisonError::into_inner).get(url).copied()
    }

    /// When something was heard last, in milliseconds since 1970.
    pub(crate) fn heard_at(&self) -> Option<i64> {
        Some(self.0.heard_at.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    pub(crate) fn set_writing(&self, writing: bool) {
        self.0.writing_since.store(Utc::now().timestamp_millis(), Ordering::Relaxed);
        self.0.writing.store(writing, Ordering::Relaxed);
        measure::writer(writing);
    }

    pub(crate) fn set_source(&self, source: &str, state: SourceState) {
        self.0.sources.write().unwrap_or_else(PoisonError::into_inner).insert(source.to_owned(), state);
    }

    pub(crate) fn heard(&self) {
        self.0.heard_at.store(Utc::now().timestamp_millis(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::IndexerStatus;

    #[tokio::test]
    async fn lag_grows_until_something_is_heard() {
        let status = IndexerStatus::default();
        assert_eq!(status.lag_ms(), None);
        status.heard();
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(status.lag_ms() >= Some(29));
        status.heard();
        assert!(status.lag_ms() < Some(29));
    }

    #[tokio::test]
    async fn who_does_not_write_misses_nothing() {
        let status = IndexerStatus::default();
        assert_eq!(status.silence(), None);
        // The time before the first sign of life counts from the beginning.
        status.set_writing(true);
        assert!(status.silence() < Some(Duration::from_secs(1)));
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(status.silence() >= Some(Duration::from_millis(29)));
    }
}
