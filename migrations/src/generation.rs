//! One generation of the index: a schema `idx_N`, a function of the records alone.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// The name of a generation's schema.
pub fn schema(generation: i32) -> String {
    format!("idx_{generation}")
}

/// Creates an empty generation; nothing happens if it is there.
///
/// # Errors
/// When Postgres refuses.
pub async fn up(connection: &impl ConnectionTrait, generation: i32) -> Result<(), DbErr> {
    let schema = schema(generation);
    let sql = concat!(include_str!("sql/generation.sql"), include_str!("sql/search.sql"));
    // `ext` is on the path for the operator classes of pg_trgm.
    connection
        .execute_unprepared(&format!(
            "BEGIN; CREATE SCHEMA IF NOT EXISTS {schema}; SET LOCAL search_path = {schema}, ext; {sql} COMMIT;"
        ))
        .await
        .map(drop)
}

/// Runs `sql` in every generation that there is: for migrations, which find them as an earlier version made them.
///
/// # Errors
/// When Postgres refuses.
pub(crate) async fn each(connection: &impl ConnectionTrait, sql: &str) -> Result<(), DbErr> {
    let select = Statement::from_string(
        DbBackend::Postgres,
        "SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^idx_[0-9]+$'",
    );
    for row in connection.query_all_raw(select).await? {
        let schema: String = row.try_get_by_index(0)?;
        connection
            .execute_unprepared(&format!(
                "SET LOCAL search_path = {schema}, ext; {sql}; SET LOCAL search_path = DEFAULT"
            ))
            .await?;
    }
    Ok(())
}

/// Drops a generation and all that is in it.
///
/// # Errors
/// When Postgres refuses.
pub async fn down(connection: &impl ConnectionTrait, generation: i32) -> Result<(), DbErr> {
    connection.execute_unprepared(&format!("DROP SCHEMA IF EXISTS {} CASCADE", schema(generation))).await.map(drop)
}
