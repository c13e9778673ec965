//! The store against a real Postgres.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate crowsnest_store as store;

mod apply;
mod authority;
mod convergence;
mod fingerprint;
mod harness;
mod histories;
mod holds;
mod jobs;
mod queries;
mod schema;
mod writer;
