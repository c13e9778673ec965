use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::{Error, Result, server::Server};

/// The ports of a devnet: chosen once, because the holds' DIDs contain them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) plc: u16,
    pub(crate) relay: u16,
    pub(crate) jetstream: u16,
    pub(crate) pds: Vec<u16>,
    pub(crate) holds: Vec<u16>,
}

/// The bound ports, in the order of [`Ports`].
pub(crate) struct Listeners {
    pub(crate) plc: TcpListener,
    pub(crate) relay: TcpListener,
    pub(crate) jetstream: TcpListener,
    pub(crate) pds: Vec<TcpListener>,
    pub(crate) holds: Vec<TcpListener>,
}

impl Ports {
    /// Reads the ports of an earlier start, or has the system choose; either way they are bound now.
    pub(crate) async fn bind(file: &Path, pds: usize, holds: usize) -> Result<(Self, Listeners)> {
        let known: Option<Self> = match std::fs::read(file) {
            Ok(text) => Some(serde_json::from_slice(&text).map_err(|source| Error::Log { line: 1, source })?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::file(file)(error)),
        };
        let wanted = known.unwrap_or_else(|| Self { pds: vec![0; pds], holds: vec![0; holds], ..Self::default() });
        let listeners = Listeners {
            plc: Server::bind("PLC directory", wanted.plc).await?,
            relay: Server::bind("relay", wanted.relay).await?,
            jetstream: Server::bind("Jetstream", wanted.jetstream).await?,
            pds: bind_all("PDS", &wanted.pds).await?,
            holds: bind_all("hold", &wanted.holds).await?,
        };
        let port = |listener: &TcpListener| listener.local_addr().map(|addr| addr.port()).map_err(Error::file(file));
        let ports = Self {
            plc: port(&listeners.plc)?,
            relay: port(&listeners.relay)?,
            jetstream: port(&listeners.jetstream)?,
            pds: listeners.pds.iter().map(port).collect::<Result<_>>()?,
            holds: listeners.holds.iter().map(port).collect::<Result<_>>()?,
        };
        let text = serde_json::to_vec(&ports).map_err(|error| Error::Encode(error.to_string()))?;
        std::fs::write(file, text).map_err(Error::file(file))?;
        Ok((ports, listeners))
    }
}

async fn bind_all(name: &str, ports: &[u16]) -> Result<Vec<TcpListener>> {
    let mut listeners = Vec::with_capacity(ports.len());
    for (index, port) in ports.iter().enumerate() {
        listeners.push(Server::bind(&format!("{name} {index}"), *port).await?);
    }
    Ok(listeners)
}
