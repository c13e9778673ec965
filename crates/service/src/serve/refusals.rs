//! What is answered before there is a request: in the words of the registry protocol, whose clients print them
//! ([error codes](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes)).

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

/// How many are told at once that there is no room; more are closed without a word.
const TOLD_AT_ONCE: usize = 64;
/// How long that may take.
const TELLING: Duration = Duration::from_secs(1);

/// An answer, its status line and headers as they are sent.
fn answer(status: &str, code: &str, message: &str, headers: &str) -> Vec<u8> {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}","detail":null}}]}}"#);
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
         docker-distribution-api-version: registry/2.0\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Tells those who have no place to come back.
#[derive(Clone)]
pub(super) struct Door(Arc<Semaphore>);

impl Door {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(TOLD_AT_ONCE)))
    }

    pub fn turn_away(&self, mut stream: TcpStream) {
        metrics::counter!("crowsnest_limited_total", "what" => "connections").increment(1);
        let Ok(turn) = self.0.clone().try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _turn = turn;
            let full = answer(
                "503 Service Unavailable",
                "UNKNOWN",
                "this server has as many connections as it takes: try again",
                "retry-after: 5\r\n",
            );
            // Closed with something unread, the answer might be lost.
            let telling = async {
                stream.write_all(&full).await?;
                stream.shutdown().await?;
                let mut unread = [0; 4096];
                while stream.read(&mut unread).await? > 0 {}
                io::Result::Ok(())
            };
            let _ = timeout(TELLING, telling).await;
        });
    }
}

/// The beginning of an answer by the HTTP library itself, which has no body, and what is sent instead.
const BARE: [(&[u8], &str, &str, &str); 3] = [
    (
        b"HTTP/1.1 431 ",
        "431 Request Header Fields Too Large",
        "UNSUPPORTED",
        "too many headers, or too long ones: send fewer",
    ),
    (b"HTTP/1.1 414 ", "414 URI Too Long", "NAME_INVALID", "the address is too long"),
    (b"HTTP/1.1 400 ", "400 Bad Request", "UNSUPPORTED", "this is no HTTP request that can be read"),
];

fn explained(bytes: &[u8]) -> Option<Vec<u8>> {
    let (_, status, code, message) = BARE.iter().find(|(begin, ..)| bytes.starts_with(begin))?;
    // Ours have bodies.
    let nothing = b"content-length: 0\r\n";
    let is_bare = bytes.windows(nothing.len()).any(|part| part.eq_ignore_ascii_case(nothing));
    is_bare.then(|| answer(status, code, message, ""))
}

/// A stream on which the HTTP library's own refusals get a body.
pub(super) struct Explained<S> {
    stream: S,
    /// What is sent in the place of a write, and how much of it was.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S> Explained<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, instead: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Explained<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.instead.is_none() {
            this.instead = explained(bytes).map(|answer| (answer, 0));
        }
        let Some((answer, sent)) = &mut this.instead else { return Pin::new(&mut this.stream).poll_write(cx, bytes) };
        while *sent < answer.len() {
            match Pin::new(&mut this.stream).poll_write(cx, &answer[*sent..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => *sent += more,
                other => return other,
            }
        }
        this.instead = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        if self.instead.is_some() || first.is_some_and(|first| explained(first).is_some()) {
            return self.poll_write(cx, first.map_or(&[], |first| &**first));
        }
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
