use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256, Sha512};

/// A content address, `sha256:<64 hex>` or `sha512:<128 hex>`, in lower case
/// ([image-spec descriptors](https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md#digests)).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

/// Why a string is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No `algorithm:hex`, or hex of the wrong length or alphabet.
    #[error("{0:?} is not a digest: sha256: and 64 lower-case hex characters are expected")]
    Malformed(String),
    /// An algorithm other than sha256 and sha512.
    #[error("the digest algorithm {0:?} is not supported: use sha256")]
    UnknownAlgorithm(String),
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(s: &str) -> Result<Self, DigestError> {
        let malformed = || DigestError::Malformed(s.chars().take(80).collect());
        let (algorithm, encoded) = s.split_once(':').ok_or_else(malformed)?;
        let length = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            other if !other.is_empty() && other.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) => {
                return Err(DigestError::UnknownAlgorithm(other.chars().take(40).collect()));
            }
            _ => return Err(malformed()),
        };
        let hex = encoded.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if encoded.len() == length && hex { Ok(Self(s.to_owned())) } else { Err(malformed()) }
    }
}

impl Digest {
    /// The sha256 digest of some bytes.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// Whether `bytes` hash to this digest, by its own algorithm.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        match self.algorithm() {
            "sha512" => hex::encode(Sha512::digest(bytes)) == self.hex(),
            _ => *self == Self::sha256(bytes),
        }
    }

    /// Hashes bytes as they come, to compare them with this digest in the end.
    pub fn check(&self) -> DigestCheck {
        let hasher = match self.algorithm() {
            "sha512" => Hasher::Sha512(Sha512::new()),
            _ => Hasher::Sha256(Sha256::new()),
        };
        DigestCheck { hasher, expected: self.clone() }
    }

    /// `sha256` or `sha512`.
    pub fn algorithm(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// The part after the colon.
    pub fn hex(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes on their way, compared with a digest when all of them were seen.
pub struct DigestCheck {
    hasher: Hasher,
    expected: Digest,
}

enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl DigestCheck {
    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.hasher {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// Whether all of them together hash to the digest.
    pub fn holds(self) -> bool {
        let found = match self.hasher {
            Hasher::Sha256(hasher) => hex::encode(hasher.finalize()),
            Hasher::Sha512(hasher) => hex::encode(hasher.finalize()),
        };
        found == self.expected.hex()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, DigestError};

    #[test]
    fn hashes_and_checks() {
        let empty = Digest::sha256(b"");
        assert_eq!(empty.as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert!(empty.matches(b"") && !empty.matches(b"x"));
        let long: Digest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
        assert!(!long.matches(b""));
    }

    #[test]
    fn pieces_hash_to_what_the_whole_does() {
        // https://csrc.nist.gov/csrc/media/projects/cryptographic-standards-and-guidelines/documents/examples/sha512.pdf
        let abc = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                   2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        for digest in [Digest::sha256(b"abc"), abc.parse().unwrap()] {
            for (pieces, holds) in [(["a", "bc"], true), (["ab", "c"], true), (["ab", "d"], false), (["", "ab"], false)]
            {
                let mut check = digest.check();
                pieces.iter().for_each(|piece| check.update(piece.as_bytes()));
                assert_eq!(check.holds(), holds, "{digest} {pieces:?}");
            }
        }
    }

    #[test]
    fn refuses() {
        for bad in [
            "",
            "sha256",
            "sha256:",
            "sha256:ABC",
            &format!("sha256:{}", "G".repeat(64)),
            &format!("sha256:{}", "A".repeat(64)),
        ] {
            assert!(matches!(bad.parse::<Digest>(), Err(DigestError::Malformed(_))), "{bad}");
        }
        assert!(matches!("md5:abc".parse::<Digest>(), Err(DigestError::UnknownAlgorithm(_))));
    }
}
