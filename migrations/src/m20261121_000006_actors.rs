use sea_orm_migration::prelude::*;

use crate::generation;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared(include_str!("sql/actors.sql")).await?;
        generation::each(connection, include_str!("sql/actors_holds.sql")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let down = "DROP TABLE obs.hold_stream;
                    ALTER TABLE obs.actor DROP gone_at, DROP purged_at;
                    DROP INDEX obs.actor_handle;
                    CREATE INDEX actor_handle ON obs.actor (handle) WHERE handle IS NOT NULL";
        manager.get_connection().execute_unprepared(down).await.map(drop)
    }
}
