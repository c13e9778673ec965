//! Tests of the whole system from outside: the built `crowsnest`, networks to follow, and real container clients.
//!
//! `cargo xtask test` runs them and installs what they need. The program under test is `CROWSNEST_BIN`, or else
//! `target/debug/crowsnest`, built with the feature `devnet`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "measurements and the logs of a failed test are shown to people"
)]
#![allow(clippy::expect_used, reason = "what a test makes up itself is what it says")]

mod cli;
mod devnet_pull;
mod faults;
mod harness;
mod index;
mod pds_pull;
mod registry;
mod stall;
mod web;
