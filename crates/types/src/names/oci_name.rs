use std::{str::FromStr, sync::Arc};

use super::{NameError, name_type};

/// A repository name by OCI's grammar:
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`
/// ([distribution-spec, pulling manifests](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests)),
/// at most 255 characters as clients enforce.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OciName(Arc<str>);

name_type!(OciName);

impl FromStr for OciName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let err = |why| NameError::new("repository name", s, why);
        if s.is_empty() || s.len() > 255 {
            return Err(err("not between 1 and 255 characters"));
        }
        if s.split('/').all(is_component) {
            Ok(Self(s.into()))
        } else {
            Err(err("only a-z, 0-9 and single . _ or __ or - between them are allowed, in parts joined by /"))
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(part: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    alphanumeric(*first)
        && alphanumeric(*last)
        && part
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::OciName;

    #[test]
    fn grammar() {
        for ok in ["a", "team/app", "a.b", "a_b", "a__b", "a---b", "0/1", "team/manifests/x"] {
            assert!(ok.parse::<OciName>().is_ok(), "{ok}");
        }
        for bad in ["", "A", "a/", "/a", "a..b", "a___b", "a._b", "-a", "a-", "a//b", "é", "a b"] {
            assert!(bad.parse::<OciName>().is_err(), "{bad}");
        }
    }
}
