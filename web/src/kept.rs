//! Pages that were rendered a moment ago, for those who ask for the same: as long as nothing of what they are made of has
//! changed, and no longer than what they say of the time is right.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
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
/// The same of pages that are made of more than the change log names.
const AGE_OF_LISTS: Duration = Duration::from_secs(1);
/// How much older a page may be while somebody makes it anew.
const MAKING: Duration = Duration::from_secs(1);
/// Nobody fills the memory with addresses.
const LONGEST_ADDRESS: usize = 512;

/// The pages that are kept.
pub struct Kept(Cache<(Theme, String), Arc<Entry>>);

struct Entry {
    page: Arc<Document>,
    most_age: Duration,
    /// Somebody makes it anew.
    is_made_anew: AtomicBool,
}

impl Entry {
    /// Whether a visitor is shown the page at an age, and need not make it anew.
    fn is_shown(&self, age: Duration) -> bool {
        let others_make_it = || self.is_made_anew.swap(true, Ordering::AcqRel);
        age < self.most_age || (age < self.most_age + MAKING && others_make_it())
    }
}

/// What a page is made of: while none of it changes the page may be kept for a moment.
#[derive(Debug, Default)]
pub enum MadeOf {
    /// Nobody knows: it is not kept.
    #[default]
    Unknown,
    /// What has these names in the change log (`repository:…`, `did:…`).
    These(Vec<String>),
    /// Whatever the change log tells of.
    Anything,
}

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
        let weigh = |(_, address): &(Theme, String), entry: &Arc<Entry>| {
            u32::try_from(entry.page.html.len() * 2 + address.len() + 200).unwrap_or(u32::MAX)
        };
        Self(Cache::new(freshness, MOST, weigh))
    }

    /// Now, to be taken before a page is made.
    pub fn moment(&self) -> Moment {
        self.0.moment()
    }

    /// A page that is still so. When it becomes too old, one visitor makes it anew, and those who come meanwhile are given it.
    pub fn get(&self, theme: Theme, address: &str) -> Option<Arc<Document>> {
        if address.len() > LONGEST_ADDRESS {
            return None;
        }
        let entry = self.0.get(&(theme, address.to_owned()))?;
        entry.is_shown(entry.page.made.elapsed()).then(|| entry.page.clone())
    }

    /// Keeps a page that was made after a moment.
    pub fn put(&self, theme: Theme, address: &str, page: Arc<Document>, since: Moment, made_of: &MadeOf) {
        if address.len() > LONGEST_ADDRESS {
            return;
        }
        let entry = |most_age| Arc::new(Entry { page, most_age, is_made_anew: AtomicBool::new(false) });
        let key = (theme, address.to_owned());
        match made_of {
            MadeOf::Unknown => {}
            MadeOf::These(names) => {
                let keys = names.iter().map(|name| Key::of(name)).collect();
                self.0.put(key, entry(AGE), since, keys);
            }
            MadeOf::Anything => self.0.put_until_any(key, entry(AGE_OF_LISTS), since),
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{Document, Entry};

    #[test]
    fn one_visitor_makes_an_old_page_anew() {
        let page = Arc::new(Document::new(String::new()));
        let entry = Entry { page, most_age: Duration::from_secs(2), is_made_anew: false.into() };
        let shown = [0, 1_999, 2_000, 2_001, 2_999, 3_000].map(|age| entry.is_shown(Duration::from_millis(age)));
        assert_eq!(shown, [true, true, false, true, true, false]);
    }
}
