//! Presigned URLs, as an S3 store behind a hold has them: they name one blob, work for GET alone, and expire.

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Method, Response, StatusCode, header},
    routing::any,
};
use serde::Deserialize;
use types::Digest;

use super::{Site, View, token, xrpc::Params};
use crate::network::Home;

/// As long as atcr.io's holds grant.
const LIFETIME_SECONDS: u64 = 15 * 60;

pub(crate) fn router() -> Router<Site> {
    Router::new().route("/storage/{digest}", any(read))
}

#[derive(Deserialize)]
struct Grant {
    #[serde(rename = "X-Expires")]
    expires: u64,
    #[serde(rename = "X-Signature")]
    signature: String,
}

impl Site {
    fn hold(&self) -> usize {
        match self.view {
            View::Hold(index) => index,
            View::Pds(_) | View::Relay { .. } => usize::MAX,
        }
    }

    /// Whether this hold has the blob.
    pub(super) fn has_blob(&self, digest: &Digest) -> bool {
        self.network.state().hold_blob(self.hold(), digest).is_some()
    }

    /// A URL that reads the blob for a quarter of an hour.
    pub(super) fn presign(&self, digest: &Digest) -> String {
        let expires = token::now() + LIFETIME_SECONDS;
        let base = self.urls.home(Home::Hold(self.hold()));
        let signature = self.signature(digest, expires);
        format!("{base}/storage/{}?X-Expires={expires}&X-Signature={signature}", digest.hex())
    }

    fn signature(&self, digest: &Digest, expires: u64) -> String {
        let signed = format!("GET {} {digest} {expires}", self.hold());
        hex::encode(self.network.keys.mac("presign", signed.as_bytes()))
    }
}

type Answer = Result<Response<Body>, StatusCode>;

async fn read(
    State(site): State<Site>,
    method: Method,
    Path(hex): Path<String>,
    headers: HeaderMap,
    grant: Result<Params<Grant>, super::XrpcError>,
) -> Answer {
    let Params(grant) = grant.map_err(|_| StatusCode::FORBIDDEN)?;
    let digest: Digest = format!("sha256:{hex}").parse().map_err(|_| StatusCode::FORBIDDEN)?;
    // The method is signed too: a HEAD with a signature for GET fails, as on S3.
    let valid = method == Method::GET && grant.signature == site.signature(&digest, grant.expires);
    if !valid || grant.expires < token::now() {
        return Err(StatusCode::FORBIDDEN);
    }
    if !site.has_blob(&digest) {
        return Err(StatusCode::NOT_FOUND);
    }
    let bytes = site.network.read_blob(&digest).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    ranged(bytes, headers.get(header::RANGE).and_then(|range| range.to_str().ok()))
}

/// The bytes, or the one range of them that was asked for (RFC 9110 section 14).
fn ranged(bytes: Vec<u8>, range: Option<&str>) -> Answer {
    let all = bytes.len();
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::ACCEPT_RANGES, "bytes");
    let answer = match range.map(|range| parse_range(range, all)) {
        None | Some(Wanted::Everything) => answer.body(bytes.into()),
        Some(Wanted::Bytes { from, to }) => answer
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, format!("bytes {from}-{to}/{all}"))
            .body(bytes[from..=to].to_vec().into()),
        Some(Wanted::Unsatisfiable) => answer
            .status(StatusCode::RANGE_NOT_SATISFIABLE)
            .header(header::CONTENT_RANGE, format!("bytes */{all}"))
            .body(Body::empty()),
    };
    answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// No range that is understood: the header is ignored.
    Everything,
    /// Both inclusive.
    Bytes {
        from: usize,
        to: usize,
    },
    Unsatisfiable,
}

fn parse_range(range: &str, all: usize) -> Wanted {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::Everything;
    };
    let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) => (from, to.min(all.saturating_sub(1))),
        (Ok(from), Err(_)) if to.is_empty() => (from, all.saturating_sub(1)),
        (Err(_), Ok(last)) if from.is_empty() && last > 0 => (all.saturating_sub(last), all.saturating_sub(1)),
        (Err(_), Ok(0)) if from.is_empty() => return Wanted::Unsatisfiable,
        _ => return Wanted::Everything,
    };
    if from < all && from <= to { Wanted::Bytes { from, to } } else { Wanted::Unsatisfiable }
}

#[cfg(test)]
mod tests {
    use super::{Wanted, parse_range};

    #[test]
    fn ranges() {
        assert_eq!(parse_range("bytes=0-3", 10), Wanted::Bytes { from: 0, to: 3 });
        assert_eq!(parse_range("bytes=4-", 10), Wanted::Bytes { from: 4, to: 9 });
        assert_eq!(parse_range("bytes=8-99", 10), Wanted::Bytes { from: 8, to: 9 });
        assert_eq!(parse_range("bytes=-3", 10), Wanted::Bytes { from: 7, to: 9 });
        assert_eq!(parse_range("bytes=10-", 10), Wanted::Unsatisfiable);
        assert_eq!(parse_range("bytes=-0", 10), Wanted::Unsatisfiable);
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(parse_range("lines=1-2", 10), Wanted::Everything);
        assert_eq!(parse_range("bytes=1-2,4-5", 10), Wanted::Everything);
    }
}
