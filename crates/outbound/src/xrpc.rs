//! XRPC over HTTP ([XRPC](https://atproto.com/specs/xrpc)).

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::OutboundError;

/// The URL of a query at a service, `{service}/xrpc/{method}?…`; a path of the service itself is kept.
pub(crate) fn url(service: &Url, method: &str, params: &[(&str, &str)]) -> Result<Url, OutboundError> {
    let mut url = below(service, &["xrpc", method])?;
    if !params.is_empty() {
        url.query_pairs_mut().extend_pairs(params);
    }
    Ok(url)
}

/// A path below a service's URL, its segments escaped.
pub(crate) fn below(service: &Url, segments: &[&str]) -> Result<Url, OutboundError> {
    let mut url = service.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut()
        .map_err(|()| OutboundError::malformed(service, "not the URL of a service"))?
        .pop_if_empty()
        .extend(segments);
    Ok(url)
}

/// The name of the XRPC error in a refusal, and its message.
pub(crate) fn refusal(error: &OutboundError) -> Option<(&str, &str)> {
    match error {
        OutboundError::Status { error: Some(name), message, .. } => Some((name, message)),
        _ => None,
    }
}

/// `Authorization: Bearer`, marked so that nobody shows it.
pub(crate) fn bearer(url: &Url, token: &SecretString) -> Result<HeaderMap, OutboundError> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
    let mut value = value.map_err(|_| OutboundError::malformed(url, "its token is no header text"))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}
