//! Which keys of the postings each term of a query stands for, by the words that there are.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::FromQueryResult;
use serde::Serialize;
use types::search::{Query, Term, distance, squashed, variants, words};

use super::Reader;
use crate::StoreError;

/// The most endings of the last word that are looked for, and how many are whatever they come to; the others must be so few
/// together that they can be read as a whole.
const ENDINGS: usize = 100;
const ENDINGS_AT_LEAST: usize = 24;
const ENDINGS_TOGETHER: i64 = 20_000;
/// The most owners whom a word names.
const OWNERS: usize = 10;
/// A word that so few have may be a mistake.
const RARE: i64 = 3;
/// Of an owner and of a whole name it is not known how many repositories there are.
const A_FEW: i64 = 20;

/// What a match is worth, in hundredths of the best.
mod worth {
    pub const NAME: i32 = 100;
    pub const PREFIX: i32 = 70;
    pub const MISSPELT: i32 = 60;
    pub const TEXT: i32 = 50;
    pub const OWNER: i32 = 45;
    pub const OWNER_PREFIX: i32 = 30;
    pub const README: i32 = 15;
}

/// A query as keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// For each term that must hold: the keys of which one must be there.
    pub all: Vec<Vec<Key>>,
    /// Keys that must not be there, a list a term.
    pub none: Vec<Vec<Key>>,
    /// Phrases that the texts must hold, and those that they must not.
    pub phrases: Vec<(String, bool)>,
    /// Within how many days a push must have been, and whether it must not.
    pub updated: Vec<(i32, bool)>,
    /// The words without what separates them, as they were written and as they were put right.
    pub names: Vec<String>,
    /// How many of `all` are words: what is ranked by. They are the first.
    pub words: usize,
    /// Words that were put right.
    pub corrections: Vec<Correction>,
}

/// A key of the postings.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub word: String,
    /// See [`worth`].
    pub worth: i32,
    /// How many are posted, about.
    pub documents: i64,
}

/// A word that nothing has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Correction {
    /// As it was written.
    pub word: String,
    /// The nearest words that there are, the likeliest first.
    pub nearest: Vec<String>,
    /// Whether they were looked for in its place.
    pub used: bool,
}

/// What there is of the query's words.
#[derive(Default)]
struct Known {
    documents: BTreeMap<String, i64>,
    /// Words that begin with the last one, as keys of names.
    endings: Vec<(String, i64)>,
    /// Accounts by the word that names them; whether it is all of the handle's first part.
    owners: BTreeMap<String, Vec<(String, bool)>>,
}

#[derive(FromQueryResult)]
struct Row {
    what: String,
    word: String,
    value: String,
    n: i64,
}

impl Reader {
    pub(super) async fn plan(&self, query: &Query) -> Result<Plan, StoreError> {
        let known = self.known(query).await?;
        let mut plan = Plan::default();
        // A word with dots is a handle, or else several words.
        let mut wanted: Vec<String> = Vec::new();
        for word in query.words() {
            let parts: Vec<String> = words(word).collect();
            if parts.len() > 1 && known.owners.contains_key(word) {
                wanted.push(word.to_owned());
            } else {
                wanted.extend(parts);
            }
        }
        let whole: String = wanted.iter().map(|word| squashed(word)).collect();
        let mut right = wanted.clone();
        // The endings are of the last part of a handle, which is not looked for.
        let last = wanted.len().saturating_sub(1);
        for (n, word) in wanted.iter().enumerate() {
            let mut keys = known.keys(word, n == last && !word.contains('.'));
            let count: i64 = keys.iter().map(|key| key.documents).sum();
            if count <= RARE && !known.owners.contains_key(word) {
                let nearest = self.nearest(word).await?;
                let used = count == 0;
                if let Some(best) = nearest.first().filter(|_| used) {
                    right[n].clone_from(best);
                }
                if used {
                    let misspelt = nearest.iter().take(3).map(|near| (near, known.documents.get(near).copied()));
                    keys.extend(misspelt.flat_map(|(near, n)| misspelt_keys(near, n.unwrap_or(A_FEW))));
                }
                if !nearest.is_empty() {
                    plan.corrections.push(Correction { word: word.clone(), nearest, used });
                }
            }
            plan.all.push(keys);
        }
        plan.words = plan.all.len();
        plan.names = vec![whole, right.concat()];
        plan.names.dedup();
        plan.names.retain(|name| !name.is_empty());
        for keys in &mut plan.all {
            let exact =
                plan.names.iter().map(|name| Key { word: format!("={name}"), worth: worth::NAME, documents: A_FEW });
            keys.splice(0..0, exact);
        }
        for term in &query.terms {
            known.condition(term, false, &mut plan);
        }
        if plan.all.is_empty() {
            plan.all.push(vec![Key { word: "*".into(), worth: 0, documents: i64::MAX }]);
        }
        Ok(plan)
    }

    /// Looks everything up that the query names, at once.
    async fn known(&self, query: &Query) -> Result<Known, StoreError> {
        let (mut keys, mut names) = (BTreeSet::new(), BTreeSet::new());
        for term in &query.terms {
            let term = if let Term::Not(term) = term { term } else { term };
            match term {
                Term::Word(word) => {
                    names.insert(word.clone());
                    for part in words(word) {
                        keys.extend([format!("/{part}"), format!("~{part}"), part]);
                    }
                }
                Term::Phrase(phrase) => {
                    keys.extend(words(phrase).flat_map(|part| [format!("/{part}"), format!("~{part}"), part]))
                }
                Term::Owner(owner) => {
                    names.insert(owner.clone());
                }
                other => keys.extend(condition_key(other)),
            }
        }
        let mut known = Known::default();
        if query.is_empty() {
            return Ok(known);
        }
        let last = query.words().last().and_then(|word| words(word).last()).unwrap_or_default();
        let (keys, names): (Vec<String>, Vec<String>) = (keys.into_iter().collect(), names.into_iter().collect());
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

    /// The words that are one mistake away, the most frequent first; or else those that look most alike.
    async fn nearest(&self, word: &str) -> Result<Vec<String>, StoreError> {
        let variants: Vec<String> = variants(word).into_iter().collect();
        if variants.is_empty() {
            return Ok(Vec::new());
        }
        let near = "SELECT s.word::text AS word, '' AS what, '' AS value, max(w.documents * CASE WHEN left(w.word, 1) = '/' THEN 4 ELSE 1 END)::bigint AS n
                    FROM (SELECT DISTINCT word FROM search_spelling WHERE variant = ANY($1) LIMIT 300) s
                    JOIN search_word w ON w.word IN (s.word, '/' || s.word) GROUP BY 1";
        let rows: Vec<Row> = self.all(near, vec![variants.into()]).await?;
        let mut found: Vec<(usize, i64, String)> =
            rows.into_iter().map(|row| (distance(word, &row.word), -row.n, row.word)).collect();
        found.retain(|(mistakes, _, near)| *mistakes == 1 && near != word);
        if found.is_empty() {
            let alike = "SELECT substr(word, 2) AS word, '' AS what, '' AS value, documents::bigint AS n FROM search_word
                         WHERE word >= '/' AND word < '0' AND word % $1 ORDER BY similarity(word, $1) DESC, documents DESC LIMIT 8";
            let rows: Vec<Row> = self.all(alike, vec![word.into()]).await?;
            found = rows.into_iter().map(|row| (distance(word, &row.word), -row.n, row.word)).collect();
            found.retain(|(mistakes, _, near)| near != word && *mistakes <= word.chars().count().div_ceil(3));
        }
        found.sort();
        Ok(found.into_iter().map(|(.., word)| word).take(5).collect())
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
    /// What a word may stand for, the best first.
    fn keys(&self, word: &str, is_last: bool) -> Vec<Key> {
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

    /// Adds what is no word to be ranked by.
    fn condition(&self, term: &Term, is_not: bool, plan: &mut Plan) {
        let keys = match term {
            Term::Not(term) => return self.condition(term, true, plan),
            Term::Word(_) if !is_not => return,
            Term::Word(word) => {
                plan.none.extend(words(word).map(|word| {
                    self.keys(&word, false).into_iter().filter(|key| !key.word.starts_with('@')).collect()
                }));
                return;
            }
            Term::Phrase(phrase) => {
                plan.phrases.push((phrase.clone(), is_not));
                if !is_not {
                    plan.all.extend(words(phrase).map(|word| self.keys(&word, false)));
                }
                return;
            }
            Term::Updated(days) => {
                plan.updated.push((i32::from(*days), is_not));
                return;
            }
            Term::Owner(owner) if owner.starts_with("did:") => vec![format!("@{owner}")],
            Term::Owner(owner) => {
                let whole = self.owners.get(owner).into_iter().flatten().filter(|(_, is_whole)| *is_whole);
                whole.map(|(did, _)| format!("@{did}")).collect()
            }
            other => condition_key(other).into_iter().collect(),
        };
        let documents =
            |word: &str| if word.starts_with('@') { A_FEW } else { self.documents.get(word).copied().unwrap_or(0) };
        let keys = keys.into_iter().map(|word| Key { documents: documents(&word), word, worth: 0 }).collect();
        if is_not { plan.none.push(keys) } else { plan.all.push(keys) }
    }
}

fn condition_key(term: &Term) -> Option<String> {
    match term {
        Term::Kind(kind) => Some(format!(":kind={kind}")),
        Term::Platform(platform) => Some(format!(":platform={platform}")),
        Term::License(license) => Some(format!(":license={license}")),
        Term::Is(flag) => Some(format!(":is={}", flag.as_str())),
        _ => None,
    }
}

fn misspelt_keys(word: &str, documents: i64) -> Vec<Key> {
    let at = |worth: i32| worth * worth::MISSPELT / 100;
    [(format!("/{word}"), at(worth::NAME)), (word.to_owned(), at(worth::TEXT)), (format!("~{word}"), at(worth::README))]
        .map(|(word, worth)| Key { word, worth, documents })
        .to_vec()
}
