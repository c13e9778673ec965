//! One account's repository: records, their tree, and signed commits
//! (<https://atproto.com/specs/repository>).

mod car;
mod mst;
mod value;

use std::{collections::BTreeMap, sync::Arc};

use ::cid::Cid;
use bytes::Bytes;
use ipld_core::ipld::Ipld;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::{Did, Tid};

pub(crate) use self::value::Block;
use self::{car::write_car, mst::Tree, value::to_ipld};
use crate::{Error, Result};

/// What a write does to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The record is new.
    Create,
    /// The record replaces another under the same key.
    Update,
    /// The record goes.
    Delete,
}

/// One write of a commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Write {
    /// What to do.
    pub action: Action,
    /// The record's collection.
    pub collection: String,
    /// The record's key.
    pub rkey: String,
    /// The record, unless it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Value>,
}

impl Write {
    /// A new record.
    pub fn create(collection: impl Into<String>, rkey: impl Into<String>, record: Value) -> Self {
        Self { action: Action::Create, collection: collection.into(), rkey: rkey.into(), record: Some(record) }
    }

    /// A record's replacement.
    pub fn update(collection: impl Into<String>, rkey: impl Into<String>, record: Value) -> Self {
        Self { action: Action::Update, ..Self::create(collection, rkey, record) }
    }

    /// A record's end.
    pub fn delete(collection: impl Into<String>, rkey: impl Into<String>) -> Self {
        Self { action: Action::Delete, collection: collection.into(), rkey: rkey.into(), record: None }
    }

    /// `collection/rkey`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.collection, self.rkey)
    }
}

/// A record as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) value: Arc<Value>,
    pub(crate) block: Block,
}

/// A signed commit.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) block: Block,
    pub(crate) rev: Tid,
    pub(crate) data: Cid,
    pub(crate) signature: Vec<u8>,
}

/// One write as the streams tell it.
#[derive(Clone, Debug)]
pub(crate) struct RepoOp {
    pub(crate) write: Write,
    pub(crate) cid: Option<Cid>,
    pub(crate) previous: Option<Cid>,
}

/// What a commit changed.
#[derive(Clone, Debug)]
pub(crate) struct Diff {
    pub(crate) commit: Commit,
    pub(crate) since: Option<Commit>,
    pub(crate) ops: Vec<RepoOp>,
    /// The commit, the new tree nodes, the paths to what changed, and the new records.
    pub(crate) car: Bytes,
}

pub(crate) struct Repo {
    did: Did,
    tree: Tree,
    records: BTreeMap<String, Record>,
    head: Option<Commit>,
}

impl Repo {
    pub(crate) fn new(did: Did) -> Self {
        Self { did, tree: Tree::default(), records: BTreeMap::new(), head: None }
    }

    pub(crate) fn head(&self) -> Option<&Commit> {
        self.head.as_ref()
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Record> {
        self.records.get(path)
    }

    /// The records of a collection, by key.
    pub(crate) fn list<'a>(
        &'a self,
        collection: &str,
    ) -> impl DoubleEndedIterator<Item = (&'a str, &'a Record)> + use<'a> {
        // '0' follows '/'.
        let (from, to) = (format!("{collection}/"), format!("{collection}0"));
        let skip = from.len();
        self.records.range(from..to).map(move |(path, record)| (&path[skip..], record))
    }

    /// The collections that hold records, in order.
    pub(crate) fn collections(&self) -> Vec<&str> {
        let mut collections: Vec<&str> = self.records.keys().filter_map(|path| path.split('/').next()).collect();
        collections.dedup();
        collections
    }

    /// Applies the writes, all or none, and signs the new root.
    pub(crate) fn commit(
        &mut self,
        writes: &[Write],
        rev: Tid,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>,
    ) -> Result<Diff> {
        let mut tree = self.tree.clone();
        let mut records = BTreeMap::<String, Option<Record>>::new();
        let mut ops = Vec::with_capacity(writes.len());
        for write in writes {
            let path = write.path();
            let before = records.get(&path).map_or_else(|| self.records.get(&path), Option::as_ref);
            let previous = before.map(|record| record.block.cid);
            let record = self.checked(write, previous.is_some())?;
            match &record {
                Some(record) => tree.insert(&path, record.block.cid),
                None => tree.remove(&path),
            }
            let cid = record.as_ref().map(|record| record.block.cid);
            ops.push(RepoOp { write: write.clone(), cid, previous });
            records.insert(path, record);
        }
        let (data, nodes) = tree.commit()?;
        let commit = self.sign(data, rev, sign)?;
        let mut blocks = vec![commit.block.clone()];
        blocks.extend(nodes);
        for path in records.keys() {
            blocks.extend(tree.path(path)?);
        }
        blocks.extend(records.values().flatten().map(|record| record.block.clone()));
        let car = write_car(commit.block.cid, blocks)?;
        for (path, record) in records {
            match record {
                Some(record) => _ = self.records.insert(path, record),
                None => _ = self.records.remove(&path),
            }
        }
        self.tree = tree;
        let since = self.head.replace(commit.clone());
        Ok(Diff { commit, since, ops, car })
    }

    fn checked(&self, write: &Write, exists: bool) -> Result<Option<Record>> {
        match (write.action, exists) {
            (Action::Create, true) => {
                return Err(Error::refused("InvalidRequest", format!("there is a record {} already", write.path())));
            }
            (Action::Update | Action::Delete, false) => {
                return Err(Error::refused("RecordNotFound", format!("there is no record {}", write.path())));
            }
            (Action::Delete, true) => return Ok(None),
            _ => {}
        }
        let Some(value) = &write.record else { return Err(Error::refused("InvalidRequest", "a record is missing")) };
        if !value.is_object() {
            return Err(Error::refused("InvalidRecord", "a record is an object"));
        }
        let block = Block::encode(&to_ipld(value)?)?;
        if block.bytes.len() > 1_000_000 {
            return Err(Error::refused("InvalidRecord", "a record has at most 1 MB"));
        }
        Ok(Some(Record { value: Arc::new(value.clone()), block }))
    }

    fn sign(&self, data: Cid, rev: Tid, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<Commit> {
        let mut fields = BTreeMap::from([
            ("did".to_owned(), Ipld::String(self.did.to_string())),
            ("version".to_owned(), Ipld::Integer(3)),
            ("data".to_owned(), Ipld::Link(data)),
            ("rev".to_owned(), Ipld::String(rev.to_string())),
            ("prev".to_owned(), Ipld::Null),
        ]);
        let signature = sign(&Block::encode(&Ipld::Map(fields.clone()))?.bytes)?;
        fields.insert("sig".to_owned(), Ipld::Bytes(signature.clone()));
        Ok(Commit { block: Block::encode(&Ipld::Map(fields))?, rev, data, signature })
    }

    /// The whole repository as a CAR; `None` before its first commit.
    pub(crate) fn export(&self) -> Result<Option<Bytes>> {
        let Some(head) = &self.head else { return Ok(None) };
        let blocks = std::iter::once(head.block.clone())
            .chain(self.tree.nodes()?)
            .chain(self.records.values().map(|record| record.block.clone()));
        write_car(head.block.cid, blocks).map(Some)
    }

    /// The commit, the tree's path to `path`, and the record if there is one: proof of either.
    pub(crate) fn prove(&self, path: &str) -> Result<Option<Bytes>> {
        let Some(head) = &self.head else { return Ok(None) };
        let record = self.records.get(path).map(|record| record.block.clone());
        let blocks = std::iter::once(head.block.clone()).chain(self.tree.path(path)?).chain(record);
        write_car(head.block.cid, blocks).map(Some)
    }

    /// The latest commit alone, as `#sync` carries it.
    pub(crate) fn head_car(&self) -> Result<Bytes> {
        let Some(head) = &self.head else { return Ok(Bytes::new()) };
        write_car(head.block.cid, [head.block.clone()])
    }
}
