//! What the candidates are, counted.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use types::search::Flag;

use super::candidates::Candidate;

/// The most values of a facet that are shown.
const MOST: usize = 10;
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

/// A value, and how many candidates have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facet {
    /// As the query language has it.
    pub value: String,
    /// How many.
    pub count: usize,
}

impl Facets {
    pub(super) fn count(candidates: &[Candidate], now: DateTime<Utc>) -> Self {
        let each =
            |texts: fn(&Candidate) -> &str| counted(candidates.iter().flat_map(|candidate| texts(candidate).lines()));
        let flags = each(|candidate| &candidate.flags);
        let is =
            Flag::ALL.into_iter().filter_map(|flag| flags.iter().find(|facet| facet.value == flag.as_str()).cloned());
        let within = |days: u16| {
            let since = now - TimeDelta::days(days.into());
            let count =
                candidates.iter().filter(|candidate| candidate.updated_at.is_some_and(|at| at >= since)).count();
            Facet { value: format!("{days}d"), count }
        };
        Self {
            kind: counted(candidates.iter().map(|candidate| candidate.kind.as_str())),
            platform: each(|candidate| &candidate.platforms),
            license: each(|candidate| &candidate.licenses),
            is: is.collect(),
            updated: WITHIN.into_iter().map(within).filter(|facet| facet.count > 0).collect(),
        }
    }
}

/// The most frequent values, and how often they are there.
fn counted<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Facet> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let mut facets: Vec<Facet> =
        counts.into_iter().map(|(value, count)| Facet { value: value.to_owned(), count }).collect();
    facets.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.value.cmp(&other.value)));
    facets.truncate(MOST);
    facets
}
