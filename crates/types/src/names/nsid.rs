use std::{str::FromStr, sync::Arc};

use super::{NameError, name_type};

/// A namespaced identifier such as `io.atcr.manifest` ([grammar](https://atproto.com/specs/nsid)).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nsid(Arc<str>);

name_type!(Nsid);

impl FromStr for Nsid {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let err = |why| NameError::new("NSID", s, why);
        if s.len() > 317 {
            return Err(err("longer than 317 characters"));
        }
        let Some((authority, name)) = s.rsplit_once('.') else { return Err(err("fewer than three parts")) };
        if !authority.contains('.') {
            return Err(err("fewer than three parts"));
        }
        let segment = |part: &str| {
            (1..=63).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        if !authority.split('.').all(segment) || authority.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(err("the authority is not a reversed domain name"));
        }
        let letters = name.bytes().all(|b| b.is_ascii_alphanumeric());
        if name.is_empty() || name.len() > 63 || !letters || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(err("the name is not 1 to 63 letters and digits, a letter first"));
        }
        Ok(Self(s.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::Nsid;

    #[test]
    fn grammar() {
        for ok in ["io.atcr.manifest", "io.atcr.sailor.star", "com.example.fooBar"] {
            assert!(ok.parse::<Nsid>().is_ok(), "{ok}");
        }
        for bad in ["io.atcr", "io", "", "io..x", "1o.atcr.x", "io.atcr.2x", "io.atcr.x-y", "io.atcr.*"] {
            assert!(bad.parse::<Nsid>().is_err(), "{bad}");
        }
    }
}
