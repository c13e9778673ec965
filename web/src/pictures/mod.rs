//! Pictures of strangers, through us: those of READMEs and the icons of repositories.
//!
//! A reader's browser asks nobody but us, so that no picture tells its host who reads. We fetch only what we have signed
//! ourselves while rendering a page, pass on raster pictures known by their first bytes, and keep them for an hour.

mod kind;
mod signer;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{
    HeaderName, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use leptos::prelude::RenderHtml as _;
use moka::{Expiry, future::Cache};
use outbound::{Limits, Outbound, Pds};
use tokio::{sync::Semaphore, time::timeout};
use types::{Cid, Did};
use url::Url;

pub use signer::Signer;

use crate::{components::flag::flag, state::Web};

/// The most bytes of a picture.
const MOST_BYTES: u64 = 4 << 20;
/// The most bytes of all pictures that are kept.
const KEPT_BYTES: u64 = 64 << 20;
/// How long a picture may take, redirects included.
const PATIENCE: Duration = Duration::from_secs(8);
/// Pictures that are fetched at once, at most.
const AT_ONCE: usize = 16;
/// How long a picture is kept, and how long it is remembered that there is none.
const KEPT_FOR: Duration = Duration::from_secs(3_600);
const MISSED_FOR: Duration = Duration::from_secs(60);

/// What a picture may do in a browser: nothing.
const POLICY: &str = "default-src 'none'; sandbox";

/// Fetches pictures and keeps them. Cheap to clone.
#[derive(Clone)]
pub struct Pictures {
    outbound: Outbound,
    kept: Cache<String, Option<Picture>>,
    at_once: Arc<Semaphore>,
}

#[derive(Clone)]
struct Picture {
    media_type: &'static str,
    bytes: Bytes,
}

/// What we signed.
enum Asked {
    Web(Url),
    /// A blob of an account, on its own PDS.
    Blob(Did, Cid),
}

/// A blob as it is signed.
pub fn blob(did: &str, cid: &str) -> String {
    format!("{did}/{cid}")
}

fn parse(signed: &str) -> Option<Asked> {
    if signed.starts_with("did:") {
        let (did, cid) = signed.split_once('/')?;
        return Some(Asked::Blob(did.parse().ok()?, cid.parse().ok()?));
    }
    signed.parse().ok().map(Asked::Web)
}

impl Pictures {
    /// Sets up an empty store.
    pub fn new(outbound: Outbound) -> Self {
        let kept = Cache::builder()
            .max_capacity(KEPT_BYTES)
            .weigher(|key: &String, picture: &Option<Picture>| {
                let bytes = picture.as_ref().map_or(0, |picture| picture.bytes.len());
                u32::try_from(key.len() + bytes + 100).unwrap_or(u32::MAX)
            })
            .expire_after(Ages)
            .build();
        Self { outbound, kept, at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A picture; who asks for the same while it is fetched waits for that one.
    async fn get(&self, web: &Web, signed: &str) -> Option<Picture> {
        let asked = parse(signed)?;
        let fetch = async {
            let fetched = async {
                let _turn = self.at_once.acquire().await.ok()?;
                self.fetch(web, asked).await
            };
            let bytes = timeout(PATIENCE, fetched).await.ok().flatten()?;
            kind::sniff(&bytes).map(|media_type| Picture { media_type, bytes })
        };
        self.kept.get_with_by_ref(signed, Box::pin(fetch)).await
    }

    async fn fetch(&self, web: &Web, asked: Asked) -> Option<Bytes> {
        match asked {
            Asked::Web(url) => {
                let limits = Limits { timeout: PATIENCE, max_bytes: MOST_BYTES, max_redirects: 3 };
                self.outbound.get(&url, limits).await.ok().map(|fetched| fetched.body)
            }
            Asked::Blob(did, cid) => {
                let actor = web.reader().actor(&did).await.ok()??;
                let pds = actor.pds.filter(|_| actor.active)?.parse().ok()?;
                Pds::new(self.outbound.clone(), pds).get_blob(&did, &cid, MOST_BYTES).await.ok()?
            }
        }
    }
}

struct Ages;

impl Expiry<String, Option<Picture>> for Ages {
    fn expire_after_create(&self, _: &String, picture: &Option<Picture>, _: Instant) -> Option<Duration> {
        Some(if picture.is_some() { KEPT_FOR } else { MISSED_FOR })
    }
}

/// `GET /img/{signature}/{picture}`. Its answers have a policy of their own, so it stands beside the pages' layers.
pub fn router(web: Web) -> Router {
    Router::new().route("/img/{signature}/{picture}", get(show)).with_state(web)
}

async fn show(State(web): State<Web>, Path((signature, picture)): Path<(String, String)>) -> Response {
    let opened = async { web.signer().await?.open(&signature, &picture) }.await;
    let found = async { web.pictures()?.get(&web, opened.as_deref()?).await };
    if let Some(Picture { media_type, bytes }) = found.await {
        return answer((StatusCode::OK, "public, max-age=86400", media_type), bytes);
    }
    match opened.as_deref().and_then(parse) {
        // Browsers draw what an error carries: where there is no icon, the flag is.
        Some(Asked::Blob(did, _)) => {
            let flag = flag(did.as_str()).to_html().replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1);
            answer((StatusCode::NOT_FOUND, "max-age=60", "image/svg+xml"), flag.into())
        }
        _ => {
            let nothing = (StatusCode::NOT_FOUND, "max-age=60", "text/plain; charset=utf-8");
            answer(nothing, Bytes::from_static(b"There is no picture here."))
        }
    }
}

fn answer((status, cache, media_type): (StatusCode, &'static str, &'static str), body: Bytes) -> Response {
    let headers = [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, cache),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (status, headers, body).into_response()
}
