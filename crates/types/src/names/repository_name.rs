use std::{str::FromStr, sync::Arc};

use super::{NameError, OciName, name_type};

/// A repository's name as its owner wrote it in a record: 1 to 255 bytes, any text but control characters. It is scoped
/// to the owner's DID, and need not be legal in an image reference (see [`RepositoryName::oci`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Arc<str>);

name_type!(RepositoryName);

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let err = |why| NameError::new("repository name", s, why);
        if s.is_empty() || s.len() > 255 {
            return Err(err("not between 1 and 255 bytes"));
        }
        if s.chars().any(char::is_control) {
            return Err(err("holds a control character"));
        }
        if s.starts_with('/')
            || s.ends_with('/')
            || s.split('/').any(|part| part.is_empty() || part == "." || part == "..")
        {
            return Err(err("a part between slashes is empty, . or .."));
        }
        Ok(Self(s.into()))
    }
}

impl RepositoryName {
    /// The name as OCI's grammar has it, or `None` when no client could pull it.
    pub fn oci(&self) -> Option<OciName> {
        self.0.parse().ok()
    }
}

impl From<OciName> for RepositoryName {
    fn from(name: OciName) -> Self {
        Self(name.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use super::RepositoryName;

    #[test]
    fn is_wider_than_oci() {
        for (name, pullable) in [("app", true), ("team/app", true), ("MyApp", false), ("a b", false), ("ünï", false)]
        {
            assert_eq!(name.parse::<RepositoryName>().unwrap().oci().is_some(), pullable, "{name}");
        }
        for bad in ["", "/a", "a/", "a//b", "a/../b", ".", "a\0b", "a\nb", &"x".repeat(256)] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad:?}");
        }
    }
}
