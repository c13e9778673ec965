//! Whether a change is news: a pure function of what is known and what came.

use types::{Cid, DropReason, Origin, Tid};

/// What the ledger knows of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub rev: Tid,
    /// `None`: a tombstone.
    pub cid: Option<Cid>,
    /// The decoder that projected it.
    pub decoder: i32,
}

/// What came: a record (its CID) or a deletion (`None`), at a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub rev: Tid,
    pub cid: Option<Cid>,
}

/// What becomes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The record is projected anew, or its projection removed.
    Applied,
    /// The same content at a newer revision: only the ledger moves.
    Advanced,
    /// Nothing happens.
    Dropped(DropReason),
}

/// Per record: apply if the revision is newer; an equal revision and CID is a duplicate, unless an older decoder read it;
/// an equal revision and another CID is a conflict, for a resync to settle, and what the resync read is believed. Nothing at
/// or below the floor is news.
pub(crate) fn decide(known: Option<&Known>, floor: Option<Tid>, news: News, origin: Origin, decoder: i32) -> Verdict {
    if let Some(known) = known
        && known.rev >= news.rev
    {
        return match known {
            _ if known.rev > news.rev => Verdict::Dropped(DropReason::Stale),
            // A repository is read at a revision that is known to be no newer than what is read. To call that a conflict
            // would have it read again, for ever.
            _ if known.cid != news.cid && origin == Origin::Backfill => Verdict::Applied,
            _ if known.cid != news.cid => Verdict::Dropped(DropReason::Conflict),
            _ if known.decoder < decoder && known.cid.is_some() => Verdict::Applied,
            _ => Verdict::Dropped(DropReason::Duplicate),
        };
    }
    // A reading at the floor itself tells what an earlier one at the same revision told.
    let is_above = |floor| news.rev > floor || news.rev == floor && origin == Origin::Backfill;
    if !floor.is_none_or(is_above) {
        return Verdict::Dropped(DropReason::BelowFloor);
    }
    match known {
        Some(known) if known.cid == news.cid && (known.decoder == decoder || known.cid.is_none()) => Verdict::Advanced,
        _ => Verdict::Applied,
    }
}

#[cfg(test)]
mod tests {
    use types::{Cid, DropReason, Origin, Tid};

    use super::{Known, News, Verdict, decide};

    fn rev(n: u64) -> Tid {
        Tid::from_micros(n, 0)
    }

    fn put(n: u64, content: &[u8]) -> News {
        News { rev: rev(n), cid: Some(Cid::of_block(content)) }
    }

    fn known(n: u64, content: Option<&[u8]>, decoder: i32) -> Known {
        Known { rev: rev(n), cid: content.map(Cid::of_block), decoder }
    }

    #[test]
    fn the_table() {
        use DropReason::{BelowFloor, Conflict, Duplicate, Stale};
        let delete = |n| News { rev: rev(n), cid: None };
        let cases = [
            (None, None, put(5, b"a"), Verdict::Applied),
            (None, None, delete(5), Verdict::Applied),
            (None, Some(5), put(5, b"a"), Verdict::Dropped(BelowFloor)),
            (None, Some(5), put(6, b"a"), Verdict::Applied),
            (Some(known(5, Some(b"a"), 1)), None, put(6, b"b"), Verdict::Applied),
            (Some(known(5, Some(b"a"), 1)), None, put(6, b"a"), Verdict::Advanced),
            (Some(known(5, Some(b"a"), 0)), None, put(6, b"a"), Verdict::Applied),
            (Some(known(5, Some(b"a"), 1)), None, put(5, b"a"), Verdict::Dropped(Duplicate)),
            (Some(known(5, Some(b"a"), 0)), None, put(5, b"a"), Verdict::Applied),
            (Some(known(5, Some(b"a"), 0)), Some(9), put(5, b"a"), Verdict::Applied),
            (Some(known(5, Some(b"a"), 1)), None, put(5, b"b"), Verdict::Dropped(Conflict)),
            (Some(known(5, Some(b"a"), 1)), None, put(4, b"b"), Verdict::Dropped(Stale)),
            (Some(known(5, Some(b"a"), 1)), None, delete(6), Verdict::Applied),
            (Some(known(5, Some(b"a"), 1)), None, delete(5), Verdict::Dropped(Conflict)),
            (Some(known(5, None, 1)), None, delete(5), Verdict::Dropped(Duplicate)),
            (Some(known(5, None, 1)), None, delete(6), Verdict::Advanced),
            (Some(known(5, None, 0)), None, delete(5), Verdict::Dropped(Duplicate)),
            (Some(known(5, None, 1)), None, put(6, b"a"), Verdict::Applied),
            (Some(known(5, None, 1)), None, put(4, b"a"), Verdict::Dropped(Stale)),
        ];
        for (i, (known, floor, news, expected)) in cases.into_iter().enumerate() {
            assert_eq!(decide(known.as_ref(), floor.map(rev), news, Origin::Stream, 1), expected, "case {i}");
        }
    }

    #[test]
    fn a_reading_of_the_repository_settles_a_conflict() {
        let before = known(5, Some(b"a"), 1);
        assert_eq!(decide(Some(&before), Some(rev(5)), put(5, b"b"), Origin::Backfill, 1), Verdict::Applied);
        assert_eq!(decide(Some(&before), None, put(4, b"b"), Origin::Backfill, 1), Verdict::Dropped(DropReason::Stale));
        // What was lost since the last reading comes back, though the repository has not moved.
        assert_eq!(decide(None, Some(rev(5)), put(5, b"b"), Origin::Backfill, 1), Verdict::Applied);
        let below = Verdict::Dropped(DropReason::BelowFloor);
        assert_eq!(decide(None, Some(rev(5)), put(4, b"b"), Origin::Backfill, 1), below);
    }
}
