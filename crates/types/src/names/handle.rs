use std::{str::FromStr, sync::Arc};

use super::{NameError, name_type};

/// A handle: a DNS name that stands for a DID, kept in lower case
/// ([atproto handle grammar](https://atproto.com/specs/handle)).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(Arc<str>);

name_type!(Handle);

/// Top-level names that can never be looked up on the public internet.
const UNRESOLVABLE: [&str; 9] =
    ["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"];

impl FromStr for Handle {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let err = |why| NameError::new("handle", s, why);
        if s.len() > 253 {
            return Err(err("longer than 253 characters"));
        }
        let mut labels = 0;
        for label in s.split('.') {
            labels += 1;
            if label.is_empty() || label.len() > 63 {
                return Err(err("each part between dots has 1 to 63 characters"));
            }
            if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err(err("only letters, digits, hyphens and dots are allowed"));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(err("no part begins or ends with a hyphen"));
            }
        }
        if labels < 2 {
            return Err(err("a handle has at least one dot"));
        }
        if s.rsplit('.').next().is_some_and(|tld| tld.starts_with(|c: char| c.is_ascii_digit())) {
            return Err(err("the last part begins with a digit"));
        }
        Ok(Self(s.to_ascii_lowercase().into()))
    }
}

impl Handle {
    /// Whether the handle's top-level name is reserved, so that no public resolver may be asked about it.
    /// `.test` and `.example` are reserved too: only a private network (the demo) resolves them.
    pub fn is_reserved(&self) -> bool {
        self.0.rsplit('.').next().is_some_and(|tld| UNRESOLVABLE.contains(&tld))
    }
}

#[cfg(test)]
mod tests {
    use super::Handle;

    #[test]
    fn grammar() {
        assert_eq!("Alice.Example.COM".parse::<Handle>().unwrap().as_str(), "alice.example.com");
        for bad in
            ["", "alice", "alice.", ".example", "a..b", "-a.com", "a-.com", "a_b.com", "a.0com", "did:plc:x", "é.com"]
        {
            assert!(bad.parse::<Handle>().is_err(), "{bad}");
        }
        assert!("alice.test".parse::<Handle>().unwrap().is_reserved());
        assert!(!"alice.dev".parse::<Handle>().unwrap().is_reserved());
    }
}
