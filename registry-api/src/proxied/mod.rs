//! Blobs that pass through this server (`--blobs proxy`), hashed on their way: what does not hash to its digest never arrives
//! whole.

mod passage;
mod range;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE},
    },
    response::{IntoResponse, Response},
};
use moka::sync::Cache;
use outbound::{Limits, OutboundError, Streamed};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use types::Digest;
use url::Url;

use crate::{
    Registry,
    errors::{Code, OciError, Result},
    holds::Hold,
    located::Search,
    manifests,
    routes::{Conditions, DIGEST},
};
use passage::{Cut, Passage};
use range::{Wanted, wanted};

/// What is no larger is read and checked before a client hears anything: it gets a clear error in place of a cut connection.
const SMALL: u64 = 256 << 10;
/// A blob may take long, as long as it brings so many bytes a second beyond the first hour.
const FLOOR: u64 = 16 << 10;
/// For how long a hold that sent other bytes is not asked for the same again: clients try several times in a row.
const OTHER_BYTES: Duration = Duration::from_secs(30);

/// What the blobs that pass through share.
pub(crate) struct Proxied {
    turns: Arc<Semaphore>,
    /// Which holds sent other bytes than asked for.
    wrong: Cache<(String, Digest), ()>,
}

/// A blob that is asked for.
pub(crate) struct Blob<'a> {
    pub hold: &'a Hold,
    pub digest: &'a Digest,
    /// Bytes, by the manifest.
    pub size: u64,
}

impl Proxied {
    /// So many blobs at once.
    pub fn new(at_once: usize) -> Self {
        let wrong = Cache::builder().max_capacity(10_000).time_to_live(OTHER_BYTES).build();
        Self { turns: Arc::new(Semaphore::new(at_once)), wrong }
    }

    async fn turn(&self, patience: Duration) -> Result<OwnedSemaphorePermit> {
        let turn = timeout(patience, self.turns.clone().acquire_owned()).await;
        let busy = || OciError::new(Code::Unavailable, "too many blobs pass through this registry at once: try again");
        turn.ok().and_then(std::result::Result::ok).ok_or_else(busy)
    }
}

/// Answers with the blob's bytes, or those of them that `Range` asks for.
pub(crate) async fn serve(
    registry: &Registry,
    conditions: &Conditions<'_>,
    blob: &Blob<'_>,
    search: &Search<'_>,
) -> Result<Response> {
    let etag = format!("\"{}\"", blob.digest);
    if manifests::is_known(conditions.headers, blob.digest.as_str()) {
        let headers = HeaderMap::from_iter([
            (ETAG, text(&etag)?),
            (DIGEST, text(blob.digest.as_str())?),
            caching(blob.hold.is_public()),
        ]);
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let (from, to, status) = match wanted(conditions.headers, &etag, blob.size) {
        Wanted::Whole => (0, blob.size, StatusCode::OK),
        Wanted::Part(first, last) => (first, last + 1, StatusCode::PARTIAL_CONTENT),
        Wanted::Nothing => {
            let message = format!("{} has {} bytes", blob.digest, blob.size);
            return Err(OciError::new(Code::RangeInvalid, message).with_size(blob.size));
        }
    };
    if registry.proxied.wrong.contains_key(&blob.key()) {
        return Err(blob.other_bytes());
    }
    let permit = registry.proxied.turn(registry.config.patience.turn).await?;
    // Of what is small all is read, so that it can be checked.
    let ranged = (from > 0 || to < blob.size) && blob.size > SMALL;
    let asked = if ranged { Some((from, to)) } else { None };
    let (source, is_public) = open(registry, blob, asked, search).await?;
    let is_whole = source.status != StatusCode::PARTIAL_CONTENT;
    let body = if blob.size <= SMALL {
        let passage = Passage::new(source, 0, blob.size, Some(blob.digest.check()), permit);
        let bytes = passage.collect().await.map_err(|cut| blob.note(registry, &cut))?;
        Body::from(bytes.slice(from as usize..to as usize))
    } else {
        // A part does not tell what the whole hashes to: that is the client's to check, when it has the rest.
        let check = (is_whole && to == blob.size).then(|| blob.digest.check());
        let passage = Passage::new(source, if is_whole { from } else { 0 }, to - from, check, permit);
        let (wrong, told) = (registry.proxied.wrong.clone(), blob.told());
        passage.into_body(move |cut| drop(told.note(&wrong, cut)))
    };
    let mut headers = HeaderMap::from_iter([
        (CONTENT_LENGTH, HeaderValue::from(to - from)),
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (DIGEST, text(blob.digest.as_str())?),
        (ETAG, text(&etag)?),
        caching(is_public),
    ]);
    if status == StatusCode::PARTIAL_CONTENT {
        headers.insert(CONTENT_RANGE, text(&format!("bytes {from}-{}/{}", to - 1, blob.size))?);
    }
    Ok((status, headers, body).into_response())
}

/// Asks for the bytes, and tells whether anyone may have them. An address that was remembered may have gone stale: then once
/// more, for a new one.
async fn open(
    registry: &Registry,
    blob: &Blob<'_>,
    asked: Option<(u64, u64)>,
    search: &Search<'_>,
) -> Result<(Streamed, bool)> {
    let mut place = search.place().await?;
    let mut source = ask(registry, blob, asked, &place.url).await?;
    if place.is_remembered && matches!(source.status.as_u16(), 400 | 401 | 403 | 404 | 410) {
        place = search.ask().await?;
        source = ask(registry, blob, asked, &place.url).await?;
    }
    blob.examine(&source, asked)?;
    Ok((source.with_floor(FLOOR), place.is_public))
}

async fn ask(registry: &Registry, blob: &Blob<'_>, asked: Option<(u64, u64)>, url: &Url) -> Result<Streamed> {
    let mut headers = HeaderMap::new();
    if let Some((from, to)) = asked {
        headers.insert(RANGE, text(&format!("bytes={from}-{}", to - 1))?);
    }
    let limits = Limits::SMALL.with_timeout(registry.config.patience.hold).with_max_bytes(blob.size);
    registry.outbound.stream(url, headers, limits).await.map_err(|error| blob.silent(&error))
}

impl Blob<'_> {
    fn key(&self) -> (String, Digest) {
        (self.hold.name().to_owned(), self.digest.clone())
    }

    fn told(&self) -> Told {
        Told { hold: self.hold.name().to_owned(), digest: self.digest.clone() }
    }

    /// Whether the answer is what was asked for, as far as its head tells.
    fn examine(&self, source: &Streamed, asked: Option<(u64, u64)>) -> Result<()> {
        let header = |name| source.headers.get(name).and_then(|value| value.to_str().ok());
        let length = header(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        let expected = match (source.status.as_u16(), asked) {
            (200, _) => self.size,
            (206, Some((from, to))) => {
                let range = format!("bytes {from}-{}/", to - 1);
                let total = header(CONTENT_RANGE).and_then(|value| value.strip_prefix(&range));
                if !total.is_some_and(|total| total == "*" || total.parse() == Ok(self.size)) {
                    return Err(self.unusable("with another part of it than was asked for"));
                }
                to - from
            }
            (404 | 410, _) => {
                let message = format!("the hold {} does not have {} any more", self.hold.name(), self.digest);
                return Err(OciError::new(Code::BlobUnknown, message));
            }
            (429 | 500.., _) => return Err(self.hold.bytes_are_away()),
            (416, _) => return Err(self.unusable("with fewer bytes than the manifest says")),
            (status, _) => return Err(self.unusable(&format!("with HTTP {status}"))),
        };
        match length {
            Some(length) if length != expected => {
                Err(self.unusable(&format!("with {length} bytes in place of {expected}")))
            }
            _ => Ok(()),
        }
    }

    fn unusable(&self, how: &str) -> OciError {
        let message = format!("the hold {} answered for {} {how}", self.hold.name(), self.digest);
        tracing::warn!(hold = self.hold.name(), digest = %self.digest, "{message}");
        OciError::new(Code::Upstream, message)
    }

    fn silent(&self, error: &OutboundError) -> OciError {
        if error.is_transient() {
            return self.hold.bytes_are_away().because(error);
        }
        let message = format!("the hold {} leads nowhere for {}", self.hold.name(), self.digest);
        OciError::new(Code::Upstream, message).because(error)
    }

    fn other_bytes(&self) -> OciError {
        self.told().other_bytes()
    }

    fn note(&self, registry: &Registry, cut: &Cut) -> OciError {
        self.told().note(&registry.proxied.wrong, cut)
    }
}

/// Whose bytes of what, for what becomes known later.
struct Told {
    hold: String,
    digest: Digest,
}

impl Told {
    /// Remembers a hold that sends other bytes, and logs it when that is news.
    fn note(&self, wrong: &Cache<(String, Digest), ()>, cut: &Cut) -> OciError {
        let message = match cut {
            Cut::OtherBytes => {
                let key = (self.hold.clone(), self.digest.clone());
                if wrong.entry(key).or_insert(()).is_fresh() {
                    tracing::warn!(hold = self.hold, digest = %self.digest, "a hold sent other bytes than asked for: they were cut off");
                }
                return self.other_bytes();
            }
            Cut::Short(_) | Cut::Source(OutboundError::TooLarge { .. }) => {
                format!("the hold {} sent more or fewer bytes of {} than the manifest says", self.hold, self.digest)
            }
            Cut::Source(_) => format!("the hold {} broke off in the midst of {}", self.hold, self.digest),
        };
        let code = match cut {
            Cut::Source(error) if error.is_transient() => Code::Unavailable,
            _ => Code::Upstream,
        };
        OciError::new(code, message).because(cut)
    }

    fn other_bytes(&self) -> OciError {
        let message = format!("the hold {} sent other bytes than {}: they are not passed on", self.hold, self.digest);
        OciError::new(Code::Upstream, message)
    }
}

/// A digest names the same bytes for ever; but what is not for everyone is kept by nobody.
fn caching(is_public: bool) -> (axum::http::HeaderName, HeaderValue) {
    let caching = if is_public { "public, max-age=31536000, immutable" } else { "private, no-store" };
    (CACHE_CONTROL, HeaderValue::from_static(caching))
}

fn text(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| OciError::new(Code::Internal, Code::Internal.row().2))
}
