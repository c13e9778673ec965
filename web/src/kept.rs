//! Pages that were rendered a moment ago, for those who ask for the same: as long as nothing of what they are made of has
//! changed, and no longer than what they say of the time is right.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY},
};
use store::freshness::{Cache, Freshness, Key, Moment};

use crate::{assets::accepts, theme::Theme};

/// What all kept pages take at most, in bytes.
const MOST: u64 = 32 << 20;
/// Ages and the lag in the footer may be so old.
const AGE: Duration = Duration::from_secs(2);
/// Nobody fills the memory with addresses.
const LONGEST_ADDRESS: usize = 512;

/// The pages that are kept.
pub struct Kept(Cache<(Theme, String), Arc<Document>>);

/// A page as it is sent.
pub struct Document {
    html: Bytes,
    gzip: OnceLock<Bytes>,
    made: Instant,
}

impl Document {
    /// A page that was just rendered.
    pub fn new(html: String) -> Self {
        Self { html: html.into(), gzip: OnceLock::new(), made: Instant::now() }
    }

    /// The answer, packed once for all who take it so.
    pub fn answer(&self, status: StatusCode, headers: &HeaderMap) -> Response {
        let gzip = accepts(headers).gzip.then(|| self.gzip.get_or_init(|| pack(&self.html)));
        let packed = gzip.filter(|packed| !packed.is_empty());
        let mut response = (status, packed.unwrap_or(&self.html).clone()).into_response();
        let to = response.headers_mut();
        to.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        to.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        to.insert(VARY, HeaderValue::from_static("accept-encoding, cookie"));
        if packed.is_some() {
            to.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

impl Kept {
    /// None yet.
    pub fn new(freshness: Arc<Freshness>) -> Self {
        let weigh = |(_, address): &(Theme, String), page: &Arc<Document>| {
            u32::try_from(page.html.len() * 2 + address.len() + 200).unwrap_or(u32::MAX)
        };
        Self(Cache::new(freshness, MOST, weigh))
    }

    /// Now, to be taken before a page is made.
    pub fn moment(&self) -> Moment {
        self.0.moment()
    }

    /// A page that is still so.
    pub fn get(&self, theme: Theme, address: &str) -> Option<Arc<Document>> {
        if address.len() > LONGEST_ADDRESS {
            return None;
        }
        self.0.get(&(theme, address.to_owned())).filter(|page| page.made.elapsed() < AGE)
    }

    /// Keeps a page that was made after a moment, of what is under some names in the change log.
    pub fn put(&self, theme: Theme, address: &str, page: Arc<Document>, since: Moment, made_of: &[String]) {
        if address.len() <= LONGEST_ADDRESS && !made_of.is_empty() {
            let keys = made_of.iter().map(|name| Key::of(name)).collect();
            self.0.put((theme, address.to_owned()), page, since, keys);
        }
    }
}

/// Empty if it cannot be packed, which writing into memory never is.
fn pack(html: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(5));
    match std::io::Write::write_all(&mut encoder, html).and_then(|()| encoder.finish()) {
        Ok(packed) => packed.into(),
        Err(_) => Bytes::new(),
    }
}
