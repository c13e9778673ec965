use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Uri,
        header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::{map_request_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use metrics::counter;
use service::client::Client;

use crate::{
    Registry, blobs, catalog,
    errors::{Code, OciError, Result},
    limits, manifests, mirror,
    names::{self, Asked},
    referrers, tags,
    tokens::{self, Claims},
};

/// The digest of what is served, or would be.
pub(crate) const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What a request asks besides its path.
pub(crate) struct Conditions<'a> {
    /// No body is wanted.
    pub head: bool,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// What the token says that came with it.
    pub claims: Option<Arc<Claims>>,
    /// Who asks.
    pub client: Client,
}

/// The routes `/v2/…` and `/auth/token`, to be merged into the origin's router. Nothing around them may compress: clients
/// hash the bytes as they come.
pub fn router(registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/v2", any(serve))
        .route("/v2/", any(serve))
        .route("/v2/{*path}", any(serve))
        .route("/auth/token", get(tokens::by_query).post(tokens::by_form).fallback(no_token))
        .layer(map_request_with_state(registry.clone(), limits::admit))
        .layer(map_response(mark))
        .with_state(registry)
}

/// What goes with every answer: the protocol's version, and that a browser must not take a stranger's bytes for a page.
async fn mark(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let version = HeaderName::from_static("docker-distribution-api-version");
    headers.insert(version, HeaderValue::from_static("registry/2.0"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    // What does not say for how long it holds, a cache in between would guess: of a 404 too.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}

async fn serve(
    State(registry): State<Arc<Registry>>,
    client: Option<Extension<Client>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return ([(ALLOW, "GET, HEAD")], read_only()).into_response();
    }
    let path = uri.path().strip_prefix("/v2").unwrap_or_default();
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return ping(&registry, &headers).into_response();
    }
    let query = uri.query().unwrap_or_default();
    let asked = match mirror::admit(&registry, query).and_then(|()| names::parse(path)) {
        Ok(asked) => asked,
        Err(error) => return error.into_response(),
    };
    let client = client.map_or(Client::LOCAL, |Extension(client)| client);
    let conditions = Conditions { head: method == Method::HEAD, headers: &headers, client, claims: None };
    let answer = answer(&registry, conditions, query, &asked).await;
    count(&asked, &answer);
    answer.into_response()
}

/// `/v2/`: clients learn here, and only here, how to come by a token (moby #50896), so it is never open.
fn ping(registry: &Registry, headers: &HeaderMap) -> Result<Json<serde_json::Value>> {
    match bearer(registry, headers, None)? {
        Some(_) => Ok(Json(serde_json::json!({}))),
        None => {
            let message = "a token is needed, which anyone gets: see WWW-Authenticate";
            Err(OciError::new(Code::Unauthorized, message).with_challenge(registry.tokens.challenge(None)))
        }
    }
}

async fn answer(registry: &Registry, conditions: Conditions<'_>, query: &str, asked: &Asked) -> Result<Response> {
    let scope = match asked {
        Asked::Manifest(name, _) | Asked::Blob(name, _) | Asked::Tags(name) | Asked::Referrers(name, _) => {
            tokens::pull_scope(name)
        }
        Asked::Catalog => "registry:catalog:*".to_owned(),
    };
    let claims = bearer(registry, conditions.headers, Some(&scope))?;
    let conditions = &Conditions { claims, ..conditions };
    match asked {
        Asked::Manifest(name, reference) => manifests::serve(registry, conditions, name, reference).await,
        Asked::Blob(name, digest) => blobs::serve(registry, conditions, name, digest).await,
        Asked::Tags(name) => tags::serve(registry, conditions, query, name).await,
        Asked::Referrers(name, digest) => referrers::serve(registry, conditions, query, name, digest).await,
        Asked::Catalog => catalog::serve(registry, query).await,
    }
}

/// What a good token says, if one came. None is fine for what is public; a bad one is refused with the way to a new one.
fn bearer(registry: &Registry, headers: &HeaderMap, scope: Option<&str>) -> Result<Option<Arc<Claims>>> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let refused = |why: String| OciError::new(Code::Unauthorized, why).with_challenge(registry.tokens.challenge(scope));
    let text = value.to_str().unwrap_or_default();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(refused("only bearer tokens are taken here: see WWW-Authenticate".to_owned())),
    };
    registry.tokens.verify(token).map(Some).map_err(|error| {
        let challenge = registry.tokens.challenge_of_token(scope);
        OciError::new(Code::Unauthorized, error.to_string()).with_challenge(challenge)
    })
}

async fn no_token() -> impl IntoResponse {
    let message = "tokens are asked for by GET, or by POST with a form";
    ([(ALLOW, "GET, HEAD, POST")], OciError::new(Code::ReadOnly, message))
}

fn read_only() -> OciError {
    OciError::new(
        Code::ReadOnly,
        "this registry is an index and takes no pushes: push to atcr.io, and the image appears here by itself",
    )
}

fn count(asked: &Asked, answer: &Result<Response>) {
    let result = match answer {
        Ok(response) if response.status().is_redirection() => match response.status().as_u16() {
            304 => "not_modified",
            _ => "redirected",
        },
        Ok(_) => "served",
        Err(error) => error.code.row().0,
    };
    counter!("crowsnest_pulls_total", "kind" => asked.kind(), "result" => result).increment(1);
}
