use std::{cmp::Ordering, fmt, str::FromStr};

use types::search::Sort;

/// A place in the order of results: after it the next page begins, or before it the previous one ends. Opaque to those who are
/// given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    sort: Sort,
    /// What is sorted by, greater ones first; unused by name.
    value: i64,
    did: String,
    name: String,
    /// Whether what is before it is meant.
    is_back: bool,
}

/// Before the order, of a cursor that leads back.
const BACK: &str = "<";

/// No cursor of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of ours")]
pub struct BrokenCursor;

impl Cursor {
    pub(super) fn new(sort: Sort, value: i64, did: &str, name: &str) -> Self {
        Self { sort, value, did: did.to_owned(), name: name.to_owned(), is_back: false }
    }

    /// The same place, seen from behind: the page that ends there.
    pub(super) fn back(&self) -> Self {
        Self { is_back: true, ..self.clone() }
    }

    pub(super) fn is_back(&self) -> bool {
        self.is_back
    }

    /// The order that it is a place of.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    pub(super) fn value(&self) -> i64 {
        self.value
    }

    /// The owner and the name.
    pub(super) fn key(&self) -> (&str, &str) {
        (&self.did, &self.name)
    }

    /// Which of two places comes first.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let by_key = || self.did.cmp(&other.did).then_with(|| self.name.cmp(&other.name));
        match self.sort {
            Sort::Name => self.name.cmp(&other.name).then_with(by_key),
            _ => other.value.cmp(&self.value).then_with(by_key),
        }
    }

    pub(super) fn is_after(&self, other: &Self) -> bool {
        self.order(other).is_gt()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sort, value, did, name, is_back } = self;
        let back = if *is_back { BACK } else { "" };
        f.write_str(&hex::encode(format!("{back}{} {value} {did} {name}", sort.as_str())))
    }
}

impl FromStr for Cursor {
    type Err = BrokenCursor;

    fn from_str(text: &str) -> Result<Self, BrokenCursor> {
        // The longest that there can be, and then some.
        if text.len() > 8_000 {
            return Err(BrokenCursor);
        }
        let bytes = hex::decode(text).map_err(|_| BrokenCursor)?;
        let text = String::from_utf8(bytes).map_err(|_| BrokenCursor)?;
        let mut parts = text.splitn(4, ' ');
        let (Some(sort), Some(value), Some(did), Some(name)) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BrokenCursor);
        };
        let (sort, is_back) = sort.strip_prefix(BACK).map_or((sort, false), |sort| (sort, true));
        let sort = Sort::ALL.into_iter().find(|known| known.as_str() == sort).ok_or(BrokenCursor)?;
        if did.is_empty() || name.is_empty() || text.contains('\0') {
            return Err(BrokenCursor);
        }
        Ok(Self { is_back, ..Self::new(sort, value.parse().map_err(|_| BrokenCursor)?, did, name) })
    }
}

#[cfg(test)]
mod tests {
    use types::search::Sort;

    use super::Cursor;

    #[test]
    fn cursors_survive_and_broken_ones_do_not() {
        let cursor = Cursor::new(Sort::Stars, -7, "did:plc:a", "team/my app");
        assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()));
        assert_eq!(cursor.back().to_string().parse(), Ok(cursor.back()));
        let whole = cursor.to_string();
        for broken in
            ["", "2", "1000000000000", "zz", &whole[1..], "ff", &hex::encode("stars x a b"), &hex::encode("stars 1 a")]
        {
            assert!(broken.parse::<Cursor>().is_err(), "{broken}");
        }
        assert!("61".repeat(9_000).parse::<Cursor>().is_err());
    }

    #[test]
    fn greater_values_come_first_and_names_in_their_order() {
        let at = |sort, value, name| Cursor::new(sort, value, "did:plc:a", name);
        assert!(at(Sort::Stars, 1, "a").is_after(&at(Sort::Stars, 2, "b")));
        assert!(at(Sort::Stars, 1, "b").is_after(&at(Sort::Stars, 1, "a")));
        assert!(at(Sort::Name, 9, "b").is_after(&at(Sort::Name, 1, "a")));
        assert!(!at(Sort::Name, 9, "b").is_after(&at(Sort::Name, 9, "b")));
    }
}
