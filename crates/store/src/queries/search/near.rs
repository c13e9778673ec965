//! Words and owners that are nearly what was written.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::FromQueryResult;
use types::search::{distance, is_number, neighbours, variants};

use super::Reader;
use crate::StoreError;

/// Where a word is in a name it weighs more than in a text.
const IN_A_NAME: i64 = 4;
/// The most handles that begin as another does, and the most that are told of.
const HANDLES: i64 = 200;
const OWNERS: usize = 3;

/// A word that there is.
#[derive(Clone, Debug)]
pub(super) struct Near {
    pub word: String,
    /// In how many repositories, those counted more that have it in their names.
    pub weight: i64,
    /// Its keys, and how many are posted under each.
    pub keys: Vec<(String, i64)>,
}

#[derive(FromQueryResult)]
struct Row {
    word: String,
    n: i64,
}

impl Reader {
    /// The words that are one mistake away, the most frequent first; or else those that look most alike, if that is wanted.
    pub(super) async fn nearest(&self, word: &str, alike: bool) -> Result<Vec<Near>, StoreError> {
        if is_number(word) {
            return Ok(Vec::new());
        }
        let mut rows = Vec::new();
        let variants: Vec<String> = variants(word).into_iter().collect();
        if !variants.is_empty() {
            let near = "SELECT w.word::text AS word, w.documents::bigint AS n
                        FROM (SELECT DISTINCT word FROM search_spelling WHERE variant = ANY($1) LIMIT 300) s
                        JOIN search_word w ON w.word IN (s.word, '/' || s.word, '~' || s.word)";
            rows.extend(self.all::<Row>(near, vec![variants.into()]).await?);
        }
        // Of short words the spelling knows nothing: all that they may be are looked up.
        let keys: Vec<String> = neighbours(word).into_iter().map(|near| format!("/{near}")).collect();
        if !keys.is_empty() {
            let short = "SELECT word::text AS word, documents::bigint AS n FROM search_word WHERE word = ANY($1)";
            rows.extend(self.all::<Row>(short, vec![keys.into()]).await?);
        }
        let found = words_of(rows);
        let found: Vec<Near> = found.into_iter().filter(|near| distance(word, &near.word) == 1).collect();
        if found.is_empty() && alike && word.chars().count() > 3 {
            let alike = "SELECT word::text AS word, documents::bigint AS n FROM search_word
                         WHERE word >= '/' AND word < '0' AND word % $1 ORDER BY similarity(word, $1) DESC, documents DESC LIMIT 8";
            let mut found = words_of(self.all::<Row>(alike, vec![word.into()]).await?);
            found.retain(|near| near.word != word && distance(word, &near.word) <= word.chars().count().div_ceil(3));
            found.sort_by_key(|near| distance(word, &near.word));
            return Ok(found);
        }
        Ok(found)
    }

    /// Handles whose first part is nearly this, the nearest first.
    pub(super) async fn owners_like(&self, owner: &str) -> Result<Vec<String>, StoreError> {
        let label = owner.split('.').next().unwrap_or_default();
        let prefixes: Vec<String> = beginnings(label).into_iter().collect();
        if prefixes.is_empty() || owner.starts_with("did:") {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT DISTINCT a.handle::text AS word, 0::bigint AS n FROM unnest($1::text[]) p (prefix) CROSS JOIN LATERAL (
                 SELECT handle FROM actor
                 WHERE handle >= p.prefix AND handle < p.prefix || U&'\\+10FFFF' AND active
                   AND handle_checked_at > now() - interval '24 hours'
                 ORDER BY handle LIMIT {HANDLES}) a"
        );
        let rows: Vec<Row> = self.all(&sql, vec![prefixes.into()]).await?;
        let mistakes = |handle: &str| distance(label, handle.split('.').next().unwrap_or_default());
        let most = if label.chars().count() > 5 { 2 } else { 1 };
        let mut found: Vec<(usize, String)> = rows.into_iter().map(|row| (mistakes(&row.word), row.word)).collect();
        found.retain(|(mistakes, _)| *mistakes <= most);
        found.sort();
        Ok(found.into_iter().map(|(_, handle)| handle).take(OWNERS).collect())
    }
}

/// The most frequent first.
fn words_of(rows: Vec<Row>) -> Vec<Near> {
    let mut found: BTreeMap<String, Near> = BTreeMap::new();
    for Row { word: key, n } in rows {
        let (word, times) = match key.strip_prefix('/') {
            Some(word) => (word, IN_A_NAME),
            None => (key.strip_prefix('~').unwrap_or(&key), 1),
        };
        let near = || Near { word: word.to_owned(), weight: 0, keys: Vec::new() };
        let near = found.entry(word.to_owned()).or_insert_with(near);
        if near.keys.iter().all(|(known, _)| *known != key) {
            near.weight = near.weight.max(n * times);
            near.keys.push((key, n));
        }
    }
    let mut found: Vec<Near> = found.into_values().collect();
    found.sort_by_key(|near| -near.weight);
    found
}

/// How a word begins if one of its first three letters is wrong, too many, or in its neighbour's place.
fn beginnings(word: &str) -> BTreeSet<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() < 3 {
        return BTreeSet::new();
    }
    let first = |letters: &[char]| letters.iter().take(3).collect::<String>();
    let mut found: BTreeSet<String> = [first(&letters), first(&letters[..2])].into();
    for at in 0..3 {
        let (mut less, mut swapped) = (letters.clone(), letters.clone());
        less.remove(at);
        found.insert(first(&less));
        if at > 0 {
            swapped.swap(at - 1, at);
            found.insert(first(&swapped));
        }
    }
    found
}
