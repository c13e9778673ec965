//! Where a source begins: a pure function of what is stored.

use std::fmt;

use chrono::DateTime;
use service::config::{SourceKind, SourceUrl};
use store::cursors::Cursor;

use crate::{Timing, event::Position};

/// Where a stream is asked to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what happens now.
    Live,
    /// With the oldest that the server has.
    Oldest,
    /// After a position.
    After(Position),
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |micros| DateTime::from_timestamp_micros(micros).map(|time| time.to_rfc3339());
        match self {
            Self::Live => f.write_str("live"),
            Self::Oldest => f.write_str("oldest"),
            Self::After(Position::Time(micros)) => match time(*micros) {
                Some(time) => f.write_str(&time),
                None => write!(f, "{micros}"),
            },
            Self::After(Position::Sequence(number)) => write!(f, "{number}"),
        }
    }
}

/// How a source begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the stream begins.
    pub start: Start,
    /// The time up to which everything is known, in microseconds since 1970, if the stream is to go on from there.
    pub since: Option<i64>,
    /// Whether repositories have to be read too, because the stream leaves a gap.
    pub backfill: bool,
}

/// The name of a source's cursor. One that counts in another way than its kind does has another cursor: the two must never
/// be compared.
pub fn cursor_name(source: &SourceUrl, position: Position) -> String {
    match (source.kind(), position) {
        (SourceKind::JetstreamV1, Position::Sequence(_)) => format!("{}#sequence", source.url()),
        _ => source.url().to_string(),
    }
}

/// A cursor of a source's own that lies so far behind what others have seen is not gone back to, in microseconds: 12 hours.
const FAR_BEHIND: i64 = 12 * 3_600 * 1_000_000;

/// A source goes on at its own cursor. Without one it begins shortly before the time up to which other sources saw
/// everything; if it cannot (a firehose only counts), it begins live, and repositories are read. So does one that takes times
/// and was not read for long, while others were. An index without any cursor takes the oldest that there is, and reads
/// repositories too. `cursors` are in the order of their last move.
pub fn plan(source: &SourceUrl, cursors: &[Cursor], timing: &Timing) -> Plan {
    let own = |cursor: &&Cursor| cursor.source.split('#').next() == Some(source.url().as_str());
    let counts = source.kind() == SourceKind::Firehose;
    let safe = cursors.iter().filter_map(|cursor| cursor.safe_time).max();
    let plan = |start, since| Plan { start, since, backfill: false };
    let shared = |safe: i64| {
        let from = safe.saturating_sub(timing.overlap.as_micros() as i64);
        plan(Start::After(Position::Time(from)), Some(from))
    };
    if let Some(cursor) = cursors.iter().find(own) {
        return match (cursor.position, cursor.safe_time, safe) {
            (_, Some(own), Some(safe)) if !counts && safe - own > FAR_BEHIND => shared(safe),
            (0, ..) => plan(Start::Oldest, None),
            (at, time, _) if is_counted(source, cursor) => plan(Start::After(Position::Sequence(at)), time),
            (at, ..) => {
                let from = at.saturating_sub(timing.rewind.as_micros() as i64);
                plan(Start::After(Position::Time(from)), Some(from))
            }
        };
    }
    match safe {
        Some(_) if counts => Plan { start: Start::Live, since: None, backfill: true },
        Some(safe) => shared(safe),
        None => Plan { start: Start::Oldest, since: None, backfill: true },
    }
}

/// Whether a source's own cursor is a sequence number.
fn is_counted(source: &SourceUrl, cursor: &Cursor) -> bool {
    source.kind() != SourceKind::JetstreamV1 || cursor.source.ends_with("#sequence")
}

#[cfg(test)]
mod tests {
    use store::cursors::Cursor;

    use super::{Plan, Position, Start, cursor_name, plan};
    use crate::Timing;

    const JETSTREAM: &str = "wss://a.example/subscribe";
    const FIREHOSE: &str = "wss://a.example/xrpc/com.atproto.sync.subscribeRepos";
    const COUNTING: &str = "wss://a.example/xrpc/network.bsky.jetstream.subscribeEvents";
    const NOW: i64 = 1_800_000_000_000_000;

    fn cursor(source: &str, position: i64) -> Cursor {
        Cursor { source: source.into(), position, safe_time: Some(NOW) }
    }

    fn planned(source: &str, cursors: &[Cursor]) -> (Start, bool) {
        let Plan { start, backfill, .. } = plan(&source.parse().unwrap(), cursors, &Timing::default());
        (start, backfill)
    }

    #[test]
    fn its_own_cursor_comes_first() {
        let cursors = [cursor("wss://b.example/subscribe", NOW), cursor(JETSTREAM, NOW - 1), cursor(FIREHOSE, 7)];
        assert_eq!(planned(JETSTREAM, &cursors), (Start::After(Position::Time(NOW - 1 - 5_000_000)), false));
        assert_eq!(planned(FIREHOSE, &cursors), (Start::After(Position::Sequence(7)), false));
    }

    #[test]
    fn without_one_it_begins_before_the_safe_time_or_live() {
        let cursors = [cursor("wss://b.example/subscribe", NOW)];
        assert_eq!(planned(JETSTREAM, &cursors), (Start::After(Position::Time(NOW - 60_000_000)), false));
        assert_eq!(planned(FIREHOSE, &cursors), (Start::Live, true));
        // Version 2 counts, but takes a time all the same.
        assert_eq!(planned(COUNTING, &cursors), (Start::After(Position::Time(NOW - 60_000_000)), false));
    }

    #[test]
    fn a_source_that_others_stood_in_for_does_not_go_back_to_where_it_was_left() {
        let hours = |hours: i64| NOW - hours * 3_600_000_000;
        let old = |source: &str, position| Cursor { safe_time: Some(hours(13)), ..cursor(source, position) };
        let other = cursor("wss://b.example/subscribe", NOW);
        let shared = (Start::After(Position::Time(NOW - 60_000_000)), false);
        assert_eq!(planned(JETSTREAM, &[other.clone(), old(JETSTREAM, hours(13))]), shared);
        assert_eq!(planned(COUNTING, &[other.clone(), old(COUNTING, 7)]), shared);
        assert_eq!(planned(FIREHOSE, &[other, old(FIREHOSE, 7)]), (Start::After(Position::Sequence(7)), false));
        // When nobody did, it does.
        assert_eq!(planned(COUNTING, &[old(COUNTING, 7)]), (Start::After(Position::Sequence(7)), false));
    }

    #[test]
    fn a_fresh_index_takes_all_there_is() {
        assert_eq!(planned(JETSTREAM, &[]), (Start::Oldest, true));
        assert_eq!(planned(FIREHOSE, &[]), (Start::Oldest, true));
        assert_eq!(planned(FIREHOSE, &[cursor(FIREHOSE, 0)]), (Start::Oldest, false));
        assert_eq!(planned(COUNTING, &[]), (Start::Oldest, true));
    }

    #[test]
    fn a_beginning_is_told_in_words() {
        for (start, told) in [
            (Start::Live, "live"),
            (Start::Oldest, "oldest"),
            (Start::After(Position::Sequence(9)), "9"),
            (Start::After(Position::Time(1_700_000_000_000_000)), "2023-11-14T22:13:20+00:00"),
        ] {
            assert_eq!(start.to_string(), told);
        }
    }

    #[test]
    fn a_jetstream_that_counts_has_a_cursor_of_its_own() {
        let source = JETSTREAM.parse().unwrap();
        let counted = cursor_name(&source, Position::Sequence(9));
        assert_ne!(counted, cursor_name(&source, Position::Time(9)));
        let sequence = (Start::After(Position::Sequence(9)), false);
        assert_eq!(planned(JETSTREAM, &[cursor(&counted, 9), cursor(JETSTREAM, NOW)]), sequence);
        assert_eq!(
            planned(JETSTREAM, &[cursor(JETSTREAM, NOW), cursor(&counted, 9)]).0,
            Start::After(Position::Time(NOW - 5_000_000))
        );
    }
}
