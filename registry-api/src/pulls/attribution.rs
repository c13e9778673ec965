//! Which of a client's requests make up one pull, and by which tag.
//!
//! docker and containerd ask for a tag by HEAD and for its digest by GET; all of them then ask for the images of an index
//! by digest, and some for signatures. What a client asked for is remembered for seconds.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};

/// How long what a client asked for belongs to what it asks for next.
const MEMORY: Duration = Duration::from_secs(60);
/// How many clients are remembered, each in the one place that its hash has: who comes later displaces who was there, whose
/// pull may then be counted twice or without its tag.
const PLACES: usize = 1 << 13;

/// A digest, well enough to tell those of one pull from each other.
fn short(digest: &str) -> u64 {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    u64::from_str_radix(hex.get(..16).unwrap_or_default(), 16).unwrap_or_default()
}

/// How a manifest belongs to others.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// The manifest's own digest, [`short`].
    own: u64,
    /// Those of an index's images.
    children: Box<[u64]>,
    /// Whether it is about another: a signature, an SBOM.
    is_attached: bool,
}

impl Family {
    /// Reads a manifest. What is none has no family.
    pub fn of(digest: &str, bytes: &Bytes) -> Self {
        #[derive(Deserialize)]
        struct Child<'a> {
            #[serde(borrow)]
            digest: std::borrow::Cow<'a, str>,
        }
        #[derive(Deserialize)]
        struct Manifest<'a> {
            #[serde(borrow, default)]
            manifests: Vec<Child<'a>>,
            subject: Option<IgnoredAny>,
        }
        let own = short(digest);
        match serde_json::from_slice::<Manifest<'_>>(bytes) {
            Ok(manifest) => Self {
                own,
                children: manifest.manifests.iter().map(|child| short(&child.digest)).collect(),
                is_attached: manifest.subject.is_some(),
            },
            Err(_) => Self { own, ..Self::default() },
        }
    }
}

/// A request for a manifest, answered.
pub(super) struct Seen<'a> {
    /// The client and the repository, hashed.
    pub who: u64,
    /// The tag that was asked for; `None` for a digest.
    pub tag: Option<&'a str>,
    pub family: &'a Family,
    pub head: bool,
}

/// What a client asked for last in a repository.
struct Recent {
    who: u64,
    at: Instant,
    root: u64,
    children: Box<[u64]>,
    /// Empty: by digest.
    tag: String,
    /// By HEAD alone so far, which is no pull.
    pending: bool,
}

pub(super) struct Attribution(Box<[Mutex<Option<Recent>>]>);

impl Attribution {
    pub fn new() -> Self {
        Self((0..PLACES).map(|_| Mutex::default()).collect())
    }

    /// The tag that is pulled by this request, empty for a digest; `None` when the request is no pull, or part of one that was
    /// counted.
    pub fn pull(&self, seen: &Seen<'_>, now: Instant) -> Option<String> {
        let Seen { who, tag, family, head } = *seen;
        let mut place = self.0[who as usize % PLACES].lock().unwrap_or_else(PoisonError::into_inner);
        let recent = place.take_if(|recent| recent.who == who && now.duration_since(recent.at) < MEMORY);
        let remember = |tag: &str, pending| {
            let (root, children) = (family.own, family.children.clone());
            Some(Recent { who, at: now, root, children, tag: tag.to_owned(), pending })
        };
        if let Some(tag) = tag {
            *place = remember(tag, head);
            return (!head).then(|| tag.to_owned());
        }
        match recent {
            Some(recent) if head || family.is_attached || recent.children.contains(&family.own) => {
                *place = Some(recent);
                None
            }
            Some(recent) if recent.root == family.own && !recent.tag.is_empty() => {
                let counts = recent.pending;
                *place = remember(&recent.tag, false);
                counts.then_some(recent.tag)
            }
            _ if head || family.is_attached => None,
            _ => {
                *place = remember("", false);
                Some(String::new())
            }
        }
    }
}
