//! The pull side of the OCI distribution protocol
//! ([distribution-spec 1.1](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md)) over the index.
//!
//! A request's way: `limits` (how much one client may ask for), `routes` (method, token, headers), `names` (which owner,
//! repository, reference), `owners` (which account), then `manifests`, `blobs` (a redirect to where `located` finds them, or
//! `proxied`), `tags`, `referrers` or `catalog`. Who signed in (`sign_in`) may read from `private` holds. What the index lacks
//! comes by `read_through` (records,
//! through the writer's inbox) and `contents` (manifest bytes, hashed). `errors` is the one table of what can be refused.

mod blobs;
mod breaker;
mod catalog;
mod config;
mod contents;
mod errors;
mod flights;
mod holds;
mod incidents;
mod limits;
mod located;
mod manifests;
mod measure;
mod mirror;
mod names;
mod owners;
mod private;
mod proxied;
mod pulls;
mod read_through;
mod referrers;
mod registry;
mod routes;
mod sign_in;
mod tags;
mod tokens;
mod writes;

#[cfg(test)]
mod tests;

pub use config::{Patience, RegistryConfig};
pub use errors::Code;
pub use limits::{Limits, Rate};
pub use measure::METRICS;
pub use registry::{Registry, SetupError};
pub use routes::router;
