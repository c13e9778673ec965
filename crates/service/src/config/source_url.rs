//! The address of an event stream; the path says which protocol it speaks.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// What protocol a source speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Jetstream v1, JSON events by `time_us`.
    JetstreamV1,
    /// Jetstream v2, `network.bsky.jetstream.subscribeEvents`.
    JetstreamV2,
    /// The raw firehose, `com.atproto.sync.subscribeRepos`.
    Firehose,
}

impl SourceKind {
    const ALL: [SourceKind; 3] = [SourceKind::JetstreamV1, SourceKind::JetstreamV2, SourceKind::Firehose];

    /// The name shown in logs, metrics and `/api/v1/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::JetstreamV1 => "jetstream_v1",
            SourceKind::JetstreamV2 => "jetstream_v2",
            SourceKind::Firehose => "firehose",
        }
    }

    /// The end of the path that a source of this kind is served under.
    fn path(self) -> &'static str {
        match self {
            SourceKind::JetstreamV1 => "/subscribe",
            SourceKind::JetstreamV2 => "/xrpc/network.bsky.jetstream.subscribeEvents",
            SourceKind::Firehose => "/xrpc/com.atproto.sync.subscribeRepos",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The address of an event stream and the protocol that its path implies.
///
/// ```
/// use crowsnest_service::config::{SourceKind, SourceUrl};
/// let source: SourceUrl = "wss://relay.example/xrpc/com.atproto.sync.subscribeRepos".parse().unwrap();
/// assert_eq!(source.kind(), SourceKind::Firehose);
/// assert!("https://relay.example/subscribe".parse::<SourceUrl>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceUrl {
    url: Url,
    kind: SourceKind,
}

impl SourceUrl {
    /// The address, `ws` or `wss`, without query: cursor and filters are the indexer's to add.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The protocol spoken there.
    pub fn kind(&self) -> SourceKind {
        self.kind
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

impl FromStr for SourceUrl {
    type Err = SourceUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "ws" | "wss") {
            return Err(SourceUrlError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SourceUrlError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(SourceUrlError::Query);
        }
        let kind = SourceKind::ALL
            .into_iter()
            .find(|kind| url.path().ends_with(kind.path()))
            .ok_or_else(|| SourceUrlError::Path(url.path().to_owned()))?;
        Ok(SourceUrl { url, kind })
    }
}

/// Why a text is not the address of an event stream.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    /// Not a URL at all.
    #[error("expected a URL such as wss://HOST/subscribe")]
    Url(#[from] url::ParseError),
    /// Not a WebSocket.
    #[error("expected ws:// or wss://, found {0}://")]
    Scheme(String),
    /// A user name or password in the URL.
    #[error("expected no user name or password in the URL")]
    Credentials,
    /// A query or fragment.
    #[error("expected nothing after the path: cursor and filters are set by crowsnest")]
    Query,
    /// A path that names no protocol we speak.
    #[error(
        "expected a path ending in /subscribe (Jetstream v1), /xrpc/network.bsky.jetstream.subscribeEvents (Jetstream v2) \
         or /xrpc/com.atproto.sync.subscribeRepos (firehose), found {0}"
    )]
    Path(String),
}
