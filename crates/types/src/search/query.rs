use std::{fmt, str::FromStr};

use super::{ArtifactKind, Fate, Note, words};

/// The most bytes of a query that are read: a page repeats it in each of its links.
const LONGEST_QUERY: usize = 300;
/// The most terms; what comes after them is left out.
const MOST_TERMS: usize = 12;

/// What somebody searches for: words and conditions, all of which must hold.
///
/// ```
/// use crowsnest_types::search::{Query, Term};
/// let query = Query::parse(r#"postgres owner:alice kind:chart -test "exact words""#);
/// assert_eq!(query.terms.len(), 5);
/// assert_eq!(query.to_string(), r#"postgres owner:alice kind:chart -test "exact words""#);
/// assert_eq!(query.without(&Term::Owner("alice".into())).to_string(), r#"postgres kind:chart -test "exact words""#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// In the order in which they were written, each once.
    pub terms: Vec<Term>,
    /// Whether there was more than is read.
    pub is_cut: bool,
    /// What was not read as it was perhaps meant.
    pub notes: Vec<Note>,
}

/// One part of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A word somewhere, misspelt perhaps; or several with dots between them, which may be a handle.
    Word(String),
    /// Words next to each other, as they are; in lower case.
    Phrase(String),
    /// `owner:`, a handle, its first part, or a DID.
    Owner(String),
    /// `kind:`
    Kind(ArtifactKind),
    /// `platform:`, such as `linux/arm64`, or only `linux` or `arm64`.
    Platform(String),
    /// `license:`, an SPDX identifier, in lower case.
    License(String),
    /// `is:signed` and the like.
    Is(Flag),
    /// `updated:30d`: within so many days.
    Updated(u16),
    /// `-word`: nowhere; or a condition that must not hold.
    Not(Box<Term>),
}

/// What is true of a repository or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// A signature is published about it.
    Signed,
    /// A bill of materials is published about it.
    Sbom,
    /// Its hold has scanned it.
    Scanned,
    /// Its hold serves everyone.
    Public,
}

impl Flag {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Signed, Self::Sbom, Self::Scanned, Self::Public];

    /// `signed`, `sbom`, `scanned`, `public`
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Sbom => "sbom",
            Self::Scanned => "scanned",
            Self::Public => "public",
        }
    }
}

/// In which order results come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By how well they match; without a query the newest first.
    #[default]
    Relevance,
    /// The most stars first.
    Stars,
    /// The most pulls through us first.
    Pulls,
    /// The newest push first.
    Newest,
    /// By name.
    Name,
}

/// No order of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("results are sorted by relevance, stars, pulls, newest or name")]
pub struct UnknownSort;

impl Sort {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Relevance, Self::Stars, Self::Pulls, Self::Newest, Self::Name];

    /// `relevance`, `stars`, `pulls`, `newest`, `name`
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relevance => "relevance",
            Self::Stars => "stars",
            Self::Pulls => "pulls",
            Self::Newest => "newest",
            Self::Name => "name",
        }
    }
}

impl FromStr for Sort {
    type Err = UnknownSort;

    /// Nothing is [`Sort::Relevance`].
    fn from_str(text: &str) -> Result<Self, UnknownSort> {
        if text.is_empty() {
            return Ok(Self::Relevance);
        }
        Self::ALL.into_iter().find(|sort| sort.as_str() == text).ok_or(UnknownSort)
    }
}

impl Query {
    /// Reads a query. Every text is one: what is no condition of ours is words.
    pub fn parse(text: &str) -> Self {
        let end = text.floor_char_boundary(LONGEST_QUERY);
        let mut query = Self { is_cut: !text[end..].trim().is_empty(), ..Self::default() };
        let mut rest = text[..end].trim_start();
        while !rest.is_empty() {
            let (token, after) = token(rest);
            query.read(token);
            rest = after.trim_start();
        }
        if query.is_empty() && query.notes.is_empty() && !text.trim().is_empty() {
            query.notes.push(Note::of_nothing(text));
        }
        query
    }

    /// Says what a token that is no condition is taken for; whether it is left out.
    fn note(&mut self, token: &Token<'_>) -> bool {
        let of_key = token.key.filter(|key| !key.is_empty());
        let note = match of_key.and_then(|key| Note::of_condition(key, token.value, condition)) {
            Some(note) => Some(note),
            None if token.is_phrase() => None,
            None => Note::of_signs(token.value),
        };
        let left_out = matches!(&note, Some(Note { fate: Fate::LeftOut(_), .. }));
        self.notes.extend(note.filter(|note| !self.notes.contains(note)));
        left_out
    }

    fn read(&mut self, token: Token<'_>) {
        let Token { is_not, key, value } = token.clone();
        let condition = key.and_then(|key| condition(key, value));
        if condition.is_none() && self.note(&token) {
            return;
        }
        let terms: Vec<Term> = match condition {
            Some(term) => vec![term],
            None if token.is_phrase() => {
                let phrase = words(value).collect::<Vec<_>>().join(" ");
                if phrase.contains(' ') { vec![Term::Phrase(phrase)] } else { words(value).map(Term::Word).collect() }
            }
            None => key.into_iter().chain(value.split('/')).flat_map(dotted).map(Term::Word).collect(),
        };
        for term in terms {
            let term = if is_not { Term::Not(Box::new(term)) } else { term };
            if self.terms.contains(&term) {
                continue;
            }
            if self.terms.len() == MOST_TERMS {
                self.is_cut = true;
                return;
            }
            self.terms.push(term);
        }
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The words that may be anywhere.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter_map(|term| match term {
            Term::Word(word) => Some(word.as_str()),
            _ => None,
        })
    }

    /// Whether a condition is among the terms.
    pub fn has(&self, term: &Term) -> bool {
        self.terms.contains(term)
    }

    /// The query with one more term.
    #[must_use]
    pub fn with(&self, term: Term) -> Self {
        let mut query = self.clone();
        if !query.has(&term) {
            query.terms.push(term);
        }
        query
    }

    /// The query without a term.
    #[must_use]
    pub fn without(&self, term: &Term) -> Self {
        let terms = self.terms.iter().filter(|other| *other != term).cloned().collect();
        Self { terms, ..Self::default() }
    }

    /// The query with one term in the place of another, each as it is written.
    #[must_use]
    pub fn corrected(&self, wrong: &str, right: &str) -> Self {
        let mut corrected = Self::default();
        for term in &self.terms {
            let put = if term.to_string() == wrong { Self::parse(right).terms } else { vec![term.clone()] };
            for term in put {
                corrected = corrected.with(term);
            }
        }
        corrected
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, term) in self.terms.iter().enumerate() {
            write!(f, "{}{term}", if n == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Phrase(phrase) => write!(f, "\"{phrase}\""),
            Self::Owner(owner) => write!(f, "owner:{owner}"),
            Self::Kind(kind) => write!(f, "kind:{kind}"),
            Self::Platform(platform) => write!(f, "platform:{platform}"),
            Self::License(license) if license.contains(' ') => write!(f, "license:\"{license}\""),
            Self::License(license) => write!(f, "license:{license}"),
            Self::Is(flag) => write!(f, "is:{}", flag.as_str()),
            Self::Updated(days) => write!(f, "updated:{days}d"),
            Self::Not(term) => write!(f, "-{term}"),
        }
    }
}

#[derive(Clone)]
struct Token<'a> {
    is_not: bool,
    key: Option<&'a str>,
    value: &'a str,
}

impl Token<'_> {
    fn is_phrase(&self) -> bool {
        self.key.is_none() && self.value.contains(char::is_whitespace)
    }
}

/// The first token of a text that begins with no blank, and what follows it: `[-][key:]value`, the value in quotes if it has
/// blanks.
fn token(text: &str) -> (Token<'_>, &str) {
    let (is_not, text) = match text.strip_prefix('-') {
        Some(rest) if rest.starts_with(|c: char| !c.is_whitespace()) => (true, rest),
        _ => (false, text),
    };
    let end = text.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(text.len());
    let key = text[..end].split_once(':').map(|(key, _)| key);
    let value = &text[key.map_or(0, |key| key.len() + 1)..];
    let (value, rest) = match value.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        // A quote within a word begins another token.
        None => value.split_at(value.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(value.len())),
    };
    (Token { is_not, key, value }, rest)
}

/// What may be a handle stays whole.
fn dotted(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('@');
    let whole = text.to_ascii_lowercase();
    let is_label = |label: &str| {
        let inner = label.trim_matches('-');
        !inner.is_empty() && inner.len() == label.len() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if whole.len() <= 253 && whole.contains('.') && whole.split('.').all(is_label) {
        return vec![whole];
    }
    words(text).collect()
}

fn condition(key: &str, value: &str) -> Option<Term> {
    let value = value.trim().to_lowercase();
    let value = if key.eq_ignore_ascii_case("owner") { value.trim_start_matches('@').to_owned() } else { value };
    let plain = |legal: &str| {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || legal.contains(c);
        (!value.is_empty() && value.len() <= 100 && value.chars().all(is_legal)).then(|| value.clone())
    };
    match key.to_ascii_lowercase().as_str() {
        "owner" => plain(".:-_%").map(Term::Owner),
        "did" => plain(".:-_%").map(|rest| Term::Owner(format!("did:{rest}"))),
        "kind" => value.parse().ok().map(Term::Kind),
        "platform" => plain("/._-").map(Term::Platform),
        "license" | "licence" => plain(".-+() ").map(Term::License),
        "is" | "has" => Flag::ALL.into_iter().find(|flag| flag.as_str() == value).map(Term::Is),
        "updated" => {
            let (number, days) = match value.chars().last()? {
                'd' => (value.strip_suffix('d')?, 1),
                'w' => (value.strip_suffix('w')?, 7),
                'm' => (value.strip_suffix('m')?, 30),
                'y' => (value.strip_suffix('y')?, 365),
                _ => (value.as_str(), 1),
            };
            let days = number.parse::<u16>().ok()?.checked_mul(days)?;
            (days > 0).then_some(Term::Updated(days))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
