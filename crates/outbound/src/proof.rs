//! What a signed commit proves: a CAR with the commit and the nodes of its tree down to a record, or to where it would be
//! (`com.atproto.sync.getRecord`), or with all of them (`getRepo`); see [repository](https://atproto.com/specs/repository).

use std::collections::HashMap;

use chrono::Utc;
use ipld_core::{cid::Cid as Link, ipld::Ipld};
use serde::Deserialize;
use serde_json::Value;
use types::{Cid, Did, RecordId, Tid};

/// Deeper trees or records do not occur; whoever builds one wants our stack.
const MAX_DEPTH: usize = 64;
/// Bytes of a CID of the AT Protocol.
const CID_LENGTH: usize = 36;

/// What a proof proves.
#[derive(Debug, PartialEq)]
pub enum Proof {
    /// The record stands.
    Present {
        /// The commit's revision.
        rev: Tid,
        /// The record's CID.
        cid: Cid,
        /// The record's block, as it came.
        block: Vec<u8>,
        /// The record as JSON.
        json: Vec<u8>,
    },
    /// There is no such record.
    Absent,
}

/// Why a CAR proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not a CAR, or not the blocks that it should hold.
    #[error("the proof is malformed: {0}")]
    Malformed(&'static str),
    /// A block's bytes are not what its CID says.
    #[error("a block does not hash to {0}")]
    WrongHash(Cid),
    /// A block that the proof needs is not there.
    #[error("the block {0} is missing")]
    Missing(Link),
    /// A commit of somebody else.
    #[error("the commit is of {0}")]
    OtherRepository(Did),
    /// Not signed with the account's key.
    #[error("the commit is not signed with the account's key")]
    Signature,
    /// A revision that would win over every true one to come.
    #[error("the revision {0} is more than five minutes ahead")]
    TooFarAhead(Tid),
}

use ProofError::{Malformed, Missing, OtherRepository, Signature, TooFarAhead, WrongHash};

#[derive(Deserialize)]
struct Header {
    roots: Vec<Link>,
    version: u64,
}

#[derive(Deserialize)]
struct Commit {
    did: Did,
    version: u64,
    data: Link,
    rev: Tid,
}

/// A node of the Merkle search tree ([MST](https://atproto.com/specs/repository#mst-structure)).
#[derive(Deserialize)]
struct Node {
    /// What lies before the first entry.
    l: Option<Link>,
    /// Its entries, in the order of their keys.
    e: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    /// How many bytes the key shares with the one before.
    p: usize,
    /// The rest of the key.
    k: Ipld,
    /// The record.
    v: Link,
    /// What lies between this entry and the next.
    t: Option<Link>,
}

/// Checks a proof of one record against the account's signing key, a `did:key`.
///
/// # Errors
/// Any [`ProofError`].
pub fn check(car: &[u8], id: &RecordId, signing_key: Option<&str>) -> Result<Proof, ProofError> {
    Signed::open(car, &id.did, signing_key)?.prove(id)
}

/// A repository, or a part of one, under a commit whose signature was checked.
pub struct Signed<'a> {
    blocks: Blocks<'a>,
    data: Link,
    rev: Tid,
}

impl<'a> Signed<'a> {
    /// Hashes a CAR's blocks and checks its commit against the account's signing key, a `did:key`.
    ///
    /// # Errors
    /// Any [`ProofError`].
    pub fn open(car: &'a [u8], did: &Did, signing_key: Option<&str>) -> Result<Self, ProofError> {
        let (root, blocks) = read_car(car)?;
        let commit: Commit = blocks.read(&root)?;
        if commit.version != 3 {
            return Err(Malformed("the commit is not of version 3"));
        }
        if commit.did != *did {
            return Err(OtherRepository(commit.did));
        }
        check_signature(blocks.read(&root)?, signing_key.ok_or(Signature)?)?;
        if commit.rev.is_too_far_ahead(Utc::now().timestamp_micros().unsigned_abs()) {
            return Err(TooFarAhead(commit.rev));
        }
        Ok(Self { blocks, data: commit.data, rev: commit.rev })
    }

    /// The commit's revision.
    pub const fn rev(&self) -> Tid {
        self.rev
    }

    /// Goes down the tree to a record, or to where it would be (`None`). The record itself need not be there.
    ///
    /// # Errors
    /// [`ProofError::Missing`] when the CAR does not hold the way there; [`ProofError::Malformed`].
    pub fn find(&self, id: &RecordId) -> Result<Option<Cid>, ProofError> {
        let key = format!("{}/{}", id.collection, id.rkey);
        let Some(link) = walk(&self.blocks, self.data, key.as_bytes())? else { return Ok(None) };
        Cid::try_from(link).map(Some).map_err(|_| Malformed("a record's CID is of another kind"))
    }

    /// The DAG-CBOR of a record.
    ///
    /// # Errors
    /// [`ProofError::Missing`] when the CAR does not hold it.
    pub fn block(&self, cid: Cid) -> Result<&'a [u8], ProofError> {
        self.blocks.get(&cid.inner())
    }

    fn prove(&self, id: &RecordId) -> Result<Proof, ProofError> {
        let Some(cid) = self.find(id)? else { return Ok(Proof::Absent) };
        let json = to_json(self.blocks.read(&cid.inner())?, MAX_DEPTH)?;
        let block = self.block(cid)?.to_vec();
        Ok(Proof::Present { rev: self.rev, cid, block, json: json.to_string().into_bytes() })
    }
}

/// The signature is over the commit without it.
fn check_signature(commit: Ipld, signing_key: &str) -> Result<(), ProofError> {
    let Ipld::Map(mut fields) = commit else { return Err(Malformed("the commit is no map")) };
    let Some(Ipld::Bytes(signature)) = fields.remove("sig") else { return Err(Signature) };
    let signed =
        serde_ipld_dagcbor::to_vec(&Ipld::Map(fields)).map_err(|_| Malformed("the commit cannot be encoded"))?;
    atrium_crypto::verify::verify_signature(signing_key, &signed, &signature).map_err(|_| Signature)
}

/// Goes down the tree to a key.
fn walk(blocks: &Blocks<'_>, root: Link, key: &[u8]) -> Result<Option<Link>, ProofError> {
    let mut next = Some(root);
    for _ in 0..MAX_DEPTH {
        let Some(link) = next else { return Ok(None) };
        let node: Node = blocks.read(&link)?;
        next = node.l;
        let mut current = Vec::new();
        for entry in node.e {
            let Ipld::Bytes(suffix) = entry.k else { return Err(Malformed("a key is no byte string")) };
            if entry.p > current.len() {
                return Err(Malformed("a key shares more than there is"));
            }
            current.truncate(entry.p);
            current.extend(suffix);
            match current.as_slice().cmp(key) {
                std::cmp::Ordering::Less => next = entry.t,
                std::cmp::Ordering::Equal => return Ok(Some(entry.v)),
                std::cmp::Ordering::Greater => break,
            }
        }
    }
    Err(Malformed("the tree is too deep"))
}

/// The blocks of a CAR, each hashed.
struct Blocks<'a>(HashMap<Link, &'a [u8]>);

impl<'a> Blocks<'a> {
    fn get(&self, link: &Link) -> Result<&'a [u8], ProofError> {
        self.0.get(link).copied().ok_or(Missing(*link))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, link: &Link) -> Result<T, ProofError> {
        serde_ipld_dagcbor::from_slice(self.get(link)?).map_err(|_| Malformed("a block is not what it should be"))
    }
}

/// Reads a [CAR of version 1](https://ipld.io/specs/transport/car/carv1/) with one root.
fn read_car(mut car: &[u8]) -> Result<(Link, Blocks<'_>), ProofError> {
    let header: Header = serde_ipld_dagcbor::from_slice(section(&mut car)?)
        .map_err(|_| Malformed("the CAR's header does not decode"))?;
    let (1, [root]) = (header.version, header.roots.as_slice()) else {
        return Err(Malformed("the CAR is not of version 1 with one root"));
    };
    let mut blocks = HashMap::new();
    while !car.is_empty() {
        let (cid, bytes) =
            section(&mut car)?.split_at_checked(CID_LENGTH).ok_or(Malformed("a block is shorter than its CID"))?;
        let cid = Cid::from_bytes(cid).map_err(|_| Malformed("a block's CID is of another kind"))?;
        if !cid.matches(bytes) {
            return Err(WrongHash(cid));
        }
        blocks.insert(cid.inner(), bytes);
    }
    Ok((*root, Blocks(blocks)))
}

/// Takes a section, its length before it, off the front.
fn section<'a>(car: &mut &'a [u8]) -> Result<&'a [u8], ProofError> {
    let length = varint(car)?;
    let (section, rest) = car.split_at_checked(length).ok_or(Malformed("the CAR ends early"))?;
    *car = rest;
    Ok(section)
}

/// Takes an [unsigned varint](https://github.com/multiformats/unsigned-varint) of at most four bytes off the front.
fn varint(car: &mut &[u8]) -> Result<usize, ProofError> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let (byte, rest) = car.split_first().ok_or(Malformed("the CAR ends early"))?;
        *car = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed("a length is too large"))
}

/// [JSON representation](https://atproto.com/specs/data-model#json-representation) of a record's block.
fn to_json(ipld: Ipld, depth: usize) -> Result<Value, ProofError> {
    let depth = depth.checked_sub(1).ok_or(Malformed("the record is too deep"))?;
    Ok(match ipld {
        Ipld::Null => Value::Null,
        Ipld::Bool(value) => value.into(),
        Ipld::Integer(value) => i64::try_from(value).map_err(|_| Malformed("a number is too large"))?.into(),
        Ipld::Float(_) => return Err(Malformed("a record has no floats")),
        Ipld::String(value) => value.into(),
        Ipld::Bytes(value) => serde_json::json!({ "$bytes": base64(&value) }),
        Ipld::Link(link) => serde_json::json!({ "$link": link.to_string() }),
        Ipld::List(items) => items.into_iter().map(|item| to_json(item, depth)).collect::<Result<Vec<_>, _>>()?.into(),
        Ipld::Map(fields) => {
            let fields = fields.into_iter().map(|(key, value)| Ok((key, to_json(value, depth)?)));
            Value::Object(fields.collect::<Result<_, ProofError>>()?)
        }
    })
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    STANDARD_NO_PAD.encode(bytes)
}
