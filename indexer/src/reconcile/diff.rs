//! What differs between the ledger and the network: a pure function of both sides.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use types::{Cid, Collection, Did, RecordId, Rkey, Tid};

/// An account as the index has it.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    /// Whether it is shown.
    pub active: bool,
    /// Its rows of the ledger, tombstones too.
    pub rows: BTreeMap<(Collection, Rkey), Row>,
}

/// A row of the ledger.
#[derive(Clone, Debug)]
pub struct Row {
    /// The revision at which it is known.
    pub rev: Tid,
    /// Its CID; `None` when it was deleted.
    pub cid: Option<Cid>,
    /// Whether it decodes.
    pub decodes: bool,
    /// Whether it was known at this revision before the host was asked: then it did not come meanwhile.
    pub stood: bool,
}

/// An account as its host has it.
#[derive(Clone, Debug)]
pub enum Theirs {
    /// It is served, and was listed to its end.
    Repository {
        /// The revision before and after the listing.
        rev: Tid,
        /// Its records of our collections.
        records: BTreeMap<(Collection, Rkey), Listed>,
    },
    /// It is not served, for this reason.
    Hidden(String),
}

/// A record that a host lists.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// Its CID; `None` when the content does not hash to the one that the host names: then nothing can be said.
    pub cid: Option<Cid>,
    /// Whether it decodes.
    pub decodes: bool,
}

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What kind.
    pub kind: Kind,
    /// The account.
    pub did: Did,
    /// `at://…` of the record; `None` when the account itself differs.
    pub uri: Option<String>,
    /// For people.
    pub detail: String,
}

/// How something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The host has a record that the index has not.
    Missing,
    /// The index has a record that the host has not.
    Extra,
    /// The record has another content.
    Different,
    /// The content is the same, but one side decodes and the other does not.
    Decoded,
    /// The index has another content, or none, at a revision that the host has not come to: the host is behind, or what was told
    /// of the record is wrong.
    Ahead,
    /// One side shows the account and the other does not.
    Status,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Different => "different",
            Self::Decoded => "decoded",
            Self::Ahead => "ahead",
            Self::Status => "status",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.uri.as_deref().unwrap_or(self.did.as_str());
        write!(f, "{} {of} ({})", self.kind.as_str(), self.detail)
    }
}

/// Compares an account. What the index knows of a newer revision than the listing's is no difference if it came meanwhile; if not,
/// nobody can say yet which side is right.
pub fn diff(did: &Did, ours: &Ours, theirs: &Theirs) -> Vec<Difference> {
    let live = ours.rows.values().any(|row| row.cid.is_some());
    let (rev, records) = match theirs {
        Theirs::Hidden(why) if ours.active && live => return vec![status(did, &format!("shown here, {why} there"))],
        Theirs::Repository { records, .. } if !ours.active && (live || !records.is_empty()) => {
            return vec![status(did, "hidden here, shown there")];
        }
        Theirs::Hidden(_) => return Vec::new(),
        Theirs::Repository { rev, records } => (*rev, records),
    };
    let mut found = Vec::new();
    let mut tell = |kind, (collection, rkey): &(Collection, Rkey), detail: String| {
        let id = RecordId { did: did.clone(), collection: *collection, rkey: rkey.clone() };
        found.push(Difference { kind, did: did.clone(), uri: Some(id.to_string()), detail });
    };
    for (key, listed) in records {
        let (Some(theirs), row) = (listed.cid, ours.rows.get(key)) else { continue };
        match row.and_then(|row| row.cid) {
            ours if row.is_some_and(|row| row.rev > rev) => {
                if let Some(row) = row.filter(|row| row.stood && ours != Some(theirs)) {
                    tell(Kind::Ahead, key, ahead(row.rev, rev));
                }
            }
            None => tell(Kind::Missing, key, format!("{theirs} there")),
            Some(cid) if cid != theirs => tell(Kind::Different, key, format!("{cid} here, {theirs} there")),
            Some(_) if row.is_some_and(|row| row.decodes != listed.decodes) => {
                let detail = if listed.decodes { "invalid here, it decodes" } else { "valid here, it does not decode" };
                tell(Kind::Decoded, key, detail.to_owned());
            }
            Some(_) => {}
        }
    }
    for (key, row) in &ours.rows {
        if let Some(cid) = row.cid
            && !records.contains_key(key)
        {
            match row.rev <= rev {
                true => tell(Kind::Extra, key, format!("{cid} here")),
                false if row.stood => tell(Kind::Ahead, key, ahead(row.rev, rev)),
                false => {}
            }
        }
    }
    found
}

fn ahead(ours: Tid, theirs: Tid) -> String {
    format!("not comparable: {ours} here, the host is at {theirs}")
}

fn status(did: &Did, detail: &str) -> Difference {
    Difference { kind: Kind::Status, did: did.clone(), uri: None, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cid(content: &[u8]) -> Cid {
        Cid::of_block(content)
    }

    fn row(rev: u64, content: Option<&[u8]>, decodes: bool) -> Row {
        Row { rev: Tid::from_micros(rev, 0), cid: content.map(cid), decodes, stood: false }
    }

    fn listed(content: &[u8]) -> Listed {
        Listed { cid: Some(cid(content)), decodes: true }
    }

    /// What differs when one record stands so here and so there, the host being at revision 5.
    fn kinds(active: bool, ours: Option<Row>, theirs: Option<Listed>) -> Vec<Kind> {
        let key = (Collection::Tag, "t".parse::<Rkey>().unwrap());
        let ours = Ours { active, rows: ours.map(|row| (key.clone(), row)).into_iter().collect() };
        let records = theirs.map(|listed| (key, listed)).into_iter().collect();
        let theirs = Theirs::Repository { rev: Tid::from_micros(5, 0), records };
        diff(&"did:plc:a".parse().unwrap(), &ours, &theirs).into_iter().map(|found| found.kind).collect()
    }

    #[test]
    fn the_table() {
        let unbelievable = Listed { cid: None, decodes: false };
        let cases: Vec<(Option<Row>, Option<Listed>, &[Kind])> = vec![
            (None, None, &[]),
            (Some(row(4, Some(b"a"), true)), Some(listed(b"a")), &[]),
            (Some(row(9, Some(b"a"), true)), Some(listed(b"a")), &[]),
            (None, Some(listed(b"a")), &[Kind::Missing]),
            (Some(row(5, None, false)), Some(listed(b"a")), &[Kind::Missing]),
            (Some(row(6, None, false)), Some(listed(b"a")), &[]),
            (Some(row(5, Some(b"b"), true)), Some(listed(b"a")), &[Kind::Different]),
            (Some(row(6, Some(b"b"), true)), Some(listed(b"a")), &[]),
            (Some(row(5, Some(b"a"), false)), Some(listed(b"a")), &[Kind::Decoded]),
            (Some(row(5, Some(b"a"), true)), Some(Listed { decodes: false, ..listed(b"a") }), &[Kind::Decoded]),
            (Some(row(5, Some(b"a"), false)), Some(Listed { decodes: false, ..listed(b"a") }), &[]),
            (Some(row(5, Some(b"a"), true)), None, &[Kind::Extra]),
            (Some(row(6, Some(b"a"), true)), None, &[]),
            (Some(row(5, None, false)), None, &[]),
            (None, Some(unbelievable), &[]),
            (Some(row(5, Some(b"a"), true)), Some(unbelievable), &[]),
        ];
        for (i, (ours, theirs, expected)) in cases.into_iter().enumerate() {
            assert_eq!(kinds(true, ours, theirs), expected, "case {i}");
        }
    }

    #[test]
    fn what_its_host_has_not_come_to_is_told_unless_it_came_meanwhile() {
        for (ours, theirs, expected) in [
            (row(6, Some(b"a"), true), None, vec![Kind::Ahead]),
            (row(6, Some(b"b"), true), Some(listed(b"a")), vec![Kind::Ahead]),
            (row(6, None, false), Some(listed(b"a")), vec![Kind::Ahead]),
            (row(6, Some(b"a"), true), Some(listed(b"a")), vec![]),
            (row(6, None, false), None, vec![]),
            (row(5, Some(b"a"), true), None, vec![Kind::Extra]),
        ] {
            let stood = Row { stood: true, ..ours.clone() };
            assert_eq!(kinds(true, Some(stood), theirs), expected, "{ours:?} {theirs:?}");
            if ours.rev > Tid::from_micros(5, 0) {
                assert_eq!(kinds(true, Some(ours), theirs), [], "it came meanwhile");
            }
        }
    }

    #[test]
    fn an_account_is_shown_on_both_sides_or_on_none() {
        assert_eq!(kinds(false, Some(row(5, Some(b"a"), true)), Some(listed(b"a"))), [Kind::Status]);
        assert_eq!(kinds(false, None, Some(listed(b"a"))), [Kind::Status]);
        assert_eq!(kinds(false, None, None), []);
        let did: Did = "did:plc:a".parse().unwrap();
        let gone = Theirs::Hidden("deactivated".into());
        let key = (Collection::Tag, "t".parse::<Rkey>().unwrap());
        let rows: BTreeMap<_, _> = [(key, row(5, Some(b"a"), true))].into();
        let shown = diff(&did, &Ours { active: true, rows: rows.clone() }, &gone);
        assert_eq!(shown[0].to_string(), "status did:plc:a (shown here, deactivated there)");
        assert!(diff(&did, &Ours { active: false, rows }, &gone).is_empty());
        assert!(diff(&did, &Ours { active: true, rows: BTreeMap::new() }, &gone).is_empty());
    }
}
