//! Every byte that leaves crowsnest, and what it asks of the AT Protocol's services.
//!
//! From the wire upwards: [`guard`] (what may be dialled), [`Outbound`] (the one dialer, HTTP and WebSocket), [`identity`]
//! (DIDs and handles), [`pds`] and [`relay`] (records), [`hold`] (blobs).

mod body;
mod client;
mod error;
pub mod guard;
mod net;
mod tls;
mod websocket;

pub use body::Streamed;
pub use client::{Fetched, Limits, Outbound, OutboundConfig};
pub use error::{Cause, OutboundError};
pub use guard::{Blocked, Guard};
pub use tokio_tungstenite::tungstenite;
pub use websocket::{Transport, WebSocket};
