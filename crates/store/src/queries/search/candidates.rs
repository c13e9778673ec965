//! At most a thousand repositories out of the postings: those of the rarest term in the order of their static scores, as long as
//! they are among those of the others too.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    DbErr, FromQueryResult, QueryResult, Value,
    sqlx::{self, Row as _},
};
use types::search::Sort;

use super::{
    CANDIDATES, Reader, browse,
    plan::{Key, Plan},
    rank,
};
use crate::{StoreError, queries::repository::SOON};

/// How many postings of one key are read while nothing else has to hold.
const READ: i64 = CANDIDATES as i64 + 1;
/// So many postings of another term are read as a whole, and those of the driver held against them; of a more frequent term
/// each is looked up, and so fewer of the driver's are read.
const LISTED: i64 = 30_000;
const LOOKED_UP: i64 = 4_000;
/// A phrase is looked for in the texts themselves.
const READ_AND_SEARCHED: i64 = 2_000;
/// A repository may be posted under several keys of one term.
const FOUND: i64 = CANDIDATES as i64 + 300;

/// A repository that may be shown.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub id: i32,
    pub did: String,
    pub name: String,
    /// Stars, pulls and freshness.
    pub score: i16,
    /// The key under which it was found.
    pub found_by: String,
    /// What its matches of the query's words are worth, together.
    pub worth: i32,
    pub kind: String,
    /// One a line, as are licences and flags: a thousand lists are read for each search.
    pub platforms: String,
    pub licenses: String,
    pub flags: String,
    pub updated_at: Option<DateTime<Utc>>,
}

// A thousand are read for each search: by their places, since to look for each column by its name takes longer than all else.
impl FromQueryResult for Candidate {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        let row = row.try_as_pg_row().ok_or_else(|| DbErr::Type("not a row of Postgres".to_owned()))?;
        let read = || -> Result<Self, sqlx::Error> {
            Ok(Self {
                id: row.try_get_unchecked(0)?,
                did: row.try_get_unchecked(1)?,
                name: row.try_get_unchecked(2)?,
                score: row.try_get_unchecked(3)?,
                found_by: row.try_get_unchecked(4)?,
                kind: row.try_get_unchecked(5)?,
                updated_at: row.try_get_unchecked(6)?,
                platforms: row.try_get_unchecked(7)?,
                licenses: row.try_get_unchecked(8)?,
                flags: row.try_get_unchecked(9)?,
                worth: 0,
            })
        };
        read().map_err(|error| DbErr::Type(error.to_string()))
    }
}

/// The candidates, the best first as far as the postings know.
pub(super) struct Found {
    pub candidates: Vec<Candidate>,
    /// Whether there are more, or may be.
    pub more: bool,
}

/// Conditions on the postings `p` and documents `d` of candidates, with their values.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
    /// Whether postings of another term have to be looked up one by one.
    looks_up: bool,
}

impl Conditions {
    fn value(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Whether a candidate is posted under any of these keys, of which there are so many postings.
    fn is_posted(&mut self, words: Vec<String>, documents: i64) -> String {
        let words = self.value(words);
        if documents <= LISTED {
            // As a test, and not as a join, which could lose the driver's order.
            return format!("(p.doc IN (SELECT doc FROM search_posting WHERE word = ANY({words}))) IS TRUE");
        }
        self.looks_up = true;
        format!(
            "EXISTS (SELECT FROM search_posting q WHERE q.word = ANY({words}) AND q.static = p.static AND q.doc = p.doc)"
        )
    }
}

fn documents(keys: &[Key]) -> i64 {
    keys.iter().map(|key| key.documents.min(1 << 40)).sum()
}

impl Reader {
    pub(super) async fn candidates(&self, plan: &Plan) -> Result<Found, StoreError> {
        let Some(driver) = (0..plan.all.len()).min_by_key(|n| documents(&plan.all[*n])) else {
            return Ok(Found { candidates: Vec::new(), more: false });
        };
        if plan.all.iter().any(Vec::is_empty) {
            return Ok(Found { candidates: Vec::new(), more: false });
        }
        let Conditions { sql: and, mut values, looks_up } = conditions(plan, driver);
        let keys = &plan.all[driver];
        let read = match () {
            () if and.is_empty() => READ,
            () if !plan.phrases.is_empty() => READ_AND_SEARCHED,
            () if looks_up => LOOKED_UP,
            () => LISTED,
        };
        values.push(keys.iter().map(|key| key.word.clone()).collect::<Vec<_>>().into());
        let sql = format!(
            "SELECT d.id, d.did, d.name, d.static AS score, k.word AS found_by, d.kind,
                    CASE WHEN d.updated_at <= {SOON} THEN d.updated_at END AS updated_at, array_to_string(d.platforms, E'\n') AS platforms,
                    array_to_string(d.licenses, E'\n') AS licenses, array_to_string(d.flags, E'\n') AS flags
             FROM unnest(${}::text[]) k (word)
             CROSS JOIN LATERAL (SELECT static, doc FROM search_posting s WHERE s.word = k.word
                                 ORDER BY s.static DESC, s.doc DESC LIMIT {read}) p
             CROSS JOIN LATERAL (SELECT * FROM search_doc WHERE id = p.doc OFFSET 0) d
             WHERE NOT EXISTS (SELECT FROM actor a WHERE a.did = d.did AND NOT a.active) {and} LIMIT {FOUND}",
            values.len()
        );
        let rows: Vec<Candidate> = self.all(&sql, values).await?;
        let is_full = rows.len() as i64 == FOUND;
        let is_cut = keys.iter().any(|key| key.documents > read && key.documents < i64::MAX);
        Ok(distinct(plan, driver, rows, is_full || is_cut))
    }

    /// The stars, or the pulls, of candidates.
    pub(super) async fn values(&self, sort: Sort, candidates: &[Candidate]) -> Result<Vec<i64>, StoreError> {
        let (dids, names): (Vec<String>, Vec<String>) =
            candidates.iter().map(|candidate| (candidate.did.clone(), candidate.name.clone())).unzip();
        self.numbers(browse::value_of(sort), dids, names).await
    }
}

/// Each once, with what its best matches are worth.
fn distinct(plan: &Plan, driver: usize, rows: Vec<Candidate>, cut: bool) -> Found {
    let mut at: BTreeMap<i32, usize> = BTreeMap::new();
    let mut candidates: Vec<Candidate> = Vec::with_capacity(rows.len());
    for mut row in rows {
        row.worth = rank::worth(plan, driver, &row);
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

/// What must hold besides the driver's term. What has the whole query for its name has all of its words.
fn conditions(plan: &Plan, driver: usize) -> Conditions {
    let mut c = Conditions::default();
    for (n, keys) in plan.all.iter().enumerate().filter(|(n, _)| *n != driver) {
        let (names, others): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| key.word.starts_with('='));
        let documents = others.iter().map(|key| key.documents).sum();
        let is_posted = c.is_posted(others.into_iter().map(|key| key.word.clone()).collect(), documents);
        let is_named = driver < plan.words && n < plan.words && !names.is_empty();
        c.sql.push_str(&if is_named {
            format!(" AND (k.word LIKE '=%' OR {is_posted})")
        } else {
            format!(" AND {is_posted}")
        });
    }
    for keys in &plan.none {
        let (words, documents) = (keys.iter().map(|key| key.word.clone()).collect(), documents(keys));
        let is_posted = c.is_posted(words, documents);
        c.sql.push_str(&format!(" AND NOT {is_posted}"));
    }
    for (days, is_not) in &plan.updated {
        let days = c.value(*days);
        let not = if *is_not { "NOT " } else { "" };
        c.sql.push_str(&format!(
            " AND {not}coalesce(d.updated_at BETWEEN now() - make_interval(days => {days}) AND {SOON}, false)"
        ));
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
