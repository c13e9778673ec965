use chrono::{DateTime, Utc};
use sea_orm::{FromJsonQueryResult, FromQueryResult};
use serde::{Deserialize, Serialize};
use types::{Did, RepositoryName};

use super::{Reader, tag::SIZE};
use crate::StoreError;

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Serialize)]
pub struct Owner {
    /// The DID.
    pub did: String,
    /// The verified handle, when there is one.
    pub handle: Option<String>,
}

impl Owner {
    /// The handle, or else the DID: what pages and links call the owner.
    pub fn name(&self) -> &str {
        self.handle.as_deref().unwrap_or(&self.did)
    }
}

/// A list of short texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Texts(pub Vec<String>);

/// A repository in a list.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct RepositoryItem {
    /// Whose.
    #[sea_orm(nested)]
    pub owner: Owner,
    /// Its name, scoped to the owner.
    pub name: String,
    /// The owner's description: an annotation, or the page's first words. A stranger's text.
    pub description: Option<String>,
    /// How many accounts star it.
    pub stars: i32,
    /// Pulls through us: an index and its images once, bots not at all.
    pub pulls: i64,
    /// Pulls by the claims of the holds that its manifests name, which nobody can check.
    pub claimed_pulls: i64,
    /// `os/architecture[/variant]` of the latest manifest.
    pub platforms: Texts,
    /// The newest push or tag, by the owner's clock; `None` if that says that it is to come.
    pub updated_at: Option<DateTime<Utc>>,
    /// The tag that people mean: `latest`, or else the newest.
    pub latest_tag: Option<String>,
    /// The tag that was pushed then; `None` when what was pushed has none.
    pub updated_tag: Option<String>,
    /// Whether its name is legal in an image reference.
    pub pullable: bool,
    /// The page's icon, a blob of the owner's.
    #[serde(skip)]
    pub avatar_cid: Option<String>,
    /// What the latest manifest is: `image`, `chart`, `wasm`, `artifact`; `None` until search has looked at it.
    pub kind: Option<String>,
}

/// A repository's page.
#[derive(Clone, Debug, FromQueryResult, Serialize)]
pub struct RepositoryView {
    /// What lists show.
    #[sea_orm(nested)]
    #[serde(flatten)]
    pub item: RepositoryItem,
    /// `org.opencontainers.image.title`
    pub title: Option<String>,
    /// `org.opencontainers.image.licenses`
    pub licenses: Option<String>,
    /// `org.opencontainers.image.source`, unchecked.
    pub source: Option<String>,
    /// The digest behind the latest tag.
    pub latest_digest: Option<String>,
    /// How many tags.
    pub tags: i32,
    /// How many manifests.
    pub manifests: i32,
    /// The first push, by the owner's clock.
    pub created_at: Option<DateTime<Utc>>,
    /// The README in Markdown. A stranger's text.
    pub readme: Option<String>,
    /// The key of the record that may have one.
    #[serde(skip)]
    pub page_rkey: Option<String>,
    /// The hold of the latest manifest.
    pub hold: Option<String>,
    /// The key of the latest manifest's record.
    #[serde(skip)]
    pub latest_rkey: Option<String>,
    /// Compressed bytes of the latest manifest; of an index, the sum over its images.
    pub size: Option<i64>,
}

/// [`SOON`], to be put into other texts.
macro_rules! soon {
    () => {
        "now() + interval '5 minutes'"
    };
}

/// What a time is compared with: a clock may be a little fast.
pub(super) const SOON: &str = soon!();

/// [`UPDATED`], to be put into other texts.
macro_rules! updated {
    () => {
        concat!("CASE WHEN r.updated_at <= ", soon!(), " THEN r.updated_at END")
    };
}

/// When a repository `r` was updated. A time to come, by whoever's clock or will, would keep it on top of what is newest: it is as
/// good as none until it has come. The row keeps what the records say, since nothing there may depend on when one looks.
pub(super) const UPDATED: &str = updated!();

/// The columns of a [`RepositoryItem`], from `repository r JOIN actor a`.
pub(super) const ITEM: &str = concat!(
    "
    r.did, CASE WHEN a.handle_checked_at > now() - interval '24 hours' THEN a.handle END AS handle,
    (SELECT s.kind FROM search_doc s WHERE s.did = r.did AND s.name = r.name) AS kind,
    r.name, r.summary AS description, r.stars,
    ",
    updated!(),
    " AS updated_at, r.latest_tag, r.pullable, r.avatar_cid,
    (SELECT t.tag FROM tag t WHERE t.did = r.did AND t.repository = r.name AND t.updated_at = r.updated_at
     ORDER BY t.tag = r.latest_tag DESC, t.tag LIMIT 1) AS updated_tag,
    coalesce((SELECT p.pulls FROM pull_count p WHERE p.did = r.did AND p.repository = r.name AND p.tag = ''), 0) AS pulls,
    -- A hold's claim counts only while a manifest of the repository names that hold.
    (SELECT coalesce(sum(s.pulls), 0)::bigint FROM hold_stats s
     WHERE s.owner = r.did AND s.repository = r.name
       AND EXISTS (SELECT FROM manifest m WHERE m.did = r.did AND m.repository = r.name AND m.hold = s.did)) AS claimed_pulls,
    (SELECT coalesce(jsonb_agg(DISTINCT platform), '[]') FROM (
        SELECT concat_ws('/', p.os, p.architecture, p.variant) AS platform
        FROM manifest m JOIN platform p ON p.did = m.did AND p.rkey = m.rkey
        WHERE m.did = r.did AND m.digest = r.latest_digest AND p.os IS NOT NULL
        UNION
        SELECT concat_ws('/', c.os, c.architecture, c.variant)
        FROM manifest m LEFT JOIN manifest_bytes b ON b.digest = m.digest
        JOIN image_config c ON c.digest = coalesce(b.config_digest, m.config_digest)
        WHERE m.did = r.did AND m.digest = r.latest_digest AND c.os IS NOT NULL) platforms) AS platforms"
);

/// Repositories that may be listed: with something to pull, of accounts that may be shown.
pub(super) const LISTED: &str = "repository r JOIN actor a ON a.did = r.did AND a.active AND r.manifests > 0";

impl Reader {
    /// One repository.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn repository(&self, did: &Did, name: &RepositoryName) -> Result<Option<RepositoryView>, StoreError> {
        let sql = format!(
            "SELECT {ITEM}, r.title, r.licenses, r.source, r.latest_digest, r.tags, r.manifests, r.created_at,
                    page.description AS readme, page.rkey AS page_rkey, latest.hold, latest.rkey AS latest_rkey, latest.size
             FROM repository r JOIN actor a ON a.did = r.did AND a.active AND r.manifests + r.tags > 0
             LEFT JOIN LATERAL (SELECT description, rkey FROM page WHERE did = r.did AND repository = r.name
                                ORDER BY updated_at DESC NULLS LAST, rkey DESC LIMIT 1) page ON true
             LEFT JOIN LATERAL (SELECT m.hold, m.rkey, {SIZE} AS size FROM manifest m
                                WHERE m.did = r.did AND m.digest = r.latest_digest
                                ORDER BY m.repository = r.name DESC, m.rkey LIMIT 1) latest ON true
             WHERE r.did = $1 AND r.name = $2"
        );
        self.one(&sql, vec![did.as_str().into(), name.as_str().into()]).await
    }

    /// An owner's repositories, the newest first.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn repositories_of(&self, did: &Did, limit: i64) -> Result<Vec<RepositoryItem>, StoreError> {
        let sql =
            format!("SELECT {ITEM} FROM {LISTED} WHERE r.did = $1 ORDER BY {UPDATED} DESC NULLS LAST, r.name LIMIT $2");
        self.all(&sql, vec![did.as_str().into(), limit.into()]).await
    }

    /// What an account stars, the newest star first.
    ///
    /// # Errors
    /// When Postgres refuses, or is not there.
    pub async fn starred_by(&self, did: &Did, limit: i64) -> Result<Vec<RepositoryItem>, StoreError> {
        let sql = format!(
            "SELECT {ITEM} FROM star_edge e JOIN repository r ON r.did = e.owner AND r.name = e.repository
             JOIN actor a ON a.did = r.did AND a.active AND r.manifests > 0
             LEFT JOIN (SELECT owner, repository, max(created_at) AS at FROM star WHERE did = $1 GROUP BY owner, repository)
                       given ON given.owner = e.owner AND given.repository = e.repository
             WHERE e.did = $1 ORDER BY given.at DESC NULLS LAST, r.did, r.name LIMIT $2"
        );
        self.all(&sql, vec![did.as_str().into(), limit.into()]).await
    }
}
