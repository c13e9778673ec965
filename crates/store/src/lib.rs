//! Every SQL statement of crowsnest.
//!
//! In data-flow order: [`connect`] and [`prepare`] (a database with today's schema), [`Writer`] (changes become rows, one
//! transaction a batch), [`cursors`], [`sources`] and [`gaps`] (how far sources were read, how they stand, what they lack),
//! [`jobs`], [`backfill`] and [`inbox`] (what is left to do, and what others found), [`observe`] (what the network told us),
//! [`archive`] (events as they came), [`records`] and [`queries`] (rows become views), [`fingerprint`] (two digests that say
//! whether two indexes are equal), [`freshness`] (whether what was read is still so), [`sign_ins`] (sessions of readers, sealed),
//! [`gauges`] (what an operator watches), [`search`] (what searching needs, kept beside the index).
//!
//! Writes go through tokio-postgres (COPY, set-based merges), reads through SeaORM.

mod apply;
pub mod archive;
pub mod backfill;
mod connect;
#[doc(hidden)]
pub mod crash;
pub mod cursors;
mod error;
pub mod fingerprint;
pub mod freshness;
pub mod gaps;
pub mod gauges;
pub mod inbox;
pub mod jobs;
mod listen;
pub mod observe;
mod prepare;
pub mod pulls;
pub mod queries;
pub mod records;
pub mod search;
pub mod sign_ins;
pub mod signatures;
pub mod sources;

pub use apply::{Applied, Caps, Verdict, Writer};
pub use connect::{Connection, connect};
pub use error::StoreError;
pub use listen::listen;
pub use prepare::{Schema, inspect, prepare};
pub use queries::Reader;

/// The channel on which the writer tells the sequence number of each applied batch.
pub const CHANGES_CHANNEL: &str = "crowsnest_changes";
/// The channel on which the writer's process shows that changes would be told.
pub const HEARTBEAT_CHANNEL: &str = "crowsnest_heartbeat";
/// The channel on which an inbox row is announced.
pub const INBOX_CHANNEL: &str = "crowsnest_inbox";
/// The channel on which new jobs are announced.
pub const JOBS_CHANNEL: &str = "crowsnest_jobs";
