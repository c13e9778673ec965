//! The store against a real Postgres.

extern crate crowsnest_store as store;

mod apply;
mod convergence;
mod harness;
mod jobs;
mod queries;
mod schema;
mod writer;
