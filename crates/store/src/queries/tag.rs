use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, Value};
use serde::Serialize;
use types::{Did, RepositoryName, Tag};

use super::{Reader, ScanView, Texts};
use crate::StoreError;

/// A tag in a table.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct TagView {
    /// The tag.
    pub tag: String,
    /// What it points at; `None` while its manifest's record is not known.
    pub digest: Option<String>,
    /// `image` or `index`.
    pub kind: Option<String>,
    /// Compressed bytes of an image; of an index, the sum over its known images.
    pub size: Option<i64>,
    /// `os/architecture[/variant]`
    pub platforms: Texts,
    /// When it was moved last, by the owner's clock.
    pub updated_at: Option<DateTime<Utc>>,
    /// Pulls through us by this tag.
    pub pulls: i64,
    /// The newest scan; of an index, the worst of its images.
    pub scan: Option<ScanView>,
    /// The key of the tag's record.
    #[serde(skip)]
    pub rkey: String,
}

/// What a tag pointed at, and when.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Serialize)]
pub struct TagHistoryView {
    /// The digest; `None` when the manifest's record was never known.
    pub digest: Option<String>,
    /// The key of the manifest's record, when the tag names one.
    pub manifest: Option<String>,
    /// The key of the tag's record.
    pub record: String,
    /// From when: until then the tag pointed at something else. Of the first that is known, and after a removal, by the owner's
    /// clock, but no later than the revision that it is known of, and no earlier than the removal.
    pub since: Option<DateTime<Utc>>,
    /// Until when, by the revision that ended it; `None` while it does.
    pub until: Option<DateTime<Utc>>,
    /// The revision at which it was seen to end.
    pub until_rev: Option<String>,
}

/// What the tag's records say, the one that counts first, then what they said before, the newest first.
const HISTORY: &str = "
    SELECT coalesce(m.digest, t.manifest_digest, gone.digest) AS digest, t.manifest_rkey AS manifest, t.rkey AS record,
           coalesce(before.until, least(greatest(coalesce(t.updated_at, tid_time(r.rev)), gone_at.until), tid_time(r.rev))) AS since, NULL::timestamptz AS until, NULL AS until_rev
    FROM tag t
    LEFT JOIN manifest m ON m.did = t.did AND m.rkey = t.manifest_rkey
    LEFT JOIN gone_manifest gone ON gone.did = t.did AND gone.rkey = t.manifest_rkey
    LEFT JOIN record r ON (r.did, r.collection, r.rkey) = (t.did, 'io.atcr.tag', t.rkey)
    LEFT JOIN LATERAL (SELECT CASE WHEN h.moved THEN h.until END AS until FROM tag_history h
                       WHERE (h.did, h.repository, h.tag, h.rkey) = (t.did, t.repository, t.tag, t.rkey)
                       ORDER BY h.until_rev DESC LIMIT 1) before ON true
    LEFT JOIN LATERAL (SELECT h.until FROM tag_history h WHERE h.did = t.did AND h.rkey = t.rkey AND NOT h.moved
                       ORDER BY h.until_rev DESC LIMIT 1) gone_at ON true
    WHERE t.did = $1 AND t.repository = $2 AND t.tag = $3
    UNION ALL
    SELECT digest, manifest_rkey, rkey, since, until, until_rev FROM tag_history
    WHERE did = $1 AND repository = $2 AND tag = $3
    ORDER BY until_rev DESC NULLS FIRST, since DESC NULLS LAST, record DESC LIMIT $4 OFFSET $5";

/// $1 and $2: the repository; $3: what {CONDITION} says.
const TAGS: &str = "
    WITH current AS MATERIALIZED (
         -- What cosign tags after the image that it is about comes last.
         SELECT DISTINCT ON (tag) did, rkey, tag, manifest_rkey, manifest_digest, updated_at,
                tag LIKE 'sha256-%' AND tag ~ '^sha256-[0-9a-f]{64}([.](sig|att|sbom))?$' AS about
         FROM tag WHERE did = $1 AND repository = $2 AND {CONDITION}
         ORDER BY tag, updated_at DESC NULLS LAST, rkey DESC),
     page AS (SELECT * FROM current WHERE {AFTER} ORDER BY {PAGED} LIMIT {LIMIT})
     SELECT t.tag, t.rkey, t.updated_at, coalesce(m.digest, t.manifest_digest) AS digest, m.kind, t.about,
            (SELECT count(*) FROM current) AS matching,
            {SIZE} AS size,
            coalesce((SELECT c.pulls FROM pull_count c
                      WHERE c.did = t.did AND c.repository = $2 AND c.tag = t.tag), 0) AS pulls,
            (SELECT coalesce(jsonb_agg(DISTINCT platform), '[]') FROM (
                SELECT concat_ws('/', p.os, p.architecture, p.variant) AS platform FROM platform p
                WHERE p.did = m.did AND p.rkey = m.rkey AND p.os IS NOT NULL
                UNION
                SELECT concat_ws('/', c.os, c.architecture, c.variant) FROM image_config c
                WHERE c.digest = m.config_digest AND c.os IS NOT NULL) platforms) AS platforms,
            {SCAN} AS scan
     FROM page t LEFT JOIN LATERAL (
         SELECT * FROM manifest m
         WHERE m.did = t.did AND (m.rkey = t.manifest_rkey OR m.digest = t.manifest_digest)
         ORDER BY m.rkey LIMIT 1) m ON true
     ORDER BY {ORDER}";

/// The newest scan of `manifest m`, of an index the worst over its images; only of holds that a record of the manifest names.
const SCAN: &str = "
    (SELECT to_jsonb(worst) FROM (
        SELECT DISTINCT ON (s.digest) s.did AS hold, s.status, s.reason, s.critical, s.high, s.medium, s.low, s.total, s.scanner,
               s.scanned_at
        FROM (SELECT m.digest UNION
              SELECT p.digest FROM platform p WHERE p.did = m.did AND p.rkey = m.rkey) d
        JOIN scan s ON s.owner = t.did AND s.digest = d.digest
        WHERE EXISTS (SELECT FROM manifest n WHERE n.did = s.owner AND n.digest = s.digest AND n.hold = s.did)
        ORDER BY s.digest, s.scanned_at DESC NULLS LAST, s.did) worst
     ORDER BY worst.status = 'ok' DESC, worst.critical DESC, worst.high DESC, worst.medium DESC, worst.low DESC LIMIT 1)";

/// What was before, of several tags: the newest of each, and how many there are.
const HISTORIES: &str = "
    SELECT tag, digest, manifest_rkey AS manifest, rkey AS record, since, until, until_rev, entries FROM (
        SELECT *, row_number() OVER (PARTITION BY tag ORDER BY until_rev DESC, since DESC NULLS LAST, rkey DESC) AS nth,
               count(*) OVER (PARTITION BY tag) AS entries
        FROM tag_history WHERE did = $1 AND repository = $2 AND tag = ANY (string_to_array($3, ','))) h
    WHERE nth <= $4 ORDER BY tag, nth";

/// The order of a list of tags. What cosign tags after an image (`sha256-…`) comes last in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagOrder {
    /// Moved last, first; what nobody dated last.
    #[default]
    Newest,
    /// Moved last, last; what nobody dated after it.
    Oldest,
    /// By name, in ASCII order.
    Name,
    /// By name, backwards.
    NameBackwards,
}

impl TagOrder {
    /// What time stands for, which way, and whether that is down.
    const fn sql(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Newest => ("coalesce({AT}, '-infinity')", "<", "DESC"),
            Self::Oldest => ("coalesce({AT}, 'infinity')", ">", "ASC"),
            Self::Name => ("'-infinity'::timestamptz", ">", "ASC"),
            Self::NameBackwards => ("'-infinity'::timestamptz", "<", "DESC"),
        }
    }

    fn order(self) -> String {
        let (at, _, way) = self.sql();
        format!("about, {} {way}, tag {way}", at.replace("{AT}", "updated_at"))
    }

    /// From the last to the first.
    fn backwards(self) -> String {
        let (at, _, way) = self.sql();
        let way = if way == "ASC" { "DESC" } else { "ASC" };
        format!("about DESC, {} {way}, tag {way}", at.replace("{AT}", "updated_at"))
    }

    /// $5, $6 and $7 are the cursor.
    fn after(self) -> String {
        self.beyond(">", self.sql().1)
    }

    /// As [`Self::after`].
    fn before(self) -> String {
        self.beyond("<", if self.sql().1 == "<" { ">" } else { "<" })
    }

    fn beyond(self, about: &str, than: &str) -> String {
        let at = self.sql().0;
        let (here, there) = (at.replace("{AT}", "updated_at"), at.replace("{AT}", "$6::timestamptz"));
        format!("(about {about} $5 OR (about = $5 AND ({here}, tag) {than} ({there}, $7)))")
    }
}

/// The last tag of a page, where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCursor {
    about: bool,
    at: Option<DateTime<Utc>>,
    tag: Tag,
}

impl std::fmt::Display for TagCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.at.map_or_else(|| "-".to_owned(), |at| at.timestamp_micros().to_string());
        write!(f, "{}~{at}~{}", u8::from(self.about), self.tag)
    }
}

/// A text that is no cursor of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of ours")]
pub struct NoCursor;

impl std::str::FromStr for TagCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let mut parts = text.splitn(3, '~');
        let (about, at, tag) = (parts.next(), parts.next().ok_or(NoCursor)?, parts.next().ok_or(NoCursor)?);
        let about = match about {
            Some("0") => false,
            Some("1") => true,
            _ => return Err(NoCursor),
        };
        let at = match at {
            "-" => None,
            micros => Some(micros.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or(NoCursor)?),
        };
        // Postgres knows no other years.
        let known = at.is_none_or(|at| (-4_000..200_000).contains(&chrono::Datelike::year(&at)));
        let tag = tag.parse().map_err(|_| NoCursor)?;
        if known { Ok(Self { about, at, tag }) } else { Err(NoCursor) }
    }
}

/// Which tags are asked for.
#[derive(Clone, Debug, Default)]
pub struct TagsAsked {
    /// Only those whose names hold this, in any case of letters.
    pub filter: String,
    /// Their order.
    pub order: TagOrder,
    /// Only what comes after this.
    pub after: Option<TagCursor>,
    /// Only what comes before this, and of that the last; not both.
    pub before: Option<TagCursor>,
    /// At most so many.
    pub limit: u32,
}

/// A page of tags.
#[derive(Clone, Debug)]
pub struct TagPage {
    /// The tags.
    pub items: Vec<TagView>,
    /// How many the filter leaves, on all pages.
    pub matching: i64,
    /// Before what the previous page ends, if there is one.
    pub previous: Option<TagCursor>,
    /// Where the next page begins, if there is one.
    pub next: Option<TagCursor>,
}

/// What one of several tags pointed at before.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Before {
    /// The tag.
    pub tag: String,
    /// What it was, until when.
    #[sea_orm(nested)]
    pub was: TagHistoryView,
    /// How many there are of this tag.
    pub entries: i64,
}

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    view: TagView,
    about: bool,
    matching: i64,
}

/// Compressed bytes of `manifest m`: of an index, the sum over the images of its platforms whose records are known.
pub(super) const SIZE: &str = "
    CASE WHEN m.kind = 'index' THEN (
        SELECT sum(c.size)::bigint FROM platform p JOIN LATERAL (
            SELECT size FROM manifest c WHERE c.did = p.did AND c.digest = p.digest ORDER BY c.rkey LIMIT 1) c ON true
        WHERE p.did = m.did AND p.rkey = m.rkey AND p.os IS NOT NULL)
    ELSE m.size END";

impl Reader {
    /// A page of a repository's tags. Time grows with the number of its tags, not with how far the page is.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn tags(&self, did: &Did, repository: &RepositoryName, asked: &TagsAsked) -> Result<TagPage, StoreError> {
        let limit = i64::from(asked.limit);
        let mut values: Vec<Value> =
            vec![did.as_str().into(), repository.as_str().into(), asked.filter.as_str().into(), (limit + 1).into()];
        let cursor = asked.before.as_ref().or(asked.after.as_ref());
        values.extend(cursor.into_iter().flat_map(|at| [at.about.into(), at.at.into(), at.tag.as_str().into()]));
        let (beyond, paged) = match (&asked.before, &asked.after) {
            (Some(_), _) => (asked.order.before(), asked.order.backwards()),
            (None, Some(_)) => (asked.order.after(), asked.order.order()),
            (None, None) => ("true".to_owned(), asked.order.order()),
        };
        let sql = tags_sql("position(lower($3) in lower(tag)) > 0", asked.order)
            .replace("{AFTER}", &beyond)
            .replace("{PAGED}", &paged)
            .replace("{LIMIT}", "$4");
        let mut rows: Vec<Row> = self.all(&sql, values).await?;
        let matching = match rows.first() {
            Some(row) => row.matching,
            None => 0,
        };
        let more = rows.len() > asked.limit as usize;
        let backwards = asked.before.is_some();
        // The one too many is on the far side.
        if backwards && more {
            rows.remove(0);
        }
        rows.truncate(asked.limit as usize);
        let place = |row: &Row| {
            let tag = row.view.tag.parse().ok()?;
            Some(TagCursor { about: row.about, at: row.view.updated_at, tag })
        };
        let next = rows.last().filter(|_| more || backwards).and_then(place);
        let is_first = if backwards { !more } else { asked.after.is_none() };
        let previous = rows.first().filter(|_| !is_first).and_then(place);
        Ok(TagPage { items: rows.into_iter().map(|row| row.view).collect(), matching, previous, next })
    }

    /// What each of these tags pointed at before, tag by tag, the newest first, at most `each` of one.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn before(
        &self,
        did: &Did,
        repository: &RepositoryName,
        tags: &[TagView],
        each: u32,
    ) -> Result<Vec<Before>, StoreError> {
        // No tag holds a comma.
        let tags: Vec<&str> = tags.iter().map(|tag| tag.tag.as_str()).collect();
        let values =
            vec![did.as_str().into(), repository.as_str().into(), tags.join(",").into(), i64::from(each).into()];
        self.all(HISTORIES, values).await
    }

    /// What a tag points at and pointed at, the newest first, at most `limit` from `offset`. It is history as it was seen:
    /// what came and went between two readings of a repository is not in it.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn tag_history(
        &self,
        did: &Did,
        repository: &RepositoryName,
        tag: &Tag,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<TagHistoryView>, StoreError> {
        let (did, repository) = (did.as_str(), repository.as_str());
        let values = vec![did.into(), repository.into(), tag.as_str().into(), limit.into(), offset.into()];
        self.all(HISTORY, values).await
    }

    /// One tag of a repository.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn tag(&self, did: &Did, repository: &RepositoryName, tag: &Tag) -> Result<Option<TagView>, StoreError> {
        let newest = TagOrder::Newest;
        let sql = tags_sql("tag = $3", newest).replace("{AFTER}", "true").replace("{PAGED}", &newest.order());
        let sql = sql.replace("{LIMIT}", "1");
        self.one(&sql, vec![did.as_str().into(), repository.as_str().into(), tag.as_str().into()]).await
    }
}

/// Which page is left to say: `{AFTER}`, `{PAGED}`, `{LIMIT}`.
fn tags_sql(condition: &str, order: TagOrder) -> String {
    TAGS.replace("{SIZE}", SIZE)
        .replace("{SCAN}", SCAN)
        .replace("{CONDITION}", condition)
        .replace("{ORDER}", &order.order())
}
