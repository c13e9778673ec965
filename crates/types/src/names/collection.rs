use std::{fmt, str::FromStr};

use super::NameError;

/// The collections that crowsnest indexes; anything else is foreign and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Collection {
    /// `io.atcr.manifest`
    Manifest,
    /// `io.atcr.tag`
    Tag,
    /// `io.atcr.sailor.star`
    Star,
    /// `io.atcr.sailor.profile`
    Profile,
    /// `io.atcr.repo.page`
    Page,
    /// `io.atcr.hold`, the legacy declaration in the owner's repository
    LegacyHold,
    /// `io.atcr.hold.captain`
    Captain,
    /// `io.atcr.hold.crew`, both generations
    Crew,
    /// `io.atcr.hold.layer`
    HoldLayer,
    /// `io.atcr.hold.stats`
    HoldStats,
    /// `io.atcr.hold.scan`
    Scan,
}

impl Collection {
    /// Every collection, in a fixed order.
    pub const ALL: [Self; 11] = [
        Self::Manifest,
        Self::Tag,
        Self::Star,
        Self::Profile,
        Self::Page,
        Self::LegacyHold,
        Self::Captain,
        Self::Crew,
        Self::HoldLayer,
        Self::HoldStats,
        Self::Scan,
    ];

    /// The collection's NSID.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "io.atcr.manifest",
            Self::Tag => "io.atcr.tag",
            Self::Star => "io.atcr.sailor.star",
            Self::Profile => "io.atcr.sailor.profile",
            Self::Page => "io.atcr.repo.page",
            Self::LegacyHold => "io.atcr.hold",
            Self::Captain => "io.atcr.hold.captain",
            Self::Crew => "io.atcr.hold.crew",
            Self::HoldLayer => "io.atcr.hold.layer",
            Self::HoldStats => "io.atcr.hold.stats",
            Self::Scan => "io.atcr.hold.scan",
        }
    }
}

impl FromStr for Collection {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::ALL
            .into_iter()
            .find(|collection| collection.as_str() == s)
            .ok_or_else(|| NameError::new("collection", s, "not one that crowsnest indexes"))
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
