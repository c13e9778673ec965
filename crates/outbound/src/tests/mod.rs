//! The dialer against servers that behave, and servers that do not.

mod http;
mod websocket;
