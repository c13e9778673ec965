//! Connections for reading, each lent to one statement at a time.
//!
//! SQLx's own pool asks a connection whether it is alive before it lends it, and again when it comes back: with each statement
//! Postgres is asked three times. Here the statement itself finds out: what fails on a connection that had stood idle is asked
//! once more on a new one. Nothing that is only read changes by that.

use std::time::Duration;

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult},
};
use sea_orm::{
    QueryResult, Value,
    sea_query::Values,
    sqlx::{
        self, AssertSqlSafe, ConnectOptions as _, Error,
        postgres::{PgConnectOptions, PgConnection, PgRow},
    },
};
use sea_query_sqlx::SqlxValues;

use crate::{StoreError, connect::search_path};

/// Connections at once, for each core: with more of them each finds less of what it needs at hand, and a statement takes twice
/// the time of the machine. At least so many, since some wait for a disk.
const FOR_EACH_CORE: usize = 4;
const LEAST: usize = 8;
/// How long a statement waits for one of them.
const PATIENCE: Duration = Duration::from_secs(5);
/// Then a connection is closed: what Postgres keeps for it grows.
const MOST_AGE: Duration = Duration::from_secs(1_800);

/// Opens connections, all of which see one generation.
struct Opening(PgConnectOptions);

impl managed::Manager for Opening {
    type Type = PgConnection;
    type Error = Error;

    async fn create(&self) -> Result<PgConnection, Error> {
        self.0.connect().await
    }

    async fn recycle(&self, _: &mut PgConnection, metrics: &Metrics) -> RecycleResult<Error> {
        if metrics.age() < MOST_AGE { Ok(()) } else { Err(RecycleError::message("it is old")) }
    }
}

/// The connections.
#[derive(Clone)]
pub(super) struct Pool(managed::Pool<Opening>);

impl std::fmt::Debug for Pool {
    // The options hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// A connection in use. Dropped before the answer is there, as when a visitor goes away, it is closed: the rest of the answer
/// would be the next one's.
struct Lent(Option<Object<Opening>>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.take().map(Object::take);
    }
}

impl Pool {
    /// Opens the first connection.
    pub async fn connect(url: &str, generation: i32) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse().map_err(|error: Error| StoreError::Url(error.to_string()))?;
        let options = options
            .application_name("crowsnest")
            .options([
                ("search_path", search_path(Some(generation)).as_str()),
                // No page and no pull is worth more; a search that strays ends here.
                ("statement_timeout", "10s"),
            ])
            .disable_statement_logging();
        let pool = managed::Pool::builder(Opening(options))
            .max_size(most())
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        let pool = Self(pool);
        drop(pool.lend().await?);
        Ok(pool)
    }

    /// The rows of a statement that changes nothing.
    pub async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        let lent = self.lend().await?;
        let has_stood = Object::metrics(&lent).recycle_count > 0;
        let mut asked = ask(lent, sql, values.clone()).await;
        if has_stood && asked.as_ref().is_err_and(is_broken) {
            // The others have stood there too while Postgres went away.
            self.0.retain(|_, _| false);
            asked = ask(self.lend().await?, sql, values).await;
        }
        Ok(asked?.into_iter().map(QueryResult::from).collect())
    }

    async fn lend(&self) -> Result<Object<Opening>, StoreError> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error.into(),
            error => StoreError::Unavailable(Box::new(error)),
        })
    }
}

async fn ask(lent: Object<Opening>, sql: &str, values: Vec<Value>) -> Result<Vec<PgRow>, Error> {
    let mut lent = Lent(Some(lent));
    let Some(connection) = lent.0.as_deref_mut() else { return Err(Error::PoolClosed) };
    let query = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(Values(values)));
    let asked = query.fetch_all(connection).await;
    if !asked.as_ref().is_err_and(is_broken) {
        // It goes back.
        drop(lent.0.take());
    }
    asked
}

fn most() -> usize {
    std::thread::available_parallelism().map_or(0, |cores| cores.get() * FOR_EACH_CORE).max(LEAST)
}

/// Whether the connection is of no more use.
fn is_broken(error: &Error) -> bool {
    match error {
        // Connection exceptions, and a server that stops or starts.
        Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || ["57P01", "57P02", "57P03"].contains(&&*code))
        }
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed | Error::PoolClosed => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use service::postgres::testing::TestDatabase;
    use tokio::time::timeout;

    use super::{Pool, most};

    async fn opened() -> (TestDatabase, Pool) {
        let database = TestDatabase::create().await.unwrap();
        let generation = crate::prepare(database.url()).await.unwrap();
        let pool = Pool::connect(database.url(), generation).await.unwrap();
        (database, pool)
    }

    #[tokio::test]
    async fn postgres_may_have_been_away() {
        let (database, pool) = opened().await;
        let many: Vec<_> = (0..most()).map(|_| pool.rows("SELECT pg_sleep(0.05)", vec![])).collect();
        futures::future::try_join_all(many).await.unwrap();
        assert!(pool.0.status().available > 1, "one connection is not many");
        let admin = crate::connect(database.url(), None).await.unwrap().client;
        let all = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        admin.execute(all, &[]).await.unwrap();
        for _ in 0..3 {
            assert_eq!(pool.rows("SELECT 1", vec![]).await.unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn who_goes_away_leaves_no_answer_behind() {
        let (_database, pool) = opened().await;
        for _ in 0..2 * most() {
            let slow = pool.rows("SELECT generate_series(1, 1000), pg_sleep(0.001)", vec![]);
            assert!(timeout(Duration::from_millis(5), slow).await.is_err());
        }
        for n in 1..=most() {
            let sql = format!("SELECT generate_series(1, {n})");
            assert_eq!(timeout(Duration::from_secs(20), pool.rows(&sql, vec![])).await.unwrap().unwrap().len(), n);
        }
    }

    #[tokio::test]
    async fn a_statement_that_fails_costs_no_connection() {
        let (_database, pool) = opened().await;
        for _ in 0..2 * most() {
            assert!(pool.rows("SELECT 1 / 0", vec![]).await.is_err());
        }
        assert_eq!(pool.0.status().size, 1);
        assert_eq!(pool.rows("SELECT current_schemas(false)::text", vec![]).await.unwrap().len(), 1);
    }
}
