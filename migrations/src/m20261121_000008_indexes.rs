use sea_orm_migration::prelude::*;

use crate::generation;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        generation::each(
            connection,
            "DROP INDEX manifest_digest, manifest_content;
             CREATE INDEX manifest_digest ON manifest (digest, did);
             DROP INDEX repository_name, repository_name_trgm, repository_search_trgm, tag_newest, star_subject;
             ALTER TABLE fingerprint SET (fillfactor = 50)",
        )
        .await?;
        connection
            .execute_unprepared(
                "DROP INDEX obs.actor_handle_trgm;
                 CREATE INDEX actor_handle_trgm ON obs.actor USING gin (handle ext.gin_trgm_ops) WHERE handle IS NOT NULL",
            )
            .await
            .map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        generation::each(
            connection,
            "DROP INDEX manifest_digest;
             CREATE INDEX manifest_digest ON manifest (did, digest);
             CREATE INDEX manifest_content ON manifest (digest);
             CREATE INDEX star_subject ON star (owner, repository, did);
             CREATE INDEX tag_newest ON tag (did, repository, updated_at DESC NULLS LAST, tag);
             CREATE INDEX repository_name ON repository (lower(name) text_pattern_ops);
             CREATE INDEX repository_name_trgm ON repository USING gin (lower(name) gin_trgm_ops);
             CREATE INDEX repository_search_trgm ON repository USING gin (search gin_trgm_ops);
             ALTER TABLE fingerprint RESET (fillfactor)",
        )
        .await?;
        connection
            .execute_unprepared(
                "DROP INDEX obs.actor_handle_trgm;
                 CREATE INDEX actor_handle_trgm ON obs.actor USING gin (handle ext.gin_trgm_ops)",
            )
            .await
            .map(drop)
    }
}
