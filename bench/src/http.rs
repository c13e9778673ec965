//! The least of an HTTP client: one connection, one GET after the other.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
};

/// A connection that is kept.
pub struct Connection {
    stream: BufStream<TcpStream>,
    host: String,
    /// What follows the path in each request.
    rest: String,
}

/// An answer.
pub struct Got {
    pub status: u16,
    /// When its first byte was there.
    pub first: Instant,
    /// The status line and the headers as they came.
    pub head: String,
    pub body: Vec<u8>,
}

impl Got {
    /// The value of a header, whose name is given in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Connection {
    /// Connects to a host, as `127.0.0.1:5000`; the headers, as `Accept: text/html`, are sent with each request.
    pub async fn open(host: &str, headers: &[&str]) -> Result<Self> {
        let tcp = TcpStream::connect(host).await?;
        tcp.set_nodelay(true)?;
        let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
        let rest = format!(" HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        Ok(Self { stream: BufStream::new(tcp), host: host.to_owned(), rest })
    }

    /// Whom it connects to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The status and the body.
    pub async fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>)> {
        let got = self.ask(path).await?;
        Ok((got.status, got.body))
    }

    /// The whole answer.
    pub async fn ask(&mut self, path: &str) -> Result<Got> {
        self.stream.write_all(format!("GET {path}{}", self.rest).as_bytes()).await?;
        self.stream.flush().await?;
        self.stream.fill_buf().await?;
        let first = Instant::now();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(self.stream.read_line(&mut head).await? > 0, "{path}: the connection was closed");
        }
        let status = head.split(' ').nth(1).with_context(|| format!("{path}: no status"))?.parse()?;
        let mut got = Got { status, first, head, body: Vec::new() };
        let length: usize = got.header("content-length").with_context(|| format!("{path}: no length"))?.parse()?;
        got.body.resize(length, 0);
        self.stream.read_exact(&mut got.body).await?;
        Ok(got)
    }
}
