use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use crate::{Error, Result};

/// Passes the bytes of every connection to another address, until it is dropped: in a process of its own, a source that can be
/// stopped while the network goes on. Returns where it listens.
///
/// # Errors
/// When there is no free port.
pub async fn forward(to: SocketAddr) -> Result<SocketAddr> {
    let taken = |source| Error::PortTaken { server: "forwarder".to_owned(), port: 0, source };
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(taken)?;
    let at = listener.local_addr().map_err(taken)?;
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await?;
                copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    Ok(at)
}
