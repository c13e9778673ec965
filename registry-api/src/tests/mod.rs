//! The registry by HTTP, on a real database, against a network of our own on loopback.

mod app;
mod blobs;
mod errors;
mod fresh;
mod limits;
mod located;
mod log;
mod manifests;
mod network;
mod private;
mod proof;
mod protocol;
mod proxied;
mod pulls;
mod read_through;
mod readers;
pub mod repo;
mod sign_in;
mod tags;
