//! What visitors ask for.

use crate::{catalogue::Place, dice::Dice, search::KINDS};

/// As a browser asks.
pub const HEADERS: [&str; 2] = ["Accept: text/html", "Accept-Encoding: gzip, deflate, br, zstd"];
/// Repositories that many look at, and how many of the visits to a repository are for them: one in so many.
const POPULAR: usize = 10;
const FOR_POPULAR: usize = 8;

/// A kind of page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Repository,
    Search,
    Tags,
    Manifest,
    Owner,
    Home,
    Explore,
}

impl Kind {
    /// Each kind, with how many of 20 visits are for it.
    pub const ALL: [(Self, usize); 7] = [
        (Self::Repository, 8),
        (Self::Search, 4),
        (Self::Tags, 2),
        (Self::Manifest, 2),
        (Self::Owner, 2),
        (Self::Home, 1),
        (Self::Explore, 1),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Search => "search",
            Self::Tags => "tags",
            Self::Manifest => "manifest",
            Self::Owner => "owner",
            Self::Home => "home",
            Self::Explore => "explore",
        }
    }

    /// The n-th page of the kind.
    pub fn path(self, place: &Place, n: usize) -> String {
        let Place { handle, name, digest, .. } = place;
        match self {
            Self::Repository => repository(place),
            Self::Tags => format!("{}?tab=tags", repository(place)),
            Self::Manifest => format!("/r/{handle}/{name}/-/manifests/{digest}"),
            Self::Owner => format!("/u/{handle}"),
            Self::Home => "/".to_owned(),
            Self::Explore => "/explore".to_owned(),
            Self::Search => {
                let (_, sort, ask) = KINDS[n % KINDS.len()];
                let mut query = url::form_urlencoded::Serializer::new(String::from("/search?"));
                query.append_pair("q", &ask(place)).append_pair("sort", sort.as_str());
                query.finish()
            }
        }
    }
}

/// A repository's page.
pub fn repository(place: &Place) -> String {
    format!("/r/{}/{}", place.handle, place.name)
}

/// A page that somebody asks for.
#[derive(Clone, Debug)]
pub struct Page {
    pub kind: Kind,
    pub path: String,
}

/// Visits as they come: each of another repository, but for the popular ones.
pub fn mix(places: &[Place], visits: usize, seed: u64) -> Vec<Page> {
    let mut dice = Dice::new(seed);
    let weights = Kind::ALL.iter().flat_map(|(kind, weight)| std::iter::repeat_n(*kind, *weight));
    let kinds: Vec<Kind> = weights.collect();
    let from = dice.below(places.len());
    let visit = |n: usize| {
        let kind = *dice.pick(&kinds);
        let is_popular = kind == Kind::Repository && dice.below(FOR_POPULAR) == 0;
        let place = if is_popular { dice.below(POPULAR.min(places.len())) } else { (from + n) % places.len() };
        Page { kind, path: kind.path(&places[place], dice.below(KINDS.len())) }
    };
    (0..visits).map(visit).collect()
}
