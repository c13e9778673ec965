use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use store::StoreError;

/// The one error at the edge of the web: a page for people, `{error, message}` for machines.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Nothing is at this address.
    #[error("There is no page at {path}.")]
    NoPage {
        /// The path asked for.
        path: String,
    },
    /// Nobody of that handle or DID is known.
    #[error("No account named {owner} is in the index.")]
    NoOwner {
        /// The handle or DID asked for.
        owner: String,
    },
    /// The account's host says that it is not to be shown.
    #[error("The account {owner} is not shown: its host calls it {status}.")]
    Hidden {
        /// The handle or DID asked for.
        owner: String,
        /// `deactivated`, `takendown`, ….
        status: String,
    },
    /// The account has no such repository.
    #[error("{owner} has no repository named {name}.")]
    NoRepository {
        /// Whose.
        owner: String,
        /// The name asked for.
        name: String,
    },
    /// The repository has no such tag.
    #[error("{owner}/{name} has no tag named {tag}.")]
    NoTag {
        /// Whose.
        owner: String,
        /// The repository.
        name: String,
        /// The tag asked for.
        tag: String,
    },
    /// The repository has no such manifest.
    #[error("{owner}/{name} has no manifest with the digest {digest}.")]
    NoManifest {
        /// Whose.
        owner: String,
        /// The repository.
        name: String,
        /// The digest asked for.
        digest: String,
    },
    /// A parameter or a name that cannot be one.
    #[error("{0}")]
    BadRequest(String),
    /// There is no hold of this DID.
    #[error("No hold named {did} is in the index.")]
    NoHold {
        /// The DID asked for.
        did: String,
    },
    /// More listeners than there is room for.
    #[error("Too many are listening at the moment: try again in a minute.")]
    Busy,
    /// The store failed: ours, not the visitor's.
    #[error("The index cannot be read at the moment.")]
    Store(#[from] StoreError),
}

impl WebError {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(error) if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::NOT_FOUND,
        }
    }

    /// The name that machines match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPage { .. } => "not_found",
            Self::NoOwner { .. } => "owner_unknown",
            Self::Hidden { .. } => "owner_hidden",
            Self::NoRepository { .. } => "repository_unknown",
            Self::NoTag { .. } => "tag_unknown",
            Self::NoManifest { .. } => "manifest_unknown",
            Self::NoHold { .. } => "hold_unknown",
            Self::BadRequest(_) => "bad_request",
            Self::Busy => "unavailable",
            Self::Store(error) if error.is_transient() => "unavailable",
            Self::Store(_) => "internal",
        }
    }

    /// Writes our own faults to the log. Called once, where the error becomes a response.
    pub fn log(&self) {
        if let Self::Store(error) = self {
            tracing::error!(error = error as &dyn std::error::Error, "The index could not be read for a page");
        }
    }
}

/// JSON, for the API.
impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        self.log();
        let body = serde_json::json!({ "error": self.code(), "message": self.to_string() });
        let mut response = (self.status(), Json(body)).into_response();
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        }
        response
    }
}
