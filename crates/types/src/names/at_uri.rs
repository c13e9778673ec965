use std::{fmt, str::FromStr};

use super::{Did, NameError, Nsid, RepositoryName, Rkey};

/// `at://<did>/<collection>/<rkey>`, the address of a record. Authorities that are handles are refused: a handle may
/// move, and every lexicon of ours asks for a DID.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AtUri {
    /// Whose repository.
    pub did: Did,
    /// The record's collection.
    pub collection: Nsid,
    /// The record's key.
    pub rkey: Rkey,
}

impl FromStr for AtUri {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let (did, collection, rkey) = split(s)?;
        Ok(Self { did, collection, rkey: rkey.parse()? })
    }
}

fn split(s: &str) -> Result<(Did, Nsid, &str), NameError> {
    let err = |why| NameError::new("at-uri", s, why);
    let rest = s.strip_prefix("at://").ok_or_else(|| err("does not begin with at://"))?;
    let mut parts = rest.splitn(3, '/');
    let (Some(did), Some(collection), Some(rkey)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(err("is not at://did/collection/rkey"));
    };
    Ok((did.parse()?, collection.parse()?, rkey))
}

impl AtUri {
    /// Reads a repository page's address, whose key is a repository's name and may hold characters that a record key may
    /// not (`/`, as in `team/app`, percent-encoded or not).
    ///
    /// # Errors
    /// When it is not an at-uri, or its last part is not a repository name.
    pub fn parse_repo_page(s: &str) -> Result<(Did, Nsid, RepositoryName), NameError> {
        let (did, collection, rkey) = split(s)?;
        let decoded = percent_encoding::percent_decode_str(rkey).decode_utf8_lossy();
        Ok((did, collection, decoded.parse()?))
    }
}

impl fmt::Display for AtUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at://{}/{}/{}", self.did, self.collection, self.rkey)
    }
}

#[cfg(test)]
mod tests {
    use super::AtUri;

    #[test]
    fn round_trips() {
        let uri = "at://did:plc:abc/io.atcr.manifest/9f8e";
        assert_eq!(uri.parse::<AtUri>().unwrap().to_string(), uri);
        for bad in [
            "",
            "at://",
            "at://did:plc:abc",
            "at://did:plc:abc/io.atcr.tag",
            "at://alice.test/io.atcr.tag/x",
            "https://x/y/z",
        ] {
            assert!(bad.parse::<AtUri>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_may_have_slashes() {
        for uri in ["at://did:plc:abc/io.atcr.repo.page/team/app", "at://did:plc:abc/io.atcr.repo.page/team%2Fapp"] {
            assert_eq!(AtUri::parse_repo_page(uri).unwrap().2.as_str(), "team/app");
        }
    }
}
