use sea_orm_migration::prelude::*;

use crate::generation;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared("ALTER TABLE ops.inbox ADD verification text NOT NULL DEFAULT 'signed'").await?;
        generation::each(connection, include_str!("sql/verification.sql")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared("ALTER TABLE ops.inbox DROP verification").await?;
        generation::each(connection, "ALTER TABLE record DROP verification").await
    }
}
