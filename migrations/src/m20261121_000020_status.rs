use sea_orm_migration::prelude::*;

use crate::generation;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        // A generation that was made a moment ago has it.
        let invalid = "CREATE INDEX IF NOT EXISTS record_invalid ON record (did) WHERE state = 'invalid'";
        generation::each(connection, invalid).await?;
        connection.execute_unprepared(include_str!("sql/status.sql")).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        generation::each(connection, "DROP INDEX record_invalid").await?;
        connection.execute_unprepared("DROP INDEX ops.reject_reason; DROP TABLE ops.lag").await.map(drop)
    }
}
