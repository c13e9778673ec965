use std::{error::Error, sync::Arc};

use http::StatusCode;
use url::Url;

use crate::guard::Blocked;

/// What a library reported, shared so that an answer that several callers wait for can be given to each.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a request has no usable answer. URLs are shown without their query, which may hold a presigned URL's secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OutboundError {
    /// The guard refuses the URL, or every address of its host.
    #[error("{url} is refused: {why}")]
    Blocked {
        /// What was to be dialled.
        url: String,
        /// The rule that it breaks.
        #[source]
        why: Blocked,
    },
    /// The host's name has no address, or the resolver did not answer.
    #[error("{host} does not resolve: {why}")]
    Dns {
        /// The name.
        host: String,
        /// The resolver's words.
        why: String,
    },
    /// No connection: nobody listens, TLS failed.
    #[error("cannot connect to {url}")]
    Connect {
        /// What was dialled.
        url: String,
        /// The reason.
        #[source]
        source: Cause,
    },
    /// The connection broke, or the peer does not speak the protocol.
    #[error("the exchange with {url} broke off")]
    Broken {
        /// What was dialled.
        url: String,
        /// The reason.
        #[source]
        source: Cause,
    },
    /// No answer, or not all of it, within the time allowed.
    #[error("{url} did not answer in time")]
    Timeout {
        /// What was dialled.
        url: String,
    },
    /// More bytes than allowed.
    #[error("the answer of {url} is larger than {limit} bytes")]
    TooLarge {
        /// What was dialled.
        url: String,
        /// The cap.
        limit: u64,
    },
    /// A chain of redirects that is longer than allowed.
    #[error("{url} redirects too often")]
    TooManyRedirects {
        /// Where it began.
        url: String,
    },
    /// An answer that says no.
    #[error("{url} answered {status}{}", .error.as_ref().map(|e| format!(" {e}")).unwrap_or_default())]
    Status {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// The XRPC error's name, if the body is such an error.
        error: Option<String>,
        /// The XRPC error's message, or the beginning of the body.
        message: String,
    },
    /// An answer that is not what its protocol asks for.
    #[error("the answer of {url} is unusable: {why}")]
    Malformed {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The dialer cannot be set up on this machine.
    #[error("cannot set up outbound connections: {0}")]
    Setup(String),
}

impl OutboundError {
    /// Whether the same request may succeed later: the network or the peer's health is at fault, not the request.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Dns { .. } | Self::Connect { .. } | Self::Broken { .. } | Self::Timeout { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            Self::Blocked { .. }
            | Self::TooLarge { .. }
            | Self::TooManyRedirects { .. }
            | Self::Malformed { .. }
            | Self::Setup(_) => false,
        }
    }

    /// The HTTP status, when the peer gave one.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub(crate) fn malformed(url: &Url, why: impl ToString) -> Self {
        Self::Malformed { url: shown(url), why: printable(&why.to_string()) }
    }

    pub(crate) fn timeout(url: &Url) -> Self {
        Self::Timeout { url: shown(url) }
    }
}

/// A URL as it may be shown and logged: without query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// A text of others as it may be logged: without control characters, with which it could pose as lines of ours.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
