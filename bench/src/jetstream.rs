//! A Jetstream server on loopback that sends what it is told to.

use anyhow::{Context as _, Result};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::accept_async;

/// A server that waits for its one client.
pub struct Jetstream {
    listener: TcpListener,
}

/// The client's connection, with the handshake done. What the client says (pings) is left unread.
pub struct Stream(TcpStream);

impl Jetstream {
    pub async fn start() -> Result<Self> {
        Ok(Self { listener: TcpListener::bind("127.0.0.1:0").await? })
    }

    /// Where to subscribe.
    pub fn url(&self) -> Result<String> {
        Ok(format!("ws://{}/subscribe", self.listener.local_addr()?))
    }

    pub async fn client(&self) -> Result<Stream> {
        let (tcp, _) = self.listener.accept().await?;
        tcp.set_nodelay(true)?;
        Ok(Stream(accept_async(tcp).await.context("no WebSocket handshake")?.into_inner()))
    }
}

impl Stream {
    /// Sends frames that [`encode`] made; waits while the client does not read.
    pub async fn send(&mut self, frames: &[u8]) -> Result<()> {
        Ok(self.0.write_all(frames).await?)
    }
}

/// Appends a text frame of a server (RFC 6455, section 5.2): final, unmasked.
pub fn encode(text: &str, into: &mut Vec<u8>) {
    into.push(0x81);
    match u16::try_from(text.len()) {
        Ok(length @ 0..126) => into.push(length as u8),
        Ok(length) => {
            into.push(126);
            into.extend(length.to_be_bytes());
        }
        Err(_) => {
            into.push(127);
            into.extend((text.len() as u64).to_be_bytes());
        }
    }
    into.extend(text.as_bytes());
}
