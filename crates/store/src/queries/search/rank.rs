//! How good a match is: what the words' places are worth, whether the name is what was searched for, and then stars, pulls and
//! freshness.

use types::search::{squashed, words};

use super::{candidates::Candidate, plan::Plan};

/// The name is the query, without what separates words; or its last part is.
const SAME_NAME: i64 = 12_000;
const SAME_LAST_PART: i64 = 8_000;
/// The name begins with the query.
const BEGINS: i64 = 4_000;
/// So much of the name is the query.
const SHARE: i64 = 3_000;
/// A point of the static score; there are about sixty.
const STATIC: i64 = 50;

/// What a candidate's matches of the query's words are worth, together. By which key it was found is known of the driver's term
/// alone: of the others it is told by the name and the owner, or else taken for the best place that is neither.
pub(super) fn worth(plan: &Plan, driver: usize, candidate: &Candidate) -> i32 {
    let found_by = candidate.found_by.as_str();
    let name: Vec<String> = words(&candidate.name).collect();
    let of_term = |n: usize| {
        let keys = &plan.all[n];
        if n == driver || found_by.starts_with('=') {
            return keys.iter().filter(|key| key.word == found_by).map(|key| key.worth).max().unwrap_or_default();
        }
        let matches = |key: &str| match key.split_at_checked(1) {
            Some(("/", word)) => name.iter().any(|own| own == word),
            Some(("@", did)) => did == candidate.did,
            Some(("=", _)) | None => false,
            Some(_) => true,
        };
        keys.iter().filter(|key| matches(&key.word)).map(|key| key.worth).max().unwrap_or_default()
    };
    (0..plan.words).map(of_term).sum()
}

/// A greater number is a better match. It changes only with what it is made of, so that pages meet.
pub(super) fn score(plan: &Plan, candidate: &Candidate) -> i64 {
    let words = i64::try_from(plan.words.max(1)).unwrap_or(1);
    let text = i64::from(candidate.worth) * 100 / words;
    let (name, last) = (squashed(&candidate.name), squashed(candidate.name.rsplit('/').next().unwrap_or_default()));
    let of_name = |(n, query): (usize, &String)| {
        // What was put right counts a little less than what was written.
        let doubt = if n == 0 { 10 } else { 9 };
        let length = |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX).max(1);
        let mut value = 0;
        if name == *query {
            value += SAME_NAME;
        } else if last == *query {
            value += SAME_LAST_PART;
        }
        if name.starts_with(query.as_str()) {
            value += BEGINS;
        }
        if name.contains(query.as_str()) {
            value += SHARE * length(query) / length(&name);
        }
        value * doubt / 10
    };
    let named = plan.names.iter().enumerate().map(of_name).max().unwrap_or_default();
    text + named + i64::from(candidate.score) * STATIC
}

#[cfg(test)]
mod tests {
    use super::super::{candidates::Candidate, plan::Plan};
    use super::score;

    fn candidate(name: &str, worth: i32, score: i16) -> Candidate {
        Candidate {
            id: 1,
            did: "did:plc:a".into(),
            name: name.into(),
            score,
            found_by: String::new(),
            worth,
            kind: "image".into(),
            platforms: Default::default(),
            licenses: Default::default(),
            flags: Default::default(),
            updated_at: None,
        }
    }

    #[test]
    fn the_name_counts_most_then_the_words_then_fame() {
        let plan = Plan { words: 1, names: vec!["nginx".into()], ..Plan::default() };
        let order = [
            candidate("nginx", 100, 0),
            candidate("team/nginx", 100, 5),
            candidate("nginx-proxy", 100, 30),
            candidate("my-nginx", 100, 10),
            candidate("proxy", 50, 60),
            candidate("web", 50, 10),
            candidate("web", 15, 12),
        ];
        let scores: Vec<i64> = order.iter().map(|candidate| score(&plan, candidate)).collect();
        assert!(scores.is_sorted_by(|one, other| one > other), "{scores:?}");
    }
}
