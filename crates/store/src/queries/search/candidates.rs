//! At most a thousand repositories out of the postings: those of the rarest term in the order of their static scores, as long as
//! they are among those of the others too.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, Value};
use types::search::Sort;

use super::{CANDIDATES, Reader, browse, plan::Plan};
use crate::StoreError;
use crate::queries::repository::Texts;

/// How many postings of one key are read while nothing else has to hold, and how many of all keys of a term otherwise.
const READ: i64 = CANDIDATES as i64 + 1;
const READ_AND_CHECKED: i64 = 10_000;
/// A phrase is looked for in the texts themselves.
const READ_AND_SEARCHED: i64 = 2_000;
/// A repository may be posted under several keys of one term.
const FOUND: i64 = CANDIDATES as i64 + 300;

/// A repository that may be shown.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Candidate {
    pub id: i32,
    pub did: String,
    pub name: String,
    /// Stars, pulls and freshness.
    pub score: i16,
    /// What its matches of the query's words are worth, together.
    pub worth: i32,
    pub kind: String,
    pub platforms: Texts,
    pub licenses: Texts,
    pub flags: Texts,
    pub updated_at: Option<DateTime<Utc>>,
}

/// The candidates, the best first as far as the postings know.
pub(super) struct Found {
    pub candidates: Vec<Candidate>,
    /// Whether there are more, or may be.
    pub more: bool,
}

/// Conditions on the postings and documents of a candidate `p`, with their values.
#[derive(Default)]
struct Conditions {
    sql: String,
    worths: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn value(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn lookup(&mut self, words: Vec<String>) -> String {
        let words = self.value(words);
        format!("search_posting q WHERE q.word = ANY({words}) AND q.static = p.static AND q.doc = p.doc")
    }
}

impl Reader {
    pub(super) async fn candidates(&self, plan: &Plan) -> Result<Found, StoreError> {
        let documents = |n: usize| plan.all[n].iter().map(|key| key.documents.min(1 << 40)).sum::<i64>();
        let Some(driver) = (0..plan.all.len()).min_by_key(|n| documents(*n)) else {
            return Ok(Found { candidates: Vec::new(), more: false });
        };
        if plan.all.iter().any(Vec::is_empty) {
            return Ok(Found { candidates: Vec::new(), more: false });
        }
        let conditions = conditions(plan, driver);
        let is_alone =
            plan.all.len() == 1 && plan.none.is_empty() && plan.phrases.is_empty() && plan.updated.is_empty();
        let keys = &plan.all[driver];
        let read = match () {
            () if is_alone => READ,
            () if !plan.phrases.is_empty() => READ_AND_SEARCHED,
            () => (READ_AND_CHECKED / keys.len() as i64).max(READ),
        };
        let Conditions { sql: and, worths, mut values } = conditions;
        let words: Vec<String> = keys.iter().map(|key| key.word.clone()).collect();
        let own: Vec<i32> = keys.iter().map(|key| if driver < plan.words { key.worth } else { 0 }).collect();
        values.extend([words.into(), own.into()]);
        let (keys_at, own_at) = (values.len() - 1, values.len());
        let worth = std::iter::once("k.worth".to_owned()).chain(worths).collect::<Vec<_>>().join(" + ");
        let sql = format!(
            "SELECT d.id, d.did, d.name, d.static AS score, ({worth})::integer AS worth, d.kind, to_jsonb(d.platforms) AS platforms,
                    to_jsonb(d.licenses) AS licenses, to_jsonb(d.flags) AS flags, d.updated_at
             FROM unnest(${keys_at}::text[], ${own_at}::integer[]) k (word, worth)
             CROSS JOIN LATERAL (SELECT static, doc FROM search_posting s WHERE s.word = k.word
                                 ORDER BY s.static DESC, s.doc DESC LIMIT {read}) p
             CROSS JOIN LATERAL (SELECT * FROM search_doc WHERE id = p.doc OFFSET 0) d
             CROSS JOIN LATERAL (SELECT FROM actor WHERE did = d.did AND active OFFSET 0) a
             WHERE true {and} LIMIT {FOUND}"
        );
        let rows: Vec<Candidate> = self.all(&sql, values).await?;
        let cut = rows.len() as i64 == FOUND
            || keys.iter().any(|key| key.documents > read && key.documents < i64::MAX)
            || (is_alone && rows.len() > CANDIDATES);
        Ok(distinct(rows, cut))
    }

    /// The stars, or the pulls, of candidates.
    pub(super) async fn values(&self, sort: Sort, candidates: &[Candidate]) -> Result<Vec<i64>, StoreError> {
        let (dids, names): (Vec<String>, Vec<String>) =
            candidates.iter().map(|candidate| (candidate.did.clone(), candidate.name.clone())).unzip();
        self.numbers(browse::value_of(sort), dids, names).await
    }
}

/// Each once, with what its best matches are worth.
fn distinct(rows: Vec<Candidate>, cut: bool) -> Found {
    let mut at: BTreeMap<i32, usize> = BTreeMap::new();
    let mut candidates: Vec<Candidate> = Vec::with_capacity(rows.len());
    for row in rows {
        match at.get(&row.id) {
            Some(n) => candidates[*n].worth = candidates[*n].worth.max(row.worth),
            None => {
                at.insert(row.id, candidates.len());
                candidates.push(row);
            }
        }
    }
    let more = cut || candidates.len() > CANDIDATES;
    candidates.truncate(CANDIDATES);
    Found { candidates, more }
}

/// What must hold besides the driver's term.
fn conditions(plan: &Plan, driver: usize) -> Conditions {
    let mut c = Conditions::default();
    for (n, keys) in plan.all.iter().enumerate().filter(|(n, _)| *n != driver) {
        if n < plan.words {
            // What the match is worth is wanted too.
            let words = c.value(keys.iter().map(|key| key.word.clone()).collect::<Vec<_>>());
            let worths = c.value(keys.iter().map(|key| key.worth).collect::<Vec<_>>());
            let best = format!(
                "(SELECT max(w.worth) FROM unnest({words}::text[], {worths}::integer[]) w (word, worth)
                  JOIN search_posting q ON q.word = w.word AND q.static = p.static AND q.doc = p.doc)"
            );
            let lookup = c.lookup(keys.iter().map(|key| key.word.clone()).collect());
            c.sql.push_str(&format!(" AND EXISTS (SELECT FROM {lookup})"));
            c.worths.push(best);
        } else {
            let lookup = c.lookup(keys.iter().map(|key| key.word.clone()).collect());
            c.sql.push_str(&format!(" AND EXISTS (SELECT FROM {lookup})"));
        }
    }
    for keys in &plan.none {
        let lookup = c.lookup(keys.clone());
        c.sql.push_str(&format!(" AND NOT EXISTS (SELECT FROM {lookup})"));
    }
    for (days, is_not) in &plan.updated {
        let days = c.value(*days);
        let not = if *is_not { "NOT " } else { "" };
        c.sql.push_str(&format!(" AND {not}coalesce(d.updated_at >= now() - make_interval(days => {days}), false)"));
    }
    for (phrase, is_not) in &plan.phrases {
        let phrase = c.value(format!(" {phrase} "));
        let not = if *is_not { "NOT " } else { "" };
        let plain = |text: &str| format!("' ' || regexp_replace(lower({text}), '[^[:alnum:]]+', ' ', 'g') || ' '");
        c.sql.push_str(&format!(
            " AND {not}EXISTS (SELECT FROM repository r LEFT JOIN page g ON g.did = r.did AND g.repository = r.name
                               WHERE r.did = d.did AND r.name = d.name
                                 AND (strpos({}, {phrase}) > 0 OR strpos({}, {phrase}) > 0))",
            plain("r.search"),
            plain("left(g.description, 20000)")
        ));
    }
    c
}
