//! What there is of the words and conditions of a query: looked up at once.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::FromQueryResult;
use types::search::{Query, Term, licenses_meant, words};

use super::{
    Reader,
    plan::{A_FEW, Key, worth},
};
use crate::StoreError;

/// The most endings of the last word that are looked for, and how many are whatever they come to; the others must be so few
/// together that they can be read as a whole.
const ENDINGS: usize = 100;
const ENDINGS_AT_LEAST: usize = 24;
const ENDINGS_TOGETHER: i64 = 20_000;
/// The most owners whom a word names.
const OWNERS: usize = 10;

/// What there is of the query's words.
#[derive(Default)]
pub(super) struct Known {
    pub documents: BTreeMap<String, i64>,
    /// Words that begin with the last one, as keys of names.
    endings: Vec<(String, i64)>,
    /// Accounts by the word that names them; whether it is all of the handle's first part.
    pub owners: BTreeMap<String, Vec<(String, bool)>>,
}

#[derive(FromQueryResult)]
struct Row {
    what: String,
    word: String,
    value: String,
    n: i64,
}

/// What a query names: keys of postings, and what may be handles.
fn named(query: &Query) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut names) = (BTreeSet::new(), BTreeSet::new());
    let as_word = |part: String| [format!("/{part}"), format!("~{part}"), part];
    for term in &query.terms {
        let term = if let Term::Not(term) = term { term } else { term };
        match term {
            Term::Word(word) => {
                names.insert(word.clone());
                for part in words(word) {
                    keys.extend(conditions_named(&part).flat_map(|term| condition_keys(&term)));
                    keys.extend(as_word(part));
                }
            }
            Term::Phrase(phrase) => keys.extend(words(phrase).flat_map(as_word)),
            Term::Owner(owner) => {
                names.insert(owner.clone());
            }
            other => keys.extend(condition_keys(other)),
        }
    }
    (keys.into_iter().collect(), names.into_iter().collect())
}

/// The conditions that a word may be meant as.
pub(super) fn conditions_named(word: &str) -> impl Iterator<Item = Term> + use<> {
    let conditions = ["platform", "kind", "license", "is"].map(|key| format!("{key}:{word}"));
    conditions.into_iter().flat_map(|condition| Query::parse(&condition).terms)
}

/// The keys of which a repository that meets a condition has one.
pub(super) fn condition_keys(term: &Term) -> Vec<String> {
    match term {
        Term::Kind(kind) => vec![format!(":kind={kind}")],
        Term::Platform(platform) => vec![format!(":platform={platform}")],
        Term::License(license) => {
            licenses_meant(license).into_iter().map(|license| format!(":license={license}")).collect()
        }
        Term::Is(flag) => vec![format!(":is={}", flag.as_str())],
        _ => Vec::new(),
    }
}

impl Reader {
    pub(super) async fn known(&self, query: &Query) -> Result<Known, StoreError> {
        let mut known = Known::default();
        if query.is_empty() {
            return Ok(known);
        }
        let (keys, names) = named(query);
        let last = query.words().last().and_then(|word| words(word).last()).unwrap_or_default();
        let sql = format!(
            "SELECT 'word' AS what, word::text, '' AS value, documents::bigint AS n FROM search_word WHERE word = ANY($1)
             UNION ALL SELECT 'ending', e.word, '', e.documents FROM ({}) e
             UNION ALL SELECT 'owner', t.name, o.did, o.n FROM unnest($2::text[]) t (name) CROSS JOIN LATERAL (
                 SELECT a.did, (a.handle = t.name OR starts_with(a.handle, t.name || '.'))::int::bigint AS n FROM actor a
                 WHERE a.handle >= t.name AND a.handle < t.name || U&'\\+10FFFF' AND a.active
                   AND a.handle_checked_at > now() - interval '24 hours'
                 ORDER BY a.handle LIMIT {OWNERS}) o",
            endings(&last)
        );
        let rows: Vec<Row> = self.all(&sql, vec![keys.into(), names.into(), last.clone().into()]).await?;
        for Row { what, word, value, n } in rows {
            match what.as_str() {
                "word" => {
                    known.documents.insert(word, n);
                }
                "ending" => known.endings.push((word, n)),
                // Of short words too many handles begin with it.
                _ if n == 1 || word.len() > 2 => known.owners.entry(word).or_default().push((value, n == 1)),
                _ => {}
            }
        }
        Ok(known)
    }
}

/// Keys of names that begin with `$3`: the most frequent, by an index for the first three characters and the words' own for
/// more.
fn endings(last: &str) -> String {
    let length = last.chars().count();
    let range = "word >= '/' AND word < '0'";
    match length {
        0 => "SELECT word, documents FROM search_word WHERE false AND $3 = ''".to_owned(),
        1..=3 => format!(
            "SELECT word, documents FROM search_word
             WHERE {range} AND left(word, {}) = '/' || $3 AND word <> '/' || $3 ORDER BY level DESC, word LIMIT {ENDINGS}",
            length + 1
        ),
        _ => format!(
            "SELECT word, documents FROM (
                 SELECT word, documents FROM search_word
                 WHERE word > '/' || $3 AND word < '/' || $3 || U&'\\+10FFFF' ORDER BY word LIMIT 300) w
             ORDER BY documents DESC, word LIMIT {ENDINGS}"
        ),
    }
}

impl Known {
    /// The query's words one by one. A word with dots is a handle, or else several words.
    pub fn wanted(&self, query: &Query) -> Vec<String> {
        let mut wanted: Vec<String> = Vec::new();
        for word in query.words() {
            let parts: Vec<String> = words(word).collect();
            if parts.len() > 1 && self.owners.contains_key(word) {
                wanted.push(word.to_owned());
            } else {
                wanted.extend(parts);
            }
        }
        wanted
    }

    /// How many repositories a key has, about.
    pub fn count(&self, key: &str) -> i64 {
        if key.starts_with('@') { A_FEW } else { self.documents.get(key).copied().unwrap_or(0) }
    }

    /// What a word may stand for, the best first.
    pub fn keys(&self, word: &str, is_last: bool) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut add = |key: String, worth: i32| {
            if let Some(documents) = self.documents.get(&key) {
                keys.push(Key { word: key, worth, documents: *documents });
            }
        };
        add(format!("/{word}"), worth::NAME);
        add(word.to_owned(), worth::TEXT);
        add(format!("~{word}"), worth::README);
        for (did, is_whole) in self.owners.get(word).into_iter().flatten() {
            let worth = if *is_whole { worth::OWNER } else { worth::OWNER_PREFIX };
            keys.push(Key { word: format!("@{did}"), worth, documents: A_FEW });
        }
        if is_last {
            let length = word.chars().count();
            let mut together = 0;
            for (n, (ending, documents)) in self.endings.iter().enumerate() {
                together += documents;
                if n >= ENDINGS_AT_LEAST && together > ENDINGS_TOGETHER {
                    break;
                }
                let share = 10 * length / ending.chars().count().max(1);
                let worth = worth::PREFIX + i32::try_from(share).unwrap_or_default();
                keys.push(Key { word: ending.clone(), worth, documents: *documents });
            }
        }
        keys.sort_by_key(|key| -key.worth);
        keys
    }
}
