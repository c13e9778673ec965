//! Identifiers of the AT Protocol and of OCI, each a newtype whose only constructor is its parser.

mod at_uri;
mod collection;
mod did;
mod handle;
mod nsid;
mod oci_name;
mod repository_name;
mod rkey;
mod tag;
mod tid;

pub use at_uri::AtUri;
pub use collection::Collection;
pub use did::Did;
pub use handle::Handle;
pub use nsid::Nsid;
pub use oci_name::OciName;
pub use repository_name::RepositoryName;
pub use rkey::Rkey;
pub use tag::{Reference, Tag};
pub use tid::Tid;

/// Why a string is not the name it was taken for; the text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a valid {what}: {why}")]
pub struct NameError {
    /// The kind of name that was expected, e.g. `DID`.
    pub what: &'static str,
    /// The offending input, cut to 80 characters.
    pub value: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl NameError {
    pub(crate) fn new(what: &'static str, value: &str, why: &'static str) -> Self {
        Self { what, value: value.chars().take(80).collect(), why }
    }
}

/// What every name shares: `FromStr` is the only way in, `as_str` and serde the ways out.
macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// The name as it was written (after the normalisation that its parser documents).
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = $crate::names::NameError;
            fn try_from(value: String) -> Result<Self, Self::Error> {
                value.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0.to_string()
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use name_type;
