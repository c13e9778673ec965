use std::{fmt, str::FromStr};

use ipld_core::ipld::Ipld;
use sha2::{Digest as _, Sha256};

use crate::Digest;

const DAG_CBOR: u64 = 0x71;
const RAW: u64 = 0x55;
const SHA2_256: u64 = 0x12;

/// A content identifier as the AT Protocol uses it: version 1, sha2-256, DAG-CBOR (records) or raw (blobs)
/// ([data model](https://atproto.com/specs/data-model#link-and-cid-formats)). Shown in base32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cid(::cid::Cid);

/// Why something has no CID, or is none.
#[derive(Debug, thiserror::Error)]
pub enum CidError {
    /// Not a CID, or not version 1 with sha2-256 and DAG-CBOR or raw.
    #[error("{0:?} is not a CID of the AT Protocol (version 1, sha2-256, dag-cbor or raw)")]
    Malformed(String),
    /// A record whose JSON has no exact DAG-CBOR form: a float, or an odd `$link` or `$bytes` object.
    #[error("the record has no DAG-CBOR form: {0}")]
    NotCanonical(&'static str),
}

impl TryFrom<::cid::Cid> for Cid {
    type Error = CidError;

    fn try_from(cid: ::cid::Cid) -> Result<Self, CidError> {
        let known = cid.version() == ::cid::Version::V1
            && matches!(cid.codec(), DAG_CBOR | RAW)
            && cid.hash().code() == SHA2_256
            && cid.hash().size() == 32;
        if known { Ok(Self(cid)) } else { Err(CidError::Malformed(cid.to_string())) }
    }
}

impl FromStr for Cid {
    type Err = CidError;

    fn from_str(s: &str) -> Result<Self, CidError> {
        let malformed = || CidError::Malformed(s.chars().take(80).collect());
        ::cid::Cid::from_str(s).map_err(|_| malformed())?.try_into().map_err(|_| malformed())
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl serde::Serialize for Cid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Cid {
    /// The CID of a DAG-CBOR block (a record, a commit, a tree node).
    pub fn of_block(bytes: &[u8]) -> Self {
        Self::build(DAG_CBOR, bytes)
    }

    /// The CID of a blob.
    pub fn of_blob(bytes: &[u8]) -> Self {
        Self::build(RAW, bytes)
    }

    fn build(codec: u64, bytes: &[u8]) -> Self {
        // 32 bytes always fit the 64-byte multihash that `cid` uses, so the fallback is never taken.
        let hash = multihash::Multihash::<64>::wrap(SHA2_256, &Sha256::digest(bytes)).unwrap_or_default();
        Self(::cid::Cid::new_v1(codec, hash))
    }

    /// Reads the binary form, 36 bytes.
    ///
    /// # Errors
    /// When the bytes are not a CID of the AT Protocol.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        ::cid::Cid::try_from(bytes)
            .map_err(|_| CidError::Malformed(hex::encode(&bytes[..bytes.len().min(40)])))?
            .try_into()
    }

    /// The binary form: 4 bytes of prefix, 32 of hash.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// The library's type, for codecs.
    pub fn inner(self) -> ::cid::Cid {
        self.0
    }

    /// Whether `bytes` hash to this CID.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.0.hash().digest() == Sha256::digest(bytes).as_slice()
    }

    /// The hash as an OCI digest: of a raw CID, the digest of the blob's bytes.
    pub fn digest(&self) -> Digest {
        // Both types hold a checked 32-byte sha2-256.
        format!("sha256:{}", hex::encode(self.0.hash().digest())).parse().unwrap_or_else(|_| Digest::sha256(b""))
    }

    /// The CID of the blob whose bytes have this digest; `None` for algorithms that the AT Protocol does not use.
    pub fn of_digest(digest: &Digest) -> Option<Self> {
        (digest.algorithm() == "sha256").then_some(())?;
        let hash = multihash::Multihash::<64>::wrap(SHA2_256, &hex::decode(digest.hex()).ok()?).ok()?;
        Some(Self(::cid::Cid::new_v1(RAW, hash)))
    }
}

/// The CID of a record, recomputed from its JSON by way of DAG-CBOR
/// ([JSON representation](https://atproto.com/specs/data-model#json-representation)): `$link` objects become links,
/// `$bytes` become bytes.
///
/// # Errors
/// [`CidError::NotCanonical`] when the JSON cannot be carried over exactly; such a record is unverifiable, not wrong.
pub fn record_cid(record: &serde_json::Value) -> Result<Cid, CidError> {
    Ok(Cid::of_block(&record_block(record)?))
}

/// The DAG-CBOR form of a record's JSON, as its repository stores it.
///
/// # Errors
/// As [`record_cid`].
pub fn record_block(record: &serde_json::Value) -> Result<Vec<u8>, CidError> {
    serde_ipld_dagcbor::to_vec(&to_ipld(record)?).map_err(|_| CidError::NotCanonical("it does not encode"))
}

fn to_ipld(value: &serde_json::Value) -> Result<Ipld, CidError> {
    use serde_json::Value;
    Ok(match value {
        Value::Null => Ipld::Null,
        Value::Bool(b) => Ipld::Bool(*b),
        Value::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Ipld::Integer(i.into()),
            (None, Some(u)) => Ipld::Integer(u.into()),
            (None, None) => return Err(CidError::NotCanonical("it holds a number that is no integer")),
        },
        Value::String(s) => Ipld::String(s.clone()),
        Value::Array(items) => Ipld::List(items.iter().map(to_ipld).collect::<Result<_, _>>()?),
        Value::Object(map) if map.contains_key("$link") => Ipld::Link(link(map)?),
        Value::Object(map) if map.contains_key("$bytes") => Ipld::Bytes(byte_string(map)?),
        Value::Object(map) => Ipld::Map(
            map.iter().map(|(key, value)| Ok((key.clone(), to_ipld(value)?))).collect::<Result<_, CidError>>()?,
        ),
    })
}

fn link(map: &serde_json::Map<String, serde_json::Value>) -> Result<::cid::Cid, CidError> {
    let odd = || CidError::NotCanonical("it holds an odd $link object");
    let text = map.get("$link").filter(|_| map.len() == 1).and_then(|v| v.as_str()).ok_or_else(odd)?;
    ::cid::Cid::from_str(text).map_err(|_| odd())
}

fn byte_string(map: &serde_json::Map<String, serde_json::Value>) -> Result<Vec<u8>, CidError> {
    let odd = || CidError::NotCanonical("it holds an odd $bytes object");
    let text = map.get("$bytes").filter(|_| map.len() == 1).and_then(|v| v.as_str()).ok_or_else(odd)?;
    data_encoding::BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()).map_err(|_| odd())
}

#[cfg(test)]
mod tests {
    use super::{Cid, CidError, record_cid};
    use crate::Digest;

    /// A real record and CID from the public network.
    #[test]
    fn recomputes_what_a_pds_computed() {
        let record = serde_json::json!({
            "$type": "app.bsky.feed.like", "createdAt": "2024-09-09T19:46:02.102Z",
            "subject": { "cid": "bafyreidc6sydkkbchcyg62v77wbhzvb2mvytlmsychqgwf2xojjtirmzj4",
                         "uri": "at://did:plc:wa7b35aakoll7hugkrjtf3xf/app.bsky.feed.post/3l3pte3p2e325" } });
        assert_eq!(
            record_cid(&record).unwrap().to_string(),
            "bafyreidwaivazkwu67xztlmuobx35hs2lnfh3kolmgfmucldvhd3sgzcqi"
        );
    }

    #[test]
    fn blob_cid_is_its_digest() {
        let cid = Cid::of_blob(b"hello");
        assert!(cid.to_string().starts_with("bafkrei"));
        assert_eq!(cid.digest(), Digest::sha256(b"hello"));
        assert_eq!(Cid::of_digest(&cid.digest()), Some(cid));
        assert_eq!(Cid::from_bytes(&cid.to_bytes()).unwrap(), cid);
        assert!(cid.matches(b"hello") && !cid.matches(b"hallo"));
    }

    #[test]
    fn what_does_not_round_trip_is_unverifiable() {
        for odd in [
            serde_json::json!({"x": 1.5}),
            serde_json::json!({"x": {"$link": "nonsense"}}),
            serde_json::json!({"x": {"$link": "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", "y": 1}}),
            serde_json::json!({"x": {"$bytes": "%"}}),
        ] {
            assert!(matches!(record_cid(&odd), Err(CidError::NotCanonical(_))), "{odd}");
        }
    }
}
