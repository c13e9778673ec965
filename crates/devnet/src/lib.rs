//! An AT Protocol network on loopback, for demos and tests: a PLC directory, two PDSs, a relay, Jetstream in both
//! versions and four holds, honest at the protocol level (real CIDs, signed commits, revs, CARs, digests, OCI layouts).
//! Everything that happens is kept in a log from which the same network is rebuilt after a restart or a kill.
//!
//! In data-flow order: `content` and `live` publish, `repo` commits, `network` keeps and orders, `server` shows.

mod config;
mod content;
mod devnet;
mod error;
mod forward;
mod keys;
mod live;
mod network;
mod ports;
mod repo;
mod server;

pub use config::{DevnetAccount, DevnetConfig, DevnetManifest};
pub use devnet::{Devnet, HOLD_LEGACY, HOLD_PRIVATE, HOLD_PUBLIC, HOLD_UNCRAWLED};
pub use error::{Error, Result};
pub use forward::forward;
pub use repo::{Action, Write};
