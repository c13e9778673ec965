//! What happened to a repository's tags, by time.

use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, Value};
use types::{Did, RepositoryName};

use super::{NoCursor, Reader, repository::SOON};
use crate::StoreError;

/// A tag was pushed, moved or removed.
#[derive(Clone, Debug, FromQueryResult)]
pub struct TagEvent {
    /// When, as its history tells it.
    pub at: DateTime<Utc>,
    /// The tag.
    pub tag: String,
    /// What it points at since then, or pointed at until then if it was removed; `None` when that was never known.
    pub digest: Option<String>,
    /// What it pointed at before; `None` if it was new, or that is not known.
    pub was: Option<String>,
    /// Whether it was removed.
    pub removed: bool,
    rkey: String,
    rev: String,
}

/// A place among the events of a repository, from the newest to the oldest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityCursor {
    at: DateTime<Utc>,
    removed: bool,
    rev: String,
    tag: String,
    rkey: String,
}

impl std::fmt::Display for ActivityCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, removed, rev, tag, rkey } = self;
        write!(f, "{}~{}~{rev}~{tag}~{rkey}", at.timestamp_micros(), u8::from(*removed))
    }
}

impl std::str::FromStr for ActivityCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let parts: Vec<&str> = text.splitn(5, '~').collect();
        let [at, removed @ ("0" | "1"), rev, tag, rkey] = parts[..] else { return Err(NoCursor) };
        let at = at.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or(NoCursor)?;
        // Postgres knows no other years, and no zero in a text.
        let known = (-4_000..200_000).contains(&chrono::Datelike::year(&at));
        if !known || text.len() > 1_000 || text.contains('\0') {
            return Err(NoCursor);
        }
        Ok(Self { at, removed: removed == "1", rev: rev.to_owned(), tag: tag.to_owned(), rkey: rkey.to_owned() })
    }
}

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub struct ActivityAsked {
    /// Only what comes after this, and so is older.
    pub after: Option<ActivityCursor>,
    /// Only what comes before this, and of that the last; not both.
    pub before: Option<ActivityCursor>,
    /// At most so many.
    pub limit: u32,
}

/// A page of events, the newest first.
#[derive(Clone, Debug)]
pub struct ActivityPage {
    /// The events.
    pub items: Vec<TagEvent>,
    /// Before what the previous page ends, if there is one.
    pub previous: Option<ActivityCursor>,
    /// Where the next page begins, if there is one.
    pub next: Option<ActivityCursor>,
}

/// $1 and $2: the repository. A tag that nobody dated did not happen at any time.
const ACTIVITY: &str = "
    WITH ended AS (
         SELECT DISTINCT ON (tag, rkey) tag, rkey, CASE WHEN moved THEN until END AS until
         FROM tag_history WHERE did = $1 AND repository = $2 ORDER BY tag, rkey, until_rev DESC),
     told AS (
         SELECT coalesce(e.until, t.updated_at) AS at, t.tag, t.rkey, '' COLLATE \"C\" AS rev, false AS removed,
                t.manifest_rkey, t.manifest_digest AS digest
         FROM tag t LEFT JOIN ended e USING (tag, rkey) WHERE t.did = $1 AND t.repository = $2
         UNION ALL
         SELECT since, tag, rkey, until_rev, false, manifest_rkey, digest
         FROM tag_history WHERE did = $1 AND repository = $2
         UNION ALL
         SELECT until, tag, rkey, until_rev, true, manifest_rkey, digest
         FROM tag_history WHERE did = $1 AND repository = $2 AND NOT moved),
     page AS MATERIALIZED (
         SELECT * FROM told WHERE at <= {SOON} AND {BEYOND} ORDER BY {ORDER} LIMIT $3)
     SELECT p.at, p.tag, p.rkey, p.rev, p.removed, coalesce(m.digest, p.digest, gone.digest) AS digest, before.digest AS was
     FROM page p
     LEFT JOIN manifest m ON m.did = $1 AND m.rkey = p.manifest_rkey
     LEFT JOIN gone_manifest gone ON gone.did = $1 AND gone.rkey = p.manifest_rkey
     LEFT JOIN LATERAL (
         SELECT CASE WHEN h.moved THEN h.digest END AS digest FROM tag_history h
         WHERE (h.did, h.repository, h.tag, h.rkey) = ($1, $2, p.tag, p.rkey) AND (p.rev = '' OR h.until_rev < p.rev)
         ORDER BY h.until_rev DESC LIMIT 1) before ON NOT p.removed
     ORDER BY p.at DESC, p.tag DESC, p.rkey DESC, p.rev DESC, p.removed DESC";

impl Reader {
    /// What happened to a repository's tags. Time grows with the number of its tags, not with how far the page is.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn activity(
        &self,
        did: &Did,
        repository: &RepositoryName,
        asked: &ActivityAsked,
    ) -> Result<ActivityPage, StoreError> {
        let mut values: Vec<Value> =
            vec![did.as_str().into(), repository.as_str().into(), (i64::from(asked.limit) + 1).into()];
        let backwards = asked.before.is_some();
        let (than, way) = if backwards { (">", "ASC") } else { ("<", "DESC") };
        let mut beyond = "true".to_owned();
        if let Some(cursor) = asked.before.as_ref().or(asked.after.as_ref()) {
            beyond = format!("(at, tag, rkey, rev, removed) {than} ($4, $5, $6, $7, $8)");
            let ActivityCursor { at, removed, rev, tag, rkey } = cursor.clone();
            values.extend([at.into(), tag.into(), rkey.into(), rev.into(), removed.into()]);
        }
        let order = format!("at {way}, tag {way}, rkey {way}, rev {way}, removed {way}");
        let sql = ACTIVITY.replace("{SOON}", SOON).replace("{BEYOND}", &beyond).replace("{ORDER}", &order);
        let mut items: Vec<TagEvent> = self.all(&sql, values).await?;
        let more = items.len() > asked.limit as usize;
        if backwards && more {
            items.remove(0);
        }
        items.truncate(asked.limit as usize);
        let place = |event: &TagEvent| {
            let TagEvent { at, tag, removed, rkey, rev, .. } = event.clone();
            ActivityCursor { at, removed, rev, tag, rkey }
        };
        let next = items.last().filter(|_| more || backwards).map(place);
        let is_first = if backwards { !more } else { asked.after.is_none() };
        let previous = items.first().filter(|_| !is_first).map(place);
        Ok(ActivityPage { items, previous, next })
    }
}
