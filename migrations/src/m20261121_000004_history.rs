use sea_orm_migration::prelude::*;

use crate::generation;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        generation::each(connection, include_str!("sql/hidden_stars.sql")).await?;
        connection.execute_unprepared(include_str!("sql/history.sql")).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection
            .execute_unprepared(
                "DROP TRIGGER actor_active ON obs.actor; DROP FUNCTION obs.move_stars; DROP TABLE ops.tag_history",
            )
            .await?;
        generation::each(
            connection,
            "UPDATE repository SET stars = stars + hidden_stars; ALTER TABLE repository DROP hidden_stars",
        )
        .await
    }
}
