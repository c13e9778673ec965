//! What the candidates are, counted.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use types::search::{Flag, license_answers};

use super::candidates::Candidate;
use crate::search::platform_answers;

/// The most values of a facet.
const MOST: usize = 50;
/// Within how many days a push was.
pub const WITHIN: [u16; 4] = [7, 30, 90, 365];

/// Of the candidates that were ranked, at most 1,000.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facets {
    /// `image`, `chart`, …
    pub kind: Vec<Facet>,
    /// `linux/arm64`, …
    pub platform: Vec<Facet>,
    /// SPDX identifiers.
    pub license: Vec<Facet>,
    /// `signed`, `sbom`, `scanned`, `public`
    pub is: Vec<Facet>,
    /// `7d`, `30d`, …: within so many days.
    pub updated: Vec<Facet>,
}

/// A value, and how many candidates meet the condition of it: with `linux/arm64`, also those for `linux/arm64/v8`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facet {
    /// As the query language has it.
    pub value: String,
    /// How many.
    pub count: usize,
}

impl Facets {
    pub(super) fn count(candidates: &[Candidate], now: DateTime<Utc>) -> Self {
        let each = |texts: fn(&Candidate) -> &str, answers: fn(&str) -> Vec<String>| {
            counted(candidates.iter().map(texts), answers)
        };
        let itself = |value: &str| vec![value.to_lowercase()];
        let flags = each(|candidate| &candidate.flags, itself);
        let is =
            Flag::ALL.into_iter().filter_map(|flag| flags.iter().find(|facet| facet.value == flag.as_str()).cloned());
        let within = |days: u16| {
            let since = now - TimeDelta::days(days.into());
            let count =
                candidates.iter().filter(|candidate| candidate.updated_at.is_some_and(|at| at >= since)).count();
            Facet { value: format!("{days}d"), count }
        };
        Self {
            kind: each(|candidate| &candidate.kind, itself),
            platform: each(|candidate| &candidate.platforms, platform_answers),
            license: each(|candidate| &candidate.licenses, license_answers),
            is: is.collect(),
            updated: WITHIN.into_iter().map(within).filter(|facet| facet.count > 0).collect(),
        }
    }
}

/// The most frequent values, and of how many candidates they are an answer. A candidate has a list of values, one a line, and
/// each value is found by its answers, in lower case.
fn counted<'a>(lists: impl Iterator<Item = &'a str>, answers: fn(&str) -> Vec<String>) -> Vec<Facet> {
    let mut same: BTreeMap<&str, usize> = BTreeMap::new();
    for list in lists.filter(|list| !list.is_empty()) {
        *same.entry(list).or_default() += 1;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut spelt: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for (list, times) in same {
        for answer in list.lines().flat_map(answers).collect::<BTreeSet<String>>() {
            *counts.entry(answer).or_default() += times;
        }
        for value in list.lines() {
            *spelt.entry(value.to_lowercase()).or_default().entry(value).or_default() += times;
        }
    }
    let facet = |(value, spellings): (String, BTreeMap<&str, usize>)| {
        let usual = spellings.into_iter().max_by_key(|(_, times)| *times)?.0;
        Some(Facet { value: usual.to_owned(), count: counts.get(&value).copied()? })
    };
    let mut facets: Vec<Facet> = spelt.into_iter().filter_map(facet).collect();
    facets.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.value.cmp(&other.value)));
    facets.truncate(MOST);
    facets
}

#[cfg(test)]
mod tests {
    use types::search::license_answers;

    use super::{counted, platform_answers};

    #[test]
    fn a_value_is_counted_wherever_its_condition_holds() {
        let said = |lists: &[&str], answers| {
            let facets = counted(lists.iter().copied(), answers);
            facets.into_iter().map(|facet| format!("{} {}", facet.value, facet.count)).collect::<Vec<_>>()
        };
        let platforms =
            ["linux/amd64\nlinux/arm64", "linux/arm64/v8", "linux/arm64\nlinux/arm64/v8", "", "Linux/AMD64"];
        assert_eq!(said(&platforms, platform_answers), ["linux/arm64 3", "linux/amd64 2", "linux/arm64/v8 2"]);
        let licenses = ["MIT", "mit", "GPL-3.0", "GPL-3.0-only\nMIT"];
        assert_eq!(said(&licenses, license_answers), ["MIT 3", "GPL-3.0 2", "GPL-3.0-only 1"]);
    }
}
