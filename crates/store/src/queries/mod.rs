//! Rows become views. One file a noun; the same nouns name the pages and the routes.

mod activity;
mod actor;
mod feed;
mod hold;
mod manifest;
mod permission;
mod picture;
mod pool;
mod record;
mod registry;
mod repository;
mod search;
mod status;
mod tag;

use pool::Pool;
use sea_orm::{FromQueryResult, Value};

pub use activity::{ActivityAsked, ActivityCursor, ActivityPage, TagEvent};
pub use actor::{ActorView, UserView};
pub use feed::Place;
pub use hold::{CrewView, HoldItem, HoldView, MOST_COUNTED, Reliance, ScanView};
pub use manifest::{Annotations, LayerView, ManifestView, PlatformView};
pub use permission::Standing;
pub use record::RecordView;
pub use registry::{Asked, Referrer, ServedBlob, ServedManifest};
pub use repository::{Owner, RepositoryItem, RepositoryView, Texts};
pub use search::{
    Asked as SearchAsked, BrokenCursor, Correction, Cursor, Facet, Facets, Meant, SearchPage, Suggestion,
};
pub use status::{BackfillView, Counts, GapView, LagView, RejectsView, SourceView, StatusView, lag_ms};
pub use tag::{Before, NoCursor, TagCursor, TagHistoryView, TagOrder, TagPage, TagView, TagsAsked};

use crate::StoreError;

/// Reads one generation of the index, through connections that see that generation and no other.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: Pool,
    generation: i32,
}

impl Reader {
    /// Opens the first connection.
    ///
    /// # Errors
    /// When Postgres is not there.
    pub async fn connect(url: &str, generation: i32) -> Result<Self, StoreError> {
        Ok(Self { pool: Pool::connect(url, generation).await?, generation })
    }

    /// The generation that is read.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// Whether Postgres answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.exists("SELECT 1 AS one", vec![]).await.map(drop)
    }

    async fn all<T: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<T>, StoreError> {
        let rows = self.pool.rows(sql, values).await?;
        Ok(rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    async fn one<T: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Option<T>, StoreError> {
        let rows = self.pool.rows(sql, values).await?;
        Ok(rows.first().map(|row| T::from_query_result(row, "")).transpose()?)
    }

    async fn exists(&self, sql: &str, values: Vec<Value>) -> Result<bool, StoreError> {
        Ok(!self.pool.rows(sql, values).await?.is_empty())
    }
}
