//! What is said of a query that was not read as it was perhaps meant.

use std::fmt;

use super::{ArtifactKind, Flag, Term, distance, words};

/// The conditions that there are.
const CONDITIONS: [&str; 6] = ["owner", "kind", "platform", "license", "is", "updated"];
/// Signs that may belong to a name (`c++`), and do not only part words.
const SIGNS: &str = "+#*%~^=<>|&$\\`";
/// The most characters of what was written that are repeated.
const LONGEST: usize = 60;

/// Something of a query that was not read as it was perhaps meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// As it was written, its beginning.
    pub typed: String,
    /// What became of it.
    pub fate: Fate,
    /// What may have been meant.
    pub near: Option<Term>,
}

/// What became of a part of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is no condition of ours: its parts are words.
    Words,
    /// It is a condition whose value is none, and is left out; what a value looks like.
    LeftOut(&'static str),
    /// Only its letters and digits are words.
    Letters,
    /// It has neither letters nor digits, and is left out.
    Nothing,
}

impl Note {
    fn new(typed: &str, fate: Fate, near: Option<Term>) -> Self {
        Self { typed: typed.chars().take(LONGEST).collect(), fate, near }
    }

    /// Of `key:value`, which is no condition; `with` reads one.
    pub(super) fn of_condition(key: &str, value: &str, with: impl Fn(&str, &str) -> Option<Term>) -> Option<Self> {
        let typed = format!("{key}:{value}");
        let lower = key.to_lowercase();
        let values = match lower.as_str() {
            "kind" => "image, chart, wasm or artifact",
            "is" | "has" => "signed, sbom, scanned or public",
            "updated" => "a number of days, weeks, months or years: 30d, 2w, 6m, 1y",
            "owner" | "did" => "a handle or a DID: alice.example, or only alice",
            "platform" => "a system, an architecture or both: linux, arm64, linux/arm64",
            "license" | "licence" => "an SPDX identifier: MIT, Apache-2.0",
            // An address.
            _ if value.starts_with("//") || value.is_empty() => return None,
            _ => {
                let near = CONDITIONS.iter().filter(|known| known.len() > 2 && distance(known, &lower) <= 2);
                let near = near.min_by_key(|known| distance(known, &lower)).and_then(|known| with(known, value));
                return Some(Self::new(&typed, Fate::Words, near));
            }
        };
        let near = match lower.as_str() {
            "kind" => nearest(value, ArtifactKind::ALL.map(ArtifactKind::as_str)),
            "is" | "has" => nearest(value, Flag::ALL.map(Flag::as_str)),
            _ => None,
        };
        Some(Self::new(&typed, Fate::LeftOut(values), near.and_then(|near| with(&lower, near))))
    }

    /// Of a word that has signs, or nothing else.
    pub(super) fn of_signs(typed: &str) -> Option<Self> {
        let reads = words(typed).next().is_some();
        let is_sign = |c: char| if reads { SIGNS.contains(c) } else { !c.is_ascii_punctuation() };
        let fate = if reads { Fate::Letters } else { Fate::Nothing };
        typed.chars().any(is_sign).then(|| Self::new(typed, fate, None))
    }

    /// Of a whole query that has no word.
    pub(super) fn of_nothing(typed: &str) -> Self {
        Self::new(typed.trim(), Fate::Nothing, None)
    }
}

fn nearest<const N: usize>(value: &str, known: [&'static str; N]) -> Option<&'static str> {
    let value = value.to_lowercase();
    known.into_iter().filter(|known| distance(known, &value) <= 2).min_by_key(|known| distance(known, &value))
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { typed, fate, .. } = self;
        let key = typed.split(':').next().unwrap_or_default();
        match fate {
            Fate::Words => write!(
                f,
                "“{key}:” is no condition, so “{typed}” was read as words. The conditions are {}: and {}:.",
                CONDITIONS[..5].join(":, "),
                CONDITIONS[5]
            ),
            Fate::LeftOut(values) => write!(f, "“{typed}” was left out: after “{key}:” comes {values}."),
            Fate::Letters => write!(
                f,
                "“{typed}” was read as “{}”: only letters and digits are searched for.",
                words(typed).collect::<Vec<_>>().join(" ")
            ),
            Fate::Nothing => {
                write!(f, "Nothing of “{typed}” can be searched for: it has neither letters nor digits.")
            }
        }
    }
}
