//! The registry to every client that people pull with: each pulls what there is, is sent what its requests need, and shows
//! nobody else its credentials.

mod artifacts;
mod clients;
mod mirror;
mod private;
mod recorded;
mod rows;
mod storage;
mod world;
