//! Whether a change is news: a pure function of what is known and what came.

use std::{cmp::Ordering, sync::Arc};

use types::{Cid, DropReason, Origin, Tid, Verification};

/// What the ledger knows of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub rev: Tid,
    /// `None`: a tombstone.
    pub cid: Option<Cid>,
    /// The decoder that projected it.
    pub decoder: i32,
    /// How far its content was checked; `None`: a tombstone that was not compared with what is signed.
    pub verification: Option<Verification>,
    /// Its bytes, if an older decoder projected them.
    pub raw: Option<Arc<[u8]>>,
}

/// What came: a record (its CID, and how far it was checked) or a deletion (`None`), at a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub rev: Tid,
    pub cid: Option<Cid>,
    pub verification: Option<Verification>,
}

/// What becomes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The record is projected anew, or its projection removed.
    Applied,
    /// The same content, better checked: only the ledger takes it.
    Verified,
    /// The same content at a newer revision: only the ledger's revision moves.
    Advanced,
    /// Nothing happens.
    Dropped(DropReason),
}

impl Verdict {
    /// The name as a metric's label, and as the archive keeps it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Verified => "verified",
            Self::Advanced => "advanced",
            Self::Dropped(reason) => reason.as_str(),
        }
    }
}

/// Per record: apply if the revision is newer; an equal revision and CID is a duplicate, unless an older decoder read it or
/// it is better checked now; an equal revision and another CID is a conflict, for a resync to settle, and what the resync read
/// is believed. Nothing at or below the floor is news.
pub(crate) fn decide(known: Option<&Known>, floor: Option<Tid>, news: News, origin: Origin, decoder: i32) -> Verdict {
    if let Some(known) = known
        && known.rev >= news.rev
    {
        return match known {
            _ if known.rev > news.rev => Verdict::Dropped(DropReason::Stale),
            _ if known.cid == news.cid => match same_content(known, news, decoder) {
                Verdict::Advanced => Verdict::Dropped(DropReason::Duplicate),
                verdict => verdict,
            },
            // A repository is read at a revision that is known to be no newer than what is read. To call that a conflict
            // would have it read again, for ever.
            _ if origin == Origin::Backfill => Verdict::Applied,
            // What could not be true is no ground to doubt what can.
            _ if known.verification == Some(Verification::Mismatch) && news.verification > known.verification => {
                Verdict::Applied
            }
            _ => Verdict::Dropped(DropReason::Conflict),
        };
    }
    // A reading at the floor itself tells what an earlier one at the same revision told.
    let is_above = |floor| news.rev > floor || news.rev == floor && origin == Origin::Backfill;
    if !floor.is_none_or(is_above) {
        return Verdict::Dropped(DropReason::BelowFloor);
    }
    match known {
        Some(known) if known.cid == news.cid => same_content(known, news, decoder),
        _ => Verdict::Applied,
    }
}

/// One CID is one content: the bytes that are known to have it are kept, whatever else claims to. An older decoder's reading
/// is made anew whatever comes, unless that cannot be the record.
fn same_content(known: &Known, news: News, decoder: i32) -> Verdict {
    let is_forged = news.verification == Some(Verification::Mismatch);
    match news.verification.cmp(&known.verification) {
        Ordering::Greater if known.verification == Some(Verification::Mismatch) => Verdict::Applied,
        _ if known.decoder < decoder && known.cid.is_some() && !is_forged => Verdict::Applied,
        Ordering::Greater => Verdict::Verified,
        Ordering::Less | Ordering::Equal => Verdict::Advanced,
    }
}

#[cfg(test)]
mod tests {
    use types::{
        Cid, DropReason, Origin, Tid,
        Verification::{self, CidChecked, Mismatch, Signed, Unverifiable},
    };

    use super::{Known, News, Verdict, decide};

    fn rev(n: u64) -> Tid {
        Tid::from_micros(n, 0)
    }

    fn put(n: u64, content: &[u8]) -> News {
        checked(n, content, CidChecked)
    }

    fn checked(n: u64, content: &[u8], verification: Verification) -> News {
        News { rev: rev(n), cid: Some(Cid::of_block(content)), verification: Some(verification) }
    }

    fn known(n: u64, content: Option<&[u8]>, decoder: i32) -> Known {
        let verification = content.map(|_| CidChecked);
        Known { rev: rev(n), cid: content.map(Cid::of_block), decoder, verification, raw: None }
    }

    #[test]
    fn the_table() {
        use DropReason::{BelowFloor, Conflict, Duplicate, Stale};
        let delete = |n| News { rev: rev(n), cid: None, verification: None };
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

    #[test]
    fn how_far_it_was_checked() {
        use DropReason::{Conflict, Duplicate, Stale};
        let dropped = Verdict::Dropped;
        let (stream, backfill) = (Origin::Stream, Origin::Backfill);
        // What is known at rev 5 with content a, what comes, and what becomes of it.
        let cases = [
            (Unverifiable, checked(5, b"a", CidChecked), stream, Verdict::Verified),
            (CidChecked, checked(5, b"a", Signed), Origin::ReadThrough, Verdict::Verified),
            (CidChecked, checked(6, b"a", Signed), Origin::ReadThrough, Verdict::Verified),
            (Signed, checked(5, b"a", CidChecked), stream, dropped(Duplicate)),
            (Signed, checked(6, b"a", CidChecked), stream, Verdict::Advanced),
            (Unverifiable, checked(5, b"a", Unverifiable), backfill, dropped(Duplicate)),
            (Unverifiable, checked(6, b"a", Unverifiable), backfill, Verdict::Advanced),
            // A forgery of what is known is not taken, one of what is not known hides what it replaces.
            (CidChecked, checked(5, b"a", Mismatch), stream, dropped(Duplicate)),
            (CidChecked, checked(6, b"a", Mismatch), stream, Verdict::Advanced),
            (CidChecked, checked(6, b"b", Mismatch), stream, Verdict::Applied),
            (CidChecked, checked(5, b"b", Mismatch), stream, dropped(Conflict)),
            (CidChecked, checked(4, b"b", Mismatch), stream, dropped(Stale)),
            // Whoever has the record itself is believed.
            (Mismatch, checked(5, b"a", CidChecked), backfill, Verdict::Applied),
            (Mismatch, checked(5, b"a", Unverifiable), stream, Verdict::Applied),
            (Mismatch, checked(5, b"b", CidChecked), stream, Verdict::Applied),
            (Mismatch, checked(5, b"b", Signed), Origin::ReadThrough, Verdict::Applied),
            (Mismatch, checked(6, b"a", CidChecked), stream, Verdict::Applied),
            (Mismatch, checked(5, b"a", Mismatch), stream, dropped(Duplicate)),
            (Mismatch, checked(5, b"b", Mismatch), stream, dropped(Conflict)),
        ];
        for (i, (verification, news, origin, expected)) in cases.into_iter().enumerate() {
            let known = Known { verification: Some(verification), ..known(5, Some(b"a"), 1) };
            assert_eq!(decide(Some(&known), None, news, origin, 1), expected, "case {i}");
        }
        // An older decoder's reading is made anew, however little what comes was checked, but for what cannot be it.
        for verification in [Unverifiable, CidChecked, Signed] {
            let old = Known { verification: Some(verification), ..known(5, Some(b"a"), 0) };
            for news in [Unverifiable, CidChecked, Signed] {
                assert_eq!(decide(Some(&old), None, checked(6, b"a", news), stream, 1), Verdict::Applied);
                assert_eq!(decide(Some(&old), None, checked(5, b"a", news), backfill, 1), Verdict::Applied);
            }
            assert_eq!(decide(Some(&old), None, checked(6, b"a", Mismatch), stream, 1), Verdict::Advanced);
            assert_eq!(decide(Some(&old), None, checked(5, b"a", Mismatch), stream, 1), dropped(Duplicate));
        }
    }
}
