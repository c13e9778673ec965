//! What search knows of a repository.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use types::search::{ArtifactKind, squashed, words};

/// The most words of a README that are posted.
const README_WORDS: usize = 300;
/// The most platforms of a document, and the most bytes of one: a key has to fit into an index.
const PLATFORMS: usize = 40;
const LONGEST_PLATFORM: usize = 100;
/// Freshness counts from here, half a year a step: by the push's own date, so that nothing has to be written as time goes by.
const EPOCH: i64 = 1_577_836_800; // 2020-01-01
const HALF_YEAR: i64 = 15_778_800;

/// A repository as it is found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub did: String,
    pub name: String,
    pub static_score: i16,
    pub kind: ArtifactKind,
    pub platforms: Vec<String>,
    pub licenses: Vec<String>,
    pub flags: Vec<String>,
    pub updated_at: Option<DateTime<Utc>>,
    /// Sorted, each once.
    pub keys: Vec<String>,
}

/// What strangers wrote about it.
pub(super) struct Texts<'a> {
    pub title: Option<&'a str>,
    pub summary: Option<&'a str>,
    pub readme: Option<&'a str>,
}

impl Document {
    /// Gives it its keys: see `search_posting`.
    pub fn post(&mut self, texts: &Texts<'_>) {
        self.platforms.retain(|platform| platform.len() <= LONGEST_PLATFORM);
        self.platforms.truncate(PLATFORMS);
        let name: BTreeSet<String> = words(&self.name).collect();
        let about: BTreeSet<String> = [texts.title, texts.summary]
            .into_iter()
            .flatten()
            .flat_map(words)
            .filter(|word| !name.contains(word))
            .collect();
        let readme =
            words(texts.readme.unwrap_or_default()).filter(|word| !name.contains(word) && !about.contains(word));
        let mut in_readme: BTreeSet<String> = BTreeSet::new();
        for word in readme {
            if in_readme.len() == README_WORDS {
                break;
            }
            in_readme.insert(word);
        }
        let last = self.name.rsplit('/').next().unwrap_or_default();
        let mut keys: BTreeSet<String> = [&self.name, last].iter().map(|name| format!("={}", squashed(name))).collect();
        keys.extend(["*".to_owned(), format!("@{}", self.did), format!(":kind={}", self.kind)]);
        keys.extend(name.iter().map(|word| format!("/{word}")));
        keys.extend(in_readme.iter().map(|word| format!("~{word}")));
        let platforms = self.platforms.iter().flat_map(|platform| platform_answers(platform));
        keys.extend(platforms.map(|platform| format!(":platform={platform}")));
        keys.extend(self.licenses.iter().map(|license| format!(":license={}", license.to_lowercase())));
        keys.extend(self.flags.iter().map(|flag| format!(":is={flag}")));
        keys.extend(about);
        self.keys = keys.into_iter().collect();
    }
}

/// `linux/arm/v7` is found by itself, by `linux/arm`, `linux` and `arm`.
pub(crate) fn platform_answers(platform: &str) -> Vec<String> {
    let platform = platform.to_lowercase();
    let parts: Vec<&str> = platform.split('/').collect();
    let mut answers: Vec<String> = (1..=parts.len()).map(|n| parts[..n].join("/")).collect();
    answers.extend(parts.get(1).map(|architecture| (*architecture).to_owned()));
    answers
}

/// Stars, pulls and freshness as one number. Each is counted by its binary digits, so that it changes ever more seldom. A date
/// in the future is nobody's merit.
pub(super) fn static_score(stars: i32, pulls: i64, updated_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> i16 {
    let digits = |n: u64| (u64::BITS - n.leading_zeros()) as i64;
    let fresh = updated_at.filter(|at| *at <= now).map_or(0, |at| ((at.timestamp() - EPOCH) / HALF_YEAR).clamp(0, 60));
    let score = digits(u64::from(stars.unsigned_abs())) * 4 + digits(pulls.unsigned_abs()) * 2 + fresh;
    i16::try_from(score).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use types::search::ArtifactKind;

    use super::{Document, Texts, static_score};

    #[test]
    fn a_word_is_posted_once_where_it_counts_most() {
        let mut document = Document {
            did: "did:plc:a".into(),
            name: "team/My-App".into(),
            static_score: 0,
            kind: ArtifactKind::Image,
            platforms: vec!["linux/arm/v7".into(), "x".repeat(5_000)],
            licenses: vec!["MIT".into()],
            flags: vec!["signed".into()],
            updated_at: None,
            keys: Vec::new(),
        };
        document.post(&Texts {
            title: Some("My app"),
            summary: Some("A fast app"),
            readme: Some("# My app\n\nfast, [small](x)"),
        });
        assert_eq!(
            document.keys,
            [
                "*",
                "/app",
                "/my",
                "/team",
                ":is=signed",
                ":kind=image",
                ":license=mit",
                ":platform=arm",
                ":platform=linux",
                ":platform=linux/arm",
                ":platform=linux/arm/v7",
                "=myapp",
                "=teammyapp",
                "@did:plc:a",
                "a",
                "fast",
                "~small",
                "~x",
            ]
        );
    }

    #[test]
    fn the_static_score_is_coarse() {
        let now = Utc::now();
        let at = |stars, pulls, days| static_score(stars, pulls, Some(now - TimeDelta::days(days)), now);
        assert_eq!(at(4, 0, 0), at(7, 0, 0));
        assert!(at(8, 0, 0) > at(7, 0, 0) && at(0, 64, 0) > at(0, 63, 0) && at(0, 0, 0) > at(0, 0, 900));
        assert!(static_score(0, 0, Some(now + TimeDelta::days(900)), now) == 0 && static_score(-1, 0, None, now) >= 0);
    }
}
