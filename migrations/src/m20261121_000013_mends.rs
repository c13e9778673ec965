use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(include_str!("sql/mends.sql")).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let down = "DROP TABLE ops.gone_manifest;
                    ALTER TABLE ops.tag_history DROP COLUMN moved;
                    DROP FUNCTION ops.tid_time;
                    ALTER TABLE ops.backfill DROP COLUMN again;
                    ALTER TABLE ops.unread DROP COLUMN expected";
        manager.get_connection().execute_unprepared(down).await?;
        Ok(())
    }
}
