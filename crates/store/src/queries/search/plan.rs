//! Which keys of the postings each term of a query stands for, by the words that there are.

use serde::Serialize;
use types::search::{Query, Term, squashed, words};

use super::{
    Reader,
    known::{Known, condition_keys, conditions_named},
    near::Near,
};
use crate::StoreError;

/// A word that so few have may be a mistake, if another one is so many times as frequent.
const RARE: i64 = 3;
const FAR_MORE: i64 = 100;
/// Of an owner and of a whole name it is not known how many repositories there are.
pub(super) const A_FEW: i64 = 20;
/// So many words are looked for in the place of a wrong one whatever they come to, and more as long as they have so few
/// repositories together; of a short one many more are near.
const IN_ITS_PLACE: usize = 3;
const MOST_IN_ITS_PLACE: usize = 5;
const MOST_OF_A_SHORT_ONE: usize = 24;
const TOGETHER: i64 = 20_000;
/// The most whole names that are looked for, as they were written and put right.
const NAMES: usize = 12;

/// What a match is worth, in hundredths of the best.
pub(super) mod worth {
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
    /// Whether a word was taken as it is, which may be misspelt nevertheless.
    pub is_doubtful: bool,
    /// Words that were put right.
    pub corrections: Vec<Correction>,
    /// Words that name a condition.
    pub meant: Vec<Meant>,
    /// Terms that no repository meets.
    pub unmet: Vec<String>,
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

/// A word, or an owner, that may be misspelt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Correction {
    /// As it was written.
    pub word: String,
    /// The nearest that there are, the likeliest first.
    pub nearest: Vec<String>,
    /// Whether they were looked for in its place.
    pub used: bool,
    /// Whether something has the word itself, though not together with the rest of the query.
    pub known: bool,
}

/// A word that may be meant as a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Meant {
    /// As it was written.
    pub word: String,
    /// `platform:linux` and the like, which some repository meets.
    pub condition: String,
}

impl Reader {
    /// What a query asks of the postings. If it is `forgiving`, also a word that there is may be misspelt.
    pub(super) async fn plan(&self, query: &Query, forgiving: bool) -> Result<Plan, StoreError> {
        let known = self.known(query).await?;
        let wanted = known.wanted(query);
        let mut plan = Plan { names: vec![wanted.iter().map(|word| squashed(word)).collect()], ..Plan::default() };
        let (mut right, mut others) = (wanted.clone(), Vec::new());
        // The endings are of the last part of a handle, which is not looked for.
        let last = wanted.len().saturating_sub(1);
        for (n, word) in wanted.iter().enumerate() {
            let mut keys = known.keys(word, n == last && !word.contains('.'));
            plan.meant.extend(meant(&known, word));
            let count: i64 = keys.iter().map(|key| key.documents).sum();
            if !known.owners.contains_key(word) {
                plan.is_doubtful |= count > 0;
                let near = self.in_place_of(&mut plan, word, count, forgiving, wanted.len() == 1).await?;
                if let Some(best) = near.first().filter(|_| count == 0) {
                    right[n].clone_from(&best.word);
                }
                keys.extend(misspelt_keys(&near));
                others.extend(near.into_iter().map(|near| (n, near.word)));
            }
            plan.all.push(keys);
        }
        plan.words = plan.all.len();
        plan.name(&right, &others);
        for term in &query.terms {
            known.condition(term, false, &mut plan);
            if let Term::Owner(owner) = term
                && plan.unmet.contains(&term.to_string())
            {
                let nearest: Vec<String> =
                    self.owners_like(owner).await?.iter().map(|owner| format!("owner:{owner}")).collect();
                plan.correct(term.to_string(), nearest, false, false);
            }
        }
        if plan.all.is_empty() {
            plan.all.push(vec![Key { word: "*".into(), worth: 0, documents: i64::MAX }]);
        }
        Ok(plan)
    }

    /// The words that are to be looked for in the place of one which so many have, or besides it; says so in the plan.
    async fn in_place_of(
        &self,
        plan: &mut Plan,
        word: &str,
        count: i64,
        forgiving: bool,
        is_alone: bool,
    ) -> Result<Vec<Near>, StoreError> {
        let is_used = count == 0 || forgiving;
        if count == 0 {
            plan.unmet.push(word.to_owned());
        }
        // Alone, of two letters nearly everything is one mistake away.
        if (!is_used && count > RARE) || (is_alone && word.chars().count() < 3) {
            return Ok(Vec::new());
        }
        let mut near = self.nearest(word, count == 0).await?;
        if !is_used {
            near.retain(|near| near.weight > FAR_MORE * count);
        }
        let mut together = 0;
        let is_bearable = |(n, near): &(usize, Near)| {
            together += near.keys.iter().map(|(_, documents)| documents).sum::<i64>();
            *n < IN_ITS_PLACE || together < TOGETHER
        };
        let most = if word.chars().count() > 3 { MOST_IN_ITS_PLACE } else { MOST_OF_A_SHORT_ONE };
        let near: Vec<Near> =
            near.into_iter().take(most).enumerate().take_while(is_bearable).map(|(_, near)| near).collect();
        let mut nearest: Vec<String> = near.iter().map(|near| near.word.clone()).collect();
        let is_word = !nearest.is_empty();
        if !is_word && count == 0 {
            nearest = self.owners_like(word).await?;
        }
        plan.correct(word.to_owned(), nearest, is_used && is_word, count > 0);
        Ok(if is_used { near } else { Vec::new() })
    }
}

impl Plan {
    fn correct(&mut self, word: String, nearest: Vec<String>, used: bool, known: bool) {
        if !nearest.is_empty() {
            self.corrections.push(Correction { word, nearest, used, known });
        }
    }

    /// Whole names that are looked for: the words as they were put right, and with each of what else one may be.
    fn name(&mut self, right: &[String], others: &[(usize, String)]) {
        let other = |(n, word): &(usize, String)| {
            let mut other = right.to_vec();
            other[*n].clone_from(word);
            other.concat()
        };
        for name in std::iter::once(right.concat()).chain(others.iter().map(other)) {
            if self.names.len() < NAMES && !self.names.contains(&name) {
                self.names.push(name);
            }
        }
        self.names.retain(|name| !name.is_empty());
        let exact = |name: &String| Key { word: format!("={name}"), worth: worth::NAME, documents: A_FEW };
        let exact: Vec<Key> = self.names.iter().map(exact).collect();
        for keys in &mut self.all {
            keys.splice(0..0, exact.iter().cloned());
        }
    }

    /// What of its corrections is worth telling, by the words that the names of what was found have.
    pub fn explain<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        /// The most of what may be meant.
        const MOST: usize = 5;
        if self.corrections.iter().any(|correction| correction.used) {
            let names: std::collections::HashSet<String> = names.flat_map(words).collect();
            self.corrections
                .retain(|correction| !(correction.used && correction.known && names.contains(&correction.word)));
            for correction in self.corrections.iter_mut().filter(|correction| correction.used) {
                if correction.nearest.iter().any(|near| names.contains(near)) {
                    correction.nearest.retain(|near| names.contains(near));
                }
            }
        }
        for correction in &mut self.corrections {
            correction.nearest.truncate(MOST);
        }
    }
}

fn meant(known: &Known, word: &str) -> Vec<Meant> {
    let is_met = |term: &Term| condition_keys(term).iter().any(|key| known.documents.contains_key(key));
    let meant = |term: Term| Meant { word: word.to_owned(), condition: term.to_string() };
    conditions_named(word).filter(is_met).map(meant).collect()
}

impl Known {
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
            other => condition_keys(other),
        };
        let keys: Vec<Key> =
            keys.into_iter().map(|word| Key { documents: self.count(&word), word, worth: 0 }).collect();
        if is_not {
            plan.none.push(keys);
            return;
        }
        if keys.iter().all(|key| key.documents == 0) {
            plan.unmet.push(term.to_string());
        }
        plan.all.push(keys);
    }
}

fn misspelt_keys(near: &[Near]) -> Vec<Key> {
    let key = |(key, documents): &(String, i64)| {
        let worth = match key.as_bytes().first() {
            Some(b'/') => worth::NAME,
            Some(b'~') => worth::README,
            _ => worth::TEXT,
        };
        Key { word: key.clone(), worth: worth * worth::MISSPELT / 100, documents: *documents }
    };
    near.iter().flat_map(|near| &near.keys).map(key).collect()
}
