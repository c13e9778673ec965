//! The least of an HTTP client: one connection, one GET after the other.

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
};

use super::image::MANIFEST;

/// A connection that is kept.
pub struct Connection {
    stream: BufStream<TcpStream>,
    host: String,
}

impl Connection {
    /// Connects to a host, as `127.0.0.1:5000`.
    pub async fn open(host: &str) -> Result<Self> {
        let tcp = TcpStream::connect(host).await?;
        tcp.set_nodelay(true)?;
        Ok(Self { stream: BufStream::new(tcp), host: host.to_owned() })
    }

    /// The status and the body.
    pub async fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: {MANIFEST}\r\n\r\n", self.host);
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        let (mut status, mut length) = (0, None);
        loop {
            let mut line = String::new();
            ensure!(self.stream.read_line(&mut line).await? > 0, "{path}: the connection was closed");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.split(' ').next().unwrap_or_default().parse()?;
            }
            if let Some(rest) = line.strip_prefix("content-length:") {
                length = Some(rest.trim().parse::<usize>()?);
            }
        }
        let mut body = vec![0; length.with_context(|| format!("{path}: no length"))?];
        self.stream.read_exact(&mut body).await?;
        Ok((status, body))
    }
}
