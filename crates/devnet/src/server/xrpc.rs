use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Error;

/// An answer `{error, message}` (<https://atproto.com/specs/xrpc#error-responses>).
#[derive(Debug)]
pub(crate) struct XrpcError {
    pub(crate) status: StatusCode,
    error: &'static str,
    message: String,
}

impl XrpcError {
    pub(crate) fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into() }
    }

    pub(crate) fn bad(error: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::bad("InvalidRequest", message)
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AuthenticationRequired", message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }
}

impl From<Error> for XrpcError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { name, message } => Self::bad(name, message),
            Error::Name(error) => Self::invalid(error.to_string()),
            other => {
                tracing::error!(error = %other, "the devnet failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", other.to_string())
            }
        }
    }
}

impl IntoResponse for XrpcError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.error, "message": self.message}))).into_response()
    }
}

/// What a handler answers.
pub(crate) type XrpcResult<T = Json<serde_json::Value>> = Result<T, XrpcError>;

/// Query parameters.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, XrpcError> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|error| XrpcError::invalid(error.body_text()))
    }
}

/// A JSON body.
pub(crate) struct Input<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = XrpcError;

    async fn from_request(request: Request, state: &S) -> Result<Self, XrpcError> {
        let json = Json::from_request(request, state).await;
        json.map(|Json(input)| Self(input)).map_err(|error| XrpcError::invalid(error.body_text()))
    }
}

/// The answer to an unknown path.
pub(crate) async fn unknown_method() -> XrpcError {
    XrpcError::new(StatusCode::NOT_FOUND, "MethodNotImplemented", "Method Not Implemented")
}
