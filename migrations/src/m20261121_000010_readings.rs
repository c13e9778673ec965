use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(include_str!("sql/readings.sql")).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let down =
            "DROP TABLE ops.unread; ALTER TABLE ops.gap DROP COLUMN missing; ALTER TABLE ops.job DROP COLUMN backfill";
        manager.get_connection().execute_unprepared(down).await?;
        Ok(())
    }
}
