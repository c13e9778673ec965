use std::sync::Arc;

use axum::{
    Json,
    extract::{RawForm, RawQuery, State},
    http::{
        HeaderMap,
        header::{AUTHORIZATION, CACHE_CONTROL},
    },
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chrono::DateTime;
use serde_json::json;
use url::form_urlencoded;

use super::{Access, LIFETIME};
use crate::{
    Registry,
    errors::{Code, OciError, Result},
};

/// Of more scopes than this no client has need in one token.
const MAX_SCOPES: usize = 16;

/// `GET /auth/token?service=&scope=`: `scope` may come several times, or hold several, joined by spaces.
pub(crate) async fn by_query(
    State(registry): State<Arc<Registry>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let parameters = parameters(query.unwrap_or_default().as_bytes());
    if has_credentials(&headers) {
        return Err(no_sign_in());
    }
    Ok(issue(&registry, &parameters))
}

/// `POST /auth/token`, the OAuth 2 form that containerd tries first.
pub(crate) async fn by_form(
    State(registry): State<Arc<Registry>>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Result<Response> {
    let parameters = parameters(&form);
    let secret = |name: &str| matches!(name, "username" | "password" | "refresh_token");
    if has_credentials(&headers) || parameters.iter().any(|(name, value)| secret(name) && !value.is_empty()) {
        return Err(no_sign_in());
    }
    Ok(issue(&registry, &parameters))
}

fn parameters(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

/// A token for nobody, given to somebody, would let a client believe that it is signed in.
fn no_sign_in() -> OciError {
    OciError::new(
        Code::SignInUnavailable,
        "signing in, which private holds ask for, is not possible here yet: log out, and pull public images without \
         credentials",
    )
}

/// Some clients send a `Basic` without name and password for nobody.
fn has_credentials(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(AUTHORIZATION) else { return false };
    let basic = value.to_str().ok().and_then(|text| text.strip_prefix("Basic "));
    let decoded = basic.and_then(|text| BASE64.decode(text.trim()).ok());
    !decoded.is_some_and(|decoded| decoded.is_empty() || decoded == b":")
}

fn issue(registry: &Registry, parameters: &[(String, String)]) -> Response {
    let scopes = parameters.iter().filter(|(name, _)| name == "scope").flat_map(|(_, scopes)| scopes.split(' '));
    let (token, claims) = registry.tokens.anonymous(scopes.filter_map(granted).take(MAX_SCOPES).collect());
    let issued_at = DateTime::from_timestamp(claims.iat, 0).unwrap_or_default().to_rfc3339();
    let body =
        json!({ "token": token, "access_token": token, "expires_in": LIFETIME.as_secs(), "issued_at": issued_at });
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// What is given of `repository:<name>:<actions>`: pulling, never more. Less than was asked is no error.
fn granted(scope: &str) -> Option<Access> {
    let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
    (name.len() <= 512 && actions.split(',').any(|action| matches!(action, "pull" | "*"))).then(|| Access {
        r#type: "repository".into(),
        name: name.to_owned(),
        actions: vec!["pull".into()],
    })
}
