//! The servers on loopback: each shows its part of the one [`Network`].

mod account;
mod hold;
mod identity;
mod jetstream;
mod jetstream_v2;
mod legacy_hold;
mod listener;
mod pds;
mod plc;
mod presign;
mod relay;
mod repo;
mod stream;
mod sync;
mod token;
mod write;
mod xrpc;

use std::sync::Arc;

use types::Did;

use self::xrpc::XrpcError;
pub(crate) use self::{
    hold::{BlobAnswer, router as hold_router},
    jetstream::router as jetstream_router,
    legacy_hold::router as legacy_hold_router,
    listener::Server,
    pds::router as pds_router,
    plc::router as plc_router,
    relay::router as relay_router,
};
use crate::network::{Account, Event, EventKind, Home, Network, State};

/// Base URLs, without a slash at the end.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub(crate) plc: String,
    pub(crate) relay: String,
    pub(crate) jetstream: String,
    pub(crate) pds: Vec<String>,
    pub(crate) holds: Vec<String>,
}

impl Urls {
    /// The base URL of the server that an account lives on.
    pub(crate) fn home(&self, home: Home) -> &str {
        match home {
            Home::Pds(index) => self.pds.get(index),
            Home::Hold(index) => self.holds.get(index),
        }
        .map_or("", String::as_str)
    }
}

/// Which accounts a server shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View {
    Pds(usize),
    Hold(usize),
    /// Everyone but the accounts of one hold, which the relay never crawled.
    Relay {
        except_hold: usize,
    },
}

impl View {
    /// Whether the event is on this server's streams; raw bytes are on all of them.
    pub(crate) fn tells(self, event: &Event) -> bool {
        self.shows(event.home) || matches!(event.kind, EventKind::Raw { .. })
    }

    /// Whether an account that lives there is seen here.
    pub(crate) fn shows(self, home: Home) -> bool {
        match self {
            Self::Pds(index) => home == Home::Pds(index),
            Self::Hold(index) => home == Home::Hold(index),
            Self::Relay { except_hold } => home != Home::Hold(except_hold),
        }
    }
}

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) network: Arc<Network>,
    pub(crate) urls: Arc<Urls>,
    pub(crate) view: View,
}

impl Site {
    /// An account of this server by DID or handle, whatever its status.
    fn account<'a>(&self, state: &'a State, name: &str) -> Result<&'a Account, XrpcError> {
        let account = match name.parse::<Did>() {
            Ok(did) => state.account(&did),
            Err(_) => name.parse().ok().and_then(|handle| state.by_handle(&handle)),
        };
        account
            .filter(|account| self.view.shows(account.home))
            .ok_or_else(|| XrpcError::bad("RepoNotFound", format!("Could not find repo for DID: {name}")))
    }

    /// An account of this server whose repository may be read.
    fn active<'a>(&self, state: &'a State, name: &str) -> Result<&'a Account, XrpcError> {
        let account = self.account(state, name)?;
        let error = match account.status.as_deref() {
            None => return Ok(account),
            Some("takendown") => "RepoTakendown",
            Some("suspended") => "RepoSuspended",
            Some("deactivated") => "RepoDeactivated",
            Some(_) => "RepoNotFound",
        };
        Err(XrpcError::bad(error, format!("Repo is not available: {}", account.did)))
    }
}
