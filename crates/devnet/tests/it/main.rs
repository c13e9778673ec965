//! The devnet from outside, over its sockets, checked with implementations that are not its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts functions marked #[test], not what helps them"
)]

mod content;
mod holds;
mod jetstream_v2;
mod repositories;
mod restart;
mod streams;
mod support;
mod writes;
