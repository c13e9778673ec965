use std::collections::HashSet;

use migrations::{
    Migrator, MigratorTrait, generation,
    sea_orm::{ConnectionTrait, Database, DbBackend, Statement},
};

use crate::{StoreError, connect};

/// What a database holds of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// Nothing.
    Absent,
    /// What an older version made.
    Old,
    /// Today's schema, with this live generation.
    Ready(i32),
}

/// Looks at a database and leaves it as it is: for commands that only read.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn inspect(url: &str) -> Result<Schema, StoreError> {
    let client = connect(url, None).await?.client;
    let tables = "SELECT to_regclass('public.seaql_migrations') IS NOT NULL AND to_regclass('ops.current_generation') IS NOT NULL";
    if !client.query_one(tables, &[]).await?.get::<_, bool>(0) {
        return Ok(Schema::Absent);
    }
    let applied = client.query("SELECT version FROM public.seaql_migrations", &[]).await?;
    let applied: HashSet<String> = applied.iter().map(|row| row.get(0)).collect();
    if Migrator::migrations().iter().any(|migration| !applied.contains(migration.name())) {
        return Ok(Schema::Old);
    }
    let live = client.query_opt("SELECT generation FROM ops.current_generation", &[]).await?;
    Ok(live.map_or(Schema::Absent, |row| Schema::Ready(row.get(0))))
}

/// Brings a database to today's schema and returns the number of the live generation, creating the first one.
/// Several processes may call it at once: an advisory lock lets one at a time through.
///
/// # Errors
/// When Postgres refuses a statement, or is not there.
pub async fn prepare(url: &str) -> Result<i32, StoreError> {
    let mut options = sea_orm::ConnectOptions::new(url);
    // One connection: the advisory lock below belongs to its session.
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await?;
    db.execute_unprepared("SELECT pg_advisory_lock(7300001)").await?;
    let prepared = migrate(&db).await;
    db.execute_unprepared("SELECT pg_advisory_unlock(7300001)").await?;
    db.close().await?;
    prepared
}

async fn migrate(db: &sea_orm::DatabaseConnection) -> Result<i32, StoreError> {
    Migrator::up(db, None).await?;
    let select = Statement::from_string(DbBackend::Postgres, "SELECT generation FROM ops.current_generation");
    if let Some(row) = db.query_one_raw(select).await? {
        return Ok(row.try_get("", "generation")?);
    }
    generation::up(db, 1).await?;
    db.execute_unprepared("INSERT INTO ops.current_generation (generation) VALUES (1)").await?;
    Ok(1)
}
