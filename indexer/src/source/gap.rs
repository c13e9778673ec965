//! What a stream cannot give any more: said, kept, and made good by reading repositories.

use chrono::{DateTime, Utc};
use service::config::SourceUrl;
use store::{
    StoreError, backfill, cursors,
    gaps::{self, Gap},
};
use tokio_postgres::Client;

use super::start::{Start, cursor_name};
use crate::{
    event::{Frame, Position},
    measure,
};

/// Why a stream leaves a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The server no longer has what follows our cursor.
    Outdated,
    /// The server never came as far as our cursor: it was set up anew.
    Future,
    /// What follows our cursor cannot be read, however often we ask.
    Unreadable,
}

impl Cause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Outdated => "outdated",
            Self::Future => "future",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Raises the alarm: a line, a metric, a row that `/status` shows. Every repository that is listed or known is read, which
/// closes the gap. `until` is where the stream goes on, if that is known.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn raise(
    db: &Client,
    source: &SourceUrl,
    cause: Cause,
    since: Since,
    until: Option<&Frame<'_>>,
) -> Result<(), StoreError> {
    let position = |position: Position| match position {
        Position::Time(at) | Position::Sequence(at) => at,
    };
    let time = |micros: Option<i64>| micros.and_then(DateTime::from_timestamp_micros);
    let gap = Gap {
        source: source.to_string(),
        reason: cause.as_str(),
        from_position: since.position.map(position),
        to_position: until.and_then(|frame| frame.position).map(position),
        since: time(since.time),
        until: time(until.and_then(|frame| frame.time)),
    };
    // One that is found again while it is open is the same incident; what was read meanwhile is read once more.
    if gaps::record(db, &gap).await? {
        measure::gap();
        let told = |time: Option<DateTime<Utc>>| time.map(|time| tracing::field::display(time.to_rfc3339()));
        tracing::warn!(source = %source, cause = cause.as_str(), since = told(gap.since), until = told(gap.until),
            "A source cannot give all that we missed: repositories will be read");
    }
    backfill::start(db).await
}

/// Up to where everything is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// As the source counts.
    pub position: Option<Position>,
    /// In microseconds since 1970.
    pub time: Option<i64>,
}

impl Since {
    /// What a beginning says of it.
    pub fn of(start: Start, time: Option<i64>) -> Self {
        match start {
            Start::After(position) => Self { position: Some(position), time },
            Start::Live | Start::Oldest => Self::default(),
        }
    }

    /// Whether a first event shows that the server passed over something without a word. Servers keep events for a day at
    /// least; a first event is late on a quiet network too, so only an old cursor tells.
    pub fn is_missed_by(self, first: i64, now: i64) -> bool {
        self.time.is_some_and(|since| now - since > RETENTION_MICROS && first - since > GAP_MICROS)
    }
}

/// 23 hours.
const RETENTION_MICROS: i64 = 23 * 3_600 * 1_000_000;
/// A minute.
const GAP_MICROS: i64 = 60 * 1_000_000;

/// Sends a source back to its oldest: its own cursor means nothing to it.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn forget_cursor(db: &Client, source: &SourceUrl) -> Result<(), StoreError> {
    cursors::reset(db, &cursor_name(source, Position::Sequence(0))).await
}

/// Microseconds since 1970, now.
pub fn now() -> i64 {
    Utc::now().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::Since;

    #[test]
    fn only_an_old_cursor_shows_a_gap() {
        const HOUR: i64 = 3_600 * 1_000_000;
        let now = 1_800_000_000_000_000;
        let since = |hours: i64| Since { position: None, time: Some(now - hours * HOUR) };
        assert!(since(25).is_missed_by(now - 24 * HOUR, now));
        // What follows at once was not passed over.
        assert!(!since(25).is_missed_by(now - 25 * HOUR + 1, now));
        // Servers keep that much.
        assert!(!since(2).is_missed_by(now, now));
        assert!(!Since::default().is_missed_by(now, now));
    }
}
