//! Blobs, where they are: the holds of both generations.

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use types::{Collection, Did, Digest, Rkey};
use url::Url;

use crate::{
    Limits, Outbound, OutboundError,
    client::{is_redirect, location},
    error::shown,
    pds::{Pds, PdsError, RecordEntry},
    xrpc,
};

/// The most that an answer which points at the bytes may have; anything longer is the bytes.
const POINTER_BYTES: u64 = 64 << 10;

/// A hold, and which way it is asked.
#[derive(Clone, Debug)]
pub enum HoldTarget {
    /// A hold with a DID: `com.atproto.sync.getBlob`, addressed by the owner of the image.
    Current {
        /// The hold.
        did: Did,
        /// Where it answers.
        endpoint: Url,
    },
    /// A hold that is known by its endpoint only. It takes the DID that it is told for the caller's, unproved, so the owner's
    /// is never sent: it would open every private hold to anyone.
    Legacy {
        /// Where it answers.
        endpoint: Url,
    },
}

/// Who asks a hold for a blob. A secret is not shown.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// Anyone.
    Nobody,
    /// Who has a service token for the hold; an old hold knows of none.
    Token(&'a SecretString),
    /// A reader whose DID was verified, as an old hold wants it; no other hold would believe it.
    Account(&'a Did),
}

/// Why a hold gives no blob.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HoldError {
    /// A private hold, which wants to know who asks.
    #[error("the hold refuses to serve {0} to anyone")]
    Denied(Digest),
    /// It has no such blob.
    #[error("the hold does not have {0}")]
    NotFound(Digest),
    /// It cannot be reached, or is in trouble: later may be better.
    #[error("the hold is down")]
    Down(#[source] OutboundError),
    /// It answers, but with nothing that can be used.
    #[error("the hold's answer is unusable")]
    Unusable(#[source] OutboundError),
    /// Bytes that are not the ones asked for.
    #[error("the bytes that {url} sent do not hash to {digest}")]
    WrongHash {
        /// Where they came from, without query.
        url: String,
        /// What they should hash to.
        digest: Digest,
    },
}

/// Reads from holds, mostly as anyone may who is not signed in.
#[derive(Clone)]
pub struct HoldClient {
    outbound: Outbound,
    /// How long each request may take.
    patience: Duration,
}

impl HoldClient {
    /// A client on top of the dialer.
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound, patience: Limits::SMALL.timeout }
    }

    /// Where the bytes of a blob can be had by anyone: mostly a presigned URL, good for minutes. It has passed the guard,
    /// and may be given to a client as a redirect; its query is a secret, not to be logged.
    ///
    /// # Errors
    /// Any [`HoldError`] but [`HoldError::WrongHash`].
    pub async fn locate_blob(&self, target: &HoldTarget, owner: &Did, digest: &Digest) -> Result<Url, HoldError> {
        self.locate_blob_for(Caller::Nobody, target, owner, digest).await
    }

    /// As [`HoldClient::locate_blob`], for a reader of a private hold. What is found is for that reader alone. A token goes to
    /// the target's endpoint and nowhere else.
    ///
    /// # Errors
    /// As [`HoldClient::locate_blob`]; a hold that sends what is not for everyone itself has no URL of it to give.
    pub async fn locate_blob_for(
        &self,
        caller: Caller<'_>,
        target: &HoldTarget,
        owner: &Did,
        digest: &Digest,
    ) -> Result<Url, HoldError> {
        let found = match target {
            HoldTarget::Current { endpoint, .. } => self.locate_current(endpoint, caller, owner, digest).await,
            HoldTarget::Legacy { endpoint } => self.locate_legacy(endpoint, caller, digest).await,
        };
        let url = found.map_err(|error| HoldError::of(digest, error))?;
        self.outbound.vet(&url).await.map_err(|error| HoldError::of(digest, error))?;
        Ok(url)
    }

    /// The bytes of a small blob, hashed.
    ///
    /// # Errors
    /// Any [`HoldError`].
    pub async fn read_blob(
        &self,
        target: &HoldTarget,
        owner: &Did,
        digest: &Digest,
        max_bytes: u64,
    ) -> Result<Bytes, HoldError> {
        let url = self.locate_blob(target, owner, digest).await?;
        let answer = self.outbound.get(&url, self.limits().with_max_bytes(max_bytes)).await;
        let body = answer.map_err(|error| HoldError::of(digest, error))?.body;
        if digest.matches(&body) {
            Ok(body)
        } else {
            Err(HoldError::WrongHash { url: shown(&url), digest: digest.clone() })
        }
    }

    /// The hold's declaration of itself, in its own repository: `io.atcr.hold.captain`, key `self`.
    ///
    /// # Errors
    /// As [`Pds::get_record`].
    pub async fn captain(&self, hold: &Did, endpoint: &Url) -> Result<Option<RecordEntry>, PdsError> {
        let Ok(rkey) = "self".parse::<Rkey>() else { return Ok(None) };
        Pds::new(self.outbound.clone(), endpoint.clone()).get_record(hold, Collection::Captain, &rkey).await
    }

    fn limits(&self) -> Limits {
        Limits::SMALL.with_timeout(self.patience)
    }

    async fn locate_current(
        &self,
        endpoint: &Url,
        caller: Caller<'_>,
        owner: &Did,
        digest: &Digest,
    ) -> Result<Url, OutboundError> {
        let params = [("did", owner.as_str()), ("cid", digest.as_str())];
        let url = xrpc::url(endpoint, "com.atproto.sync.getBlob", &params)?;
        let Caller::Token(token) = caller else { return self.ask(url, HeaderMap::new()).await };
        let found = self.ask(url.clone(), xrpc::bearer(&url, token)?).await?;
        // Whoever is sent there comes without the token.
        if found == url {
            Err(OutboundError::malformed(&url, "a private blob itself, and no URL of it"))
        } else {
            Ok(found)
        }
    }

    async fn locate_legacy(&self, endpoint: &Url, caller: Caller<'_>, digest: &Digest) -> Result<Url, OutboundError> {
        let caller = match caller {
            Caller::Account(did) => did.as_str(),
            Caller::Nobody | Caller::Token(_) => "",
        };
        match self.presigned(endpoint, caller, digest).await {
            // It answers, neither with a URL nor with a refusal: a hold without presigned URLs serves the bytes itself.
            Err(error) if may_serve_bytes(&error) => {
                let mut url = xrpc::below(endpoint, &["blobs", digest.as_str()])?;
                url.query_pairs_mut().append_pair("did", caller);
                self.ask(url, HeaderMap::new()).await
            }
            answer => answer,
        }
    }

    async fn presigned(&self, endpoint: &Url, caller: &str, digest: &Digest) -> Result<Url, OutboundError> {
        #[derive(Serialize)]
        struct Input<'a> {
            /// The caller; empty for nobody.
            did: &'a str,
            digest: &'a str,
        }
        let url = xrpc::below(endpoint, &["get-presigned-url"])?;
        let input = Input { did: caller, digest: digest.as_str() };
        let answer = self.outbound.post_json(&url, &input, self.limits().with_max_bytes(POINTER_BYTES)).await?;
        pointer(&answer.body).ok_or_else(|| OutboundError::malformed(&url, "it holds no url"))
    }

    /// Asks for a blob by GET. The answer is a redirect or a JSON document that points at the bytes, or the bytes; then they
    /// can be had where we asked.
    async fn ask(&self, url: Url, headers: HeaderMap) -> Result<Url, OutboundError> {
        let limits = self.limits().without_redirects().with_max_bytes(POINTER_BYTES);
        let answer = self.outbound.stream(&url, headers, limits).await?;
        if is_redirect(answer.status) {
            return location(&url, &answer.headers);
        }
        if !answer.status.is_success() {
            return Err(answer.refusal().await);
        }
        if !is_json(&answer.headers) {
            return Ok(url);
        }
        match answer.bytes().await {
            Ok(body) => Ok(pointer(&body).unwrap_or(url)),
            // A config is JSON too, and may be larger than any pointer.
            Err(OutboundError::TooLarge { .. }) => Ok(url),
            Err(error) => Err(error),
        }
    }
}

impl HoldError {
    fn of(digest: &Digest, error: OutboundError) -> Self {
        match error.status() {
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Self::Denied(digest.clone()),
            Some(StatusCode::NOT_FOUND | StatusCode::GONE) => Self::NotFound(digest.clone()),
            _ if matches!(xrpc::refusal(&error), Some(("BlobNotFound", _))) => Self::NotFound(digest.clone()),
            _ if error.is_transient() => Self::Down(error),
            _ => Self::Unusable(error),
        }
    }
}

fn may_serve_bytes(error: &OutboundError) -> bool {
    match error.status() {
        Some(status) => !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
        None => matches!(error, OutboundError::Malformed { .. }),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// The URL in a JSON document that points at the bytes.
fn pointer(body: &[u8]) -> Option<Url> {
    #[derive(Deserialize)]
    struct Pointer {
        url: Url,
    }
    serde_json::from_slice::<Pointer>(body).ok().map(|pointer| pointer.url)
}
