use sea_orm_migration::prelude::*;

use crate::generation;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection
            .execute_unprepared(
                // A sequence number is given out before the commit: only its transaction tells whether an entry was seen.
                "ALTER TABLE ops.change_log ADD tx xid8 NOT NULL DEFAULT pg_current_xact_id();
                 CREATE INDEX change_log_tx ON ops.change_log (tx);
                 CREATE INDEX actor_hidden ON obs.actor (did) WHERE NOT active;
                 CREATE INDEX pull_count_pulls ON ops.pull_count (pulls DESC, did, repository) WHERE tag = ''",
            )
            .await?;
        generation::each(connection, include_str!("sql/search.sql")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        generation::each(
            connection,
            "DROP INDEX repository_name;
             DROP TABLE search_doc, search_keys, search_posting, search_word, search_spelling, search_dirty, search_state",
        )
        .await?;
        connection
            .execute_unprepared("DROP INDEX ops.pull_count_pulls, obs.actor_hidden; ALTER TABLE ops.change_log DROP tx")
            .await
            .map(drop)
    }
}
