//! Every byte that leaves crowsnest, and what it asks of the AT Protocol's services.
//!
//! From the wire upwards: [`guard`] (what may be dialled), [`Outbound`] (the one dialer, HTTP and WebSocket), [`identity`]
//! (DIDs and handles), [`pds`] and [`relay`] (records), [`proof`] (what a signed commit
//! proves), [`hold`] (blobs), [`manifest`] (a manifest's bytes, wherever they are).

mod body;
mod client;
mod error;
pub mod guard;
pub mod hold;
pub mod identity;
pub mod manifest;
mod net;
pub mod pds;
pub mod proof;
pub mod relay;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod websocket;
mod xrpc;

pub use body::Streamed;
pub use client::{Fetched, Limits, Outbound, OutboundConfig};
pub use error::{Cause, OutboundError};
pub use guard::{Blocked, Guard};
pub use hold::{Caller, HoldClient, HoldError, HoldTarget};
pub use identity::{DidDocument, Identity, IdentityError, Resolver, ResolverConfig};
pub use pds::{Pds, PdsError, Session, SessionError};
pub use tokio_tungstenite::tungstenite;
pub use websocket::{Transport, WebSocket};
