//! The store against a real Postgres.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate crowsnest_store as store;

mod apply;
mod archive;
mod authority;
mod backfill;
mod browse;
mod convergence;
mod feed;
mod fingerprint;
mod freshness;
mod harness;
mod histories;
mod history;
mod holds;
mod jobs;
mod locks;
mod pulls;
mod purge;
mod queries;
mod quota;
mod schema;
mod search;
mod sign_ins;
mod status;
mod verification;
mod writer;
