//! The only DDL of crowsnest, up and down.
//!
//! Three groups of tables, each with its own life:
//! - [`generation`]: `idx_N`, a function of the records alone; rebuilt beside the live one and swapped;
//! - `obs`: what the network told us, shared by generations;
//! - `ops`: ours, never rebuilt.
//!
//! Rules: key columns are `COLLATE "C"`; no enum or composite types in a generation (drivers cache their OIDs); no foreign
//! keys between records, which arrive in any order.

pub mod generation;
mod m20261121_000001_observations;
mod m20261121_000002_operations;
mod m20261121_000003_verification;
mod m20261121_000004_history;
mod m20261121_000005_sources;
mod m20261121_000006_actors;
mod m20261121_000007_archive;
mod m20261121_000008_indexes;
mod m20261121_000009_jobs;
mod m20261121_000010_readings;
mod m20261121_000011_inbox;
mod m20261121_000012_plans;
mod m20261121_000013_mends;
mod m20261121_000014_sign_ins;
mod m20261121_000017_pulls;
mod m20261121_000018_search;
mod m20261121_000019_pictures;
mod m20261121_000020_status;
mod m20261121_000021_tag_ends;

use sea_orm_migration::MigrationTrait;
pub use sea_orm_migration::{MigratorTrait, sea_orm};

/// Every migration of the shared groups, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_observations::Migration),
            Box::new(m20261121_000002_operations::Migration),
            Box::new(m20261121_000003_verification::Migration),
            Box::new(m20261121_000004_history::Migration),
            Box::new(m20261121_000005_sources::Migration),
            Box::new(m20261121_000006_actors::Migration),
            Box::new(m20261121_000007_archive::Migration),
            Box::new(m20261121_000008_indexes::Migration),
            Box::new(m20261121_000009_jobs::Migration),
            Box::new(m20261121_000010_readings::Migration),
            Box::new(m20261121_000011_inbox::Migration),
            Box::new(m20261121_000012_plans::Migration),
            Box::new(m20261121_000013_mends::Migration),
            Box::new(m20261121_000014_sign_ins::Migration),
            Box::new(m20261121_000017_pulls::Migration),
            Box::new(m20261121_000018_search::Migration),
            Box::new(m20261121_000019_pictures::Migration),
            Box::new(m20261121_000020_status::Migration),
            Box::new(m20261121_000021_tag_ends::Migration),
        ]
    }
}
