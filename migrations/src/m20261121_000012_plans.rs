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
            "DROP INDEX tag_manifest, tag_digest;
             CREATE INDEX tag_manifest ON tag (manifest_rkey, did);
             CREATE INDEX tag_digest ON tag (manifest_digest, did) WHERE manifest_digest IS NOT NULL",
        )
        .await?;
        connection
            .execute_unprepared(
                "CREATE INDEX actor_floor ON obs.actor (did) WHERE floor_rev IS NOT NULL;
                 ALTER TABLE ops.change_log ALTER keys SET STORAGE EXTERNAL",
            )
            .await
            .map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        generation::each(
            connection,
            "DROP INDEX tag_manifest, tag_digest;
             CREATE INDEX tag_manifest ON tag (did, manifest_rkey);
             CREATE INDEX tag_digest ON tag (did, manifest_digest) WHERE manifest_digest IS NOT NULL",
        )
        .await?;
        connection
            .execute_unprepared(
                "DROP INDEX obs.actor_floor; ALTER TABLE ops.change_log ALTER keys SET STORAGE EXTENDED",
            )
            .await
            .map(drop)
    }
}
