use std::error::Error;

use axum::{
    Json,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde_json::json;
use store::StoreError;
use url::Url;

use crate::incidents;

pub(crate) type Result<T> = std::result::Result<T, OciError>;

/// What can be refused. Several may share a code of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table below says what each one is")]
pub enum Code {
    BlobUnknown,
    DigestInvalid,
    ManifestInvalid,
    ManifestUnknown,
    NameIncomplete,
    NameInvalid,
    NameUnknown,
    PageInvalid,
    RangeInvalid,
    HeadersTooLarge,
    TooManyRequests,
    Unauthorized,
    SignInRefused,
    Denied,
    ReadOnly,
    EndpointUnknown,
    Upstream,
    Unavailable,
    Internal,
}

impl Code {
    /// Every refusal, in the table's order.
    pub const ALL: [Self; 19] = [
        Self::BlobUnknown,
        Self::DigestInvalid,
        Self::ManifestInvalid,
        Self::ManifestUnknown,
        Self::NameIncomplete,
        Self::NameInvalid,
        Self::NameUnknown,
        Self::PageInvalid,
        Self::RangeInvalid,
        Self::HeadersTooLarge,
        Self::TooManyRequests,
        Self::Unauthorized,
        Self::SignInRefused,
        Self::Denied,
        Self::ReadOnly,
        Self::EndpointUnknown,
        Self::Upstream,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The table: the protocol's code
    /// ([error codes](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes)), the status, and
    /// what it means.
    pub const fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::BlobUnknown => ("BLOB_UNKNOWN", StatusCode::NOT_FOUND, "no manifest of the repository has this blob"),
            Self::DigestInvalid => ("DIGEST_INVALID", StatusCode::BAD_REQUEST, "not a digest"),
            Self::ManifestInvalid => {
                ("MANIFEST_INVALID", StatusCode::BAD_GATEWAY, "what the owner published cannot be served")
            }
            Self::ManifestUnknown => ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND, "no such tag or manifest"),
            Self::NameIncomplete => ("NAME_INVALID", StatusCode::NOT_FOUND, "the name lacks its owner's full handle"),
            Self::NameInvalid => ("NAME_INVALID", StatusCode::BAD_REQUEST, "not a repository name"),
            Self::NameUnknown => ("NAME_UNKNOWN", StatusCode::NOT_FOUND, "no such owner or repository"),
            Self::PageInvalid => ("PAGINATION_NUMBER_INVALID", StatusCode::BAD_REQUEST, "n is not a number"),
            Self::RangeInvalid => {
                ("RANGE_INVALID", StatusCode::RANGE_NOT_SATISFIABLE, "the blob does not have the bytes asked for")
            }
            Self::HeadersTooLarge => {
                ("UNSUPPORTED", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers, or too long ones")
            }
            Self::TooManyRequests => ("TOOMANYREQUESTS", StatusCode::TOO_MANY_REQUESTS, "too many requests: slow down"),
            Self::Unauthorized => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED, "a token is needed"),
            Self::SignInRefused => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED, "the name or the password is wrong"),
            Self::Denied => ("DENIED", StatusCode::FORBIDDEN, "the hold does not serve this to you"),
            Self::ReadOnly => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED, "this registry is read-only"),
            Self::EndpointUnknown => ("UNSUPPORTED", StatusCode::NOT_FOUND, "no such endpoint"),
            Self::Upstream => ("UNKNOWN", StatusCode::BAD_GATEWAY, "another server sent what cannot be used"),
            Self::Unavailable => ("UNKNOWN", StatusCode::SERVICE_UNAVAILABLE, "something does not answer: try again"),
            Self::Internal => ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here"),
        }
    }
}

impl Code {
    /// What who meets it does about it, for the documentation.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::BlobUnknown => "pull by the manifest's digest; if the hold has lost it, its owner pushes again",
            Self::DigestInvalid => "write `sha256:` and 64 hex characters in lower case (or `sha512:` and 128)",
            Self::ManifestInvalid => "the owner pushes again with a client that writes OCI or docker manifests",
            Self::ManifestUnknown => {
                "look at `tags/list`; a tag whose manifest is gone waits for its owner's next push"
            }
            Self::NameIncomplete => "write the owner's full handle or DID: `HOST/alice.example.com/app`",
            Self::NameInvalid => "write the name as the repository's page does; a DID as `did_plc_…`",
            Self::NameUnknown => "check the handle; an account that is deactivated or taken down is not served",
            Self::PageInvalid => "give `n` as a number, 0 or more",
            Self::RangeInvalid => "ask for fewer bytes: `Content-Range` says how many there are",
            Self::HeadersTooLarge => "send fewer headers",
            Self::TooManyRequests => {
                "wait as long as `Retry-After` says; operators: `--requests-per-second`, `--lookups-per-second`"
            }
            Self::Unauthorized => "get a token where `WWW-Authenticate` says; clients do so by themselves",
            Self::SignInRefused => {
                "sign in with your full handle or DID and an app password, which your account's settings make"
            }
            Self::Denied => "ask the hold's owner for `blob:read`, then pull again",
            Self::ReadOnly => "push to atcr.io",
            Self::EndpointUnknown => "see the distribution specification for what can be asked",
            Self::Upstream => "tell whose server the message names; what it sent is never passed on",
            Self::Unavailable => "try again when `Retry-After` says; the message names who does not answer",
            Self::Internal => "tell the operator; the log has the cause",
        }
    }
}

/// A refusal as it is sent: for people who read what their client prints. It holds nothing internal; causes are logged
/// where they become a refusal, once.
#[derive(Clone, Debug)]
pub(crate) struct OciError {
    pub code: Code,
    pub message: String,
    retry_after: Option<u64>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl OciError {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let retry_after = matches!(code, Code::Unavailable).then_some(5);
        Self { code, message: message.into(), retry_after, header: None }
    }

    /// Tells the client how to come by a token.
    pub fn with_challenge(self, challenge: HeaderValue) -> Self {
        Self { header: Some((WWW_AUTHENTICATE, challenge)), ..self }
    }

    /// Tells the client how many bytes there are.
    pub fn with_size(self, size: u64) -> Self {
        let value = HeaderValue::try_from(format!("bytes */{size}")).ok();
        Self { header: value.map(|value| (CONTENT_RANGE, value)), ..self }
    }

    /// Tells the client when to come back, in seconds.
    pub fn with_retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Logs the cause, which is not sent. What others do wrong is told once: anybody may ask for it as often as they like.
    pub fn because(self, cause: &(dyn Error + 'static)) -> Self {
        let (code, status, _) = self.code.row();
        let (status, cause) = (status.as_u16(), chain(cause));
        if self.code == Code::Internal || incidents::is_news(&self.message) {
            tracing::warn!(oci.code = code, http.status = status, %cause, "{}", self.message);
        } else {
            tracing::debug!(oci.code = code, http.status = status, %cause, "{}", self.message);
        }
        self
    }
}

/// An error with all its sources.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        // Some tell their source in their own words already.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        next = source.source();
    }
    text
}

/// A server as its operators would know it: with its port, where it is not the usual one.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl From<StoreError> for OciError {
    fn from(error: StoreError) -> Self {
        let refusal = match error.is_transient() {
            true => Self::new(Code::Unavailable, "the database of this index does not answer: try again"),
            false => Self::new(Code::Internal, Code::Internal.row().2),
        };
        refusal.because(&error)
    }
}

impl IntoResponse for OciError {
    fn into_response(self) -> Response {
        let (code, status, _) = self.code.row();
        let body = json!({ "errors": [{ "code": code, "message": self.message, "detail": null }] });
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
