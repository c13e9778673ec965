use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::{
    client::{Fetched, Limits, classify},
    error::{OutboundError, printable, shown},
};

/// The longest silence between two pieces of a body.
const IDLE: Duration = Duration::from_secs(30);
/// The longest that a body may take in all, however steadily it drips.
const TOTAL: Duration = Duration::from_secs(3600);
/// The most that is read of a refusal, for its error's name and message.
const REFUSAL_BYTES: u64 = 16 << 10;
/// The most that is kept of a refusal's message, in characters.
const MESSAGE_CHARS: usize = 300;

/// An answer whose body is still to come. It ends with an error when it grows over its cap, falls silent for 30 s, or takes
/// more than an hour; dropping it closes the connection.
pub struct Streamed {
    /// The status, whatever it is.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// Where it comes from, after redirects.
    pub url: Url,
    response: reqwest::Response,
    max_bytes: u64,
    read: u64,
    began: Instant,
    /// Bytes a second that move the end of [`TOTAL`] away.
    floor: Option<u64>,
}

impl Streamed {
    pub(crate) fn new(mut response: reqwest::Response, url: Url, limits: Limits) -> Self {
        Self {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            url,
            response,
            max_bytes: limits.max_bytes,
            read: 0,
            began: Instant::now(),
            floor: None,
        }
    }

    /// The same for a body of any length: it may take longer than an hour as long as it brought so many bytes for each second
    /// beyond that.
    pub fn with_floor(self, bytes_per_second: u64) -> Self {
        Self { floor: Some(bytes_per_second), ..self }
    }

    fn deadline(&self) -> Instant {
        let earned = self.floor.map_or(0, |floor| self.read / floor.max(1));
        self.began + TOTAL + Duration::from_secs(earned)
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// [`OutboundError::TooLarge`], [`OutboundError::Timeout`], [`OutboundError::Broken`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let patience = self.deadline().min(Instant::now() + IDLE);
        let chunk = timeout_at(patience, self.response.chunk())
            .await
            .map_err(|_| OutboundError::timeout(&self.url))?
            .map_err(|error| classify(&self.url, error))?;
        self.read += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.read > self.max_bytes { Err(self.too_large()) } else { Ok(chunk) }
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Streamed::chunk`]; a declared length over the cap is refused before anything is read.
    pub async fn bytes(mut self) -> Result<Bytes, OutboundError> {
        if self.response.content_length().is_some_and(|length| length > self.max_bytes) {
            return Err(self.too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The body as a stream; after an error it ends.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, OutboundError>> + Send + 'static {
        futures::stream::try_unfold(self, |mut this| async move { Ok(this.chunk().await?.map(|chunk| (chunk, this))) })
    }

    /// The body of a success; anything else becomes [`OutboundError::Status`].
    pub(crate) async fn fetched(self) -> Result<Fetched, OutboundError> {
        if !self.status.is_success() {
            return Err(self.refusal().await);
        }
        let (status, headers, url) = (self.status, self.headers.clone(), self.url.clone());
        Ok(Fetched { status, headers, url, body: self.bytes().await? })
    }

    /// The error that an unsuccessful answer amounts to.
    pub(crate) async fn refusal(mut self) -> OutboundError {
        let (url, status) = (self.url.clone(), self.status);
        self.max_bytes = REFUSAL_BYTES;
        refusal(&url, status, &self.bytes().await.unwrap_or_default())
    }

    fn too_large(&self) -> OutboundError {
        OutboundError::TooLarge { url: shown(&self.url), limit: self.max_bytes }
    }
}

/// An unsuccessful answer as an error, with what its body says about the reason
/// ([XRPC errors](https://atproto.com/specs/xrpc#error-responses)).
pub(crate) fn refusal(url: &Url, status: StatusCode, body: &[u8]) -> OutboundError {
    #[derive(Deserialize)]
    struct XrpcError {
        error: String,
        #[serde(default)]
        message: Option<String>,
    }
    let cut = |text: &str| printable(text).chars().take(MESSAGE_CHARS).collect::<String>();
    let (error, message) = match serde_json::from_slice::<XrpcError>(body) {
        Ok(xrpc) => (Some(cut(&xrpc.error)), xrpc.message.unwrap_or_default()),
        Err(_) => (None, String::from_utf8_lossy(body).into_owned()),
    };
    OutboundError::Status { url: shown(url), status, error, message: cut(&message) }
}
