//! Rows become views. One file a noun; the same nouns name the pages and the routes.

mod actor;
mod feed;
mod hold;
mod manifest;
mod permission;
mod picture;
mod record;
mod registry;
mod repository;
mod search;
mod status;
mod tag;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, FromQueryResult, Statement, Value,
};

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

use crate::{StoreError, connect::search_path};

/// Reads one generation of the index, through a pool whose connections see that generation and no other.
#[derive(Clone, Debug)]
pub struct Reader {
    db: DatabaseConnection,
    generation: i32,
}

impl Reader {
    /// Opens the pool.
    ///
    /// # Errors
    /// When Postgres is not there.
    pub async fn connect(url: &str, generation: i32) -> Result<Self, StoreError> {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(16)
            .acquire_timeout(std::time::Duration::from_secs(5))
            .set_schema_search_path(search_path(Some(generation)))
            // No page and no pull is worth more; a search that strays ends here.
            .map_sqlx_postgres_opts(|options| options.options([("statement_timeout", "10s")]))
            .sqlx_logging(false);
        Ok(Self { db: Database::connect(options).await?, generation })
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
        Ok(self.db.ping().await?)
    }

    async fn all<T: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<T>, StoreError> {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        Ok(T::find_by_statement(statement).all(&self.db).await?)
    }

    async fn one<T: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Option<T>, StoreError> {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        Ok(T::find_by_statement(statement).one(&self.db).await?)
    }

    async fn exists(&self, sql: &str, values: Vec<Value>) -> Result<bool, StoreError> {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        Ok(self.db.query_one_raw(statement).await?.is_some())
    }
}
