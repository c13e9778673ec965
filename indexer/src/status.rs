use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use chrono::Utc;

use crate::measure;

/// What the indexer is doing, for other parts of the same process. Cheap to clone; every clone shows the same.
#[derive(Clone, Debug, Default)]
pub struct IndexerStatus(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    writing: AtomicBool,
    /// Milliseconds since 1970; 0 before anything was heard.
    heard_at: AtomicI64,
    source: RwLock<Option<(String, SourceState)>>,
}

/// How far the connection to a source has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It is being dialled, or waited for.
    Connecting,
    /// It is open.
    Connected,
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

    /// The source in use, by its URL, and its state.
    pub fn source(&self) -> Option<(String, SourceState)> {
        self.0.source.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_writing(&self, writing: bool) {
        self.0.writing.store(writing, Ordering::Relaxed);
        measure::writer(writing);
    }

    pub(crate) fn set_source(&self, source: &str, state: SourceState) {
        *self.0.source.write().unwrap_or_else(PoisonError::into_inner) = Some((source.to_owned(), state));
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
}
