use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{RawForm, RawQuery, State},
    http::{HeaderMap, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
};
use chrono::DateTime;
use serde_json::json;
use service::client::Client;
use url::form_urlencoded;

use super::{Access, LIFETIME};
use crate::{
    Registry,
    errors::{Code, OciError, Result},
    sign_in::{self, Credentials, SignedIn},
};

/// Of more scopes than this no client has need in one token.
const MAX_SCOPES: usize = 16;

/// Who asks, where the server tells it.
type From = Option<Extension<Client>>;

/// `GET /auth/token?service=&scope=`: `scope` may come several times, or hold several, joined by spaces. Who signs in sends
/// name and password as `Basic`.
pub(crate) async fn by_query(
    State(registry): State<Arc<Registry>>,
    from: From,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let parameters = parameters(query.unwrap_or_default().as_bytes());
    answer(&registry, from, Credentials::of_header(&headers)?, &parameters).await
}

/// `POST /auth/token`, the OAuth 2 form that containerd tries first.
pub(crate) async fn by_form(
    State(registry): State<Arc<Registry>>,
    from: From,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Result<Response> {
    let parameters = parameters(&form);
    let value = |wanted: &str| {
        let found = parameters.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    if value("grant_type") == "refresh_token" || !value("refresh_token").is_empty() {
        let message = "this registry gives no refresh tokens: sign in with your handle and an app password";
        return Err(OciError::new(Code::SignInRefused, message));
    }
    let credentials = match Credentials::of_header(&headers)? {
        Some(credentials) => Some(credentials),
        None => Credentials::of_form(value("username"), value("password"))?,
    };
    answer(&registry, from, credentials, &parameters).await
}

fn parameters(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

async fn answer(
    registry: &Registry,
    from: From,
    credentials: Option<Credentials>,
    parameters: &[(String, String)],
) -> Result<Response> {
    let reader = match credentials {
        Some(credentials) => {
            let client = from.map_or(Client::LOCAL, |Extension(client)| client);
            // Boxed, as all that leaves the machine.
            Some(Box::pin(sign_in::sign_in(registry, &credentials, client)).await?)
        }
        None => None,
    };
    Ok(issue(registry, reader.as_ref(), parameters))
}

fn issue(registry: &Registry, reader: Option<&SignedIn>, parameters: &[(String, String)]) -> Response {
    let scopes = parameters.iter().filter(|(name, _)| name == "scope").flat_map(|(_, scopes)| scopes.split(' '));
    let (token, claims) = registry.tokens.issue(reader, scopes.filter_map(granted).take(MAX_SCOPES).collect());
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
