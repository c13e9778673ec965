use std::{str::FromStr, sync::Arc};

use super::{NameError, name_type};

/// A record key: the last part of a record's path ([grammar](https://atproto.com/specs/record-key)).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rkey(Arc<str>);

name_type!(Rkey);

impl FromStr for Rkey {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let err = |why| NameError::new("record key", s, why);
        if s.is_empty() || s.len() > 512 {
            return Err(err("not between 1 and 512 characters"));
        }
        if s == "." || s == ".." {
            return Err(err(". and .. are reserved"));
        }
        if !s.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:~-".contains(&b)) {
            return Err(err("only letters, digits and . _ : ~ - are allowed"));
        }
        Ok(Self(s.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::Rkey;

    #[test]
    fn grammar() {
        for ok in ["self", "did:plc:x::did:web:y", "~a", "a.b", &"x".repeat(512)] {
            assert!(ok.parse::<Rkey>().is_ok(), "{ok}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "a#b", "é", &"x".repeat(513)] {
            assert!(bad.parse::<Rkey>().is_err(), "{bad}");
        }
    }
}
