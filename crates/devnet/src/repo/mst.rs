//! The Merkle search tree of a repository (<https://atproto.com/specs/repository#mst-structure>): immutable nodes that
//! share what did not change, so that a commit's new nodes are exactly those without a cached block.
//!
//! Our own, because `atrium_repo::mst` 0.2.0 loses entries when it splits a subtree deeper than one level; the tests
//! re-open what is written here with that crate.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use ::cid::Cid;
use ipld_core::ipld::Ipld;
use sha2::{Digest as _, Sha256};

use super::Block;
use crate::Result;

/// A tree; cloning is cheap.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    root: Option<Arc<Node>>,
}

struct Node {
    layer: u32,
    /// Leaves in key order, at most one subtree between two of them and at either end.
    items: Vec<Item>,
    block: OnceLock<Block>,
}

#[derive(Clone)]
enum Item {
    Leaf { key: Arc<str>, value: Cid },
    Tree(Arc<Node>),
}

type Link = Option<Arc<Node>>;

impl Tree {
    pub(crate) fn insert(&mut self, key: &str, value: Cid) {
        let layer = layer_of(key);
        let leaf = Item::Leaf { key: key.into(), value };
        let mut root = self.root.take();
        let top = root.as_ref().map_or(layer, |node| node.layer.max(layer));
        while let Some(node) = root.take_if(|node| node.layer < top) {
            root = Node::link(node.layer + 1, vec![Item::Tree(node)]);
        }
        self.root = Some(insert(root, top, layer, leaf, key));
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.root = self.root.take().and_then(|node| remove(&node, key));
        while let Some([Item::Tree(only)]) = self.root.as_ref().map(|node| &node.items[..]) {
            self.root = Some(Arc::clone(only));
        }
    }

    /// The root's CID, and the blocks of the nodes that were new since the last call.
    pub(crate) fn commit(&self) -> Result<(Cid, Vec<Block>)> {
        let mut new = Vec::new();
        let root = match &self.root {
            Some(root) => root.encode(&mut new)?,
            None => {
                let empty = node_block(&[], &mut Vec::new())?;
                new.push(empty.clone());
                empty.cid
            }
        };
        Ok((root, new))
    }

    /// The nodes from the root to where `key` is or would be: a proof of either.
    pub(crate) fn path(&self, key: &str) -> Result<Vec<Block>> {
        let Some(root) = &self.root else { return Ok(self.commit()?.1) };
        let mut blocks = Vec::new();
        let mut node = Some(root);
        while let Some(here) = node {
            blocks.push(here.block()?);
            let at = here.position(key);
            let found = matches!(here.items.get(at), Some(Item::Leaf { key: leaf, .. }) if **leaf == *key);
            node = match at.checked_sub(1).map(|left| &here.items[left]) {
                Some(Item::Tree(tree)) if !found => Some(tree),
                _ => None,
            };
        }
        Ok(blocks)
    }

    /// Every node's block, parents first.
    pub(crate) fn nodes(&self) -> Result<Vec<Block>> {
        let Some(root) = &self.root else { return Ok(self.commit()?.1) };
        let mut blocks = Vec::new();
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            blocks.push(node.block()?);
            stack.extend(node.items.iter().rev().filter_map(Item::tree));
        }
        Ok(blocks)
    }
}

impl Item {
    fn tree(&self) -> Option<&Arc<Node>> {
        match self {
            Self::Tree(tree) => Some(tree),
            Self::Leaf { .. } => None,
        }
    }
}

impl Node {
    /// A node, or none when it would be empty.
    fn link(layer: u32, items: Vec<Item>) -> Link {
        (!items.is_empty()).then(|| Arc::new(Self { layer, items, block: OnceLock::new() }))
    }

    /// The index of the first leaf whose key is not smaller.
    fn position(&self, key: &str) -> usize {
        let not_smaller = |item: &Item| matches!(item, Item::Leaf { key: leaf, .. } if **leaf >= *key);
        self.items.iter().position(not_smaller).unwrap_or(self.items.len())
    }

    fn block(&self) -> Result<Block> {
        self.encode(&mut Vec::new())?;
        self.block.get().cloned().ok_or_else(|| crate::Error::Encode("tree node".into()))
    }

    fn encode(&self, new: &mut Vec<Block>) -> Result<Cid> {
        if let Some(block) = self.block.get() {
            return Ok(block.cid);
        }
        let block = node_block(&self.items, new)?;
        new.push(block.clone());
        Ok(self.block.get_or_init(|| block).cid)
    }
}

fn node_block(items: &[Item], new: &mut Vec<Block>) -> Result<Block> {
    let (mut left, mut entries) = (Ipld::Null, Vec::<BTreeMap<String, Ipld>>::new());
    let mut previous: &str = "";
    for item in items {
        match item {
            Item::Tree(tree) => {
                let link = Ipld::Link(tree.encode(new)?);
                match entries.last_mut() {
                    Some(entry) => _ = entry.insert("t".into(), link),
                    None => left = link,
                }
            }
            Item::Leaf { key, value } => {
                let shared = previous.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count();
                entries.push(BTreeMap::from([
                    ("p".into(), Ipld::Integer(shared as i128)),
                    ("k".into(), Ipld::Bytes(key.as_bytes()[shared..].to_vec())),
                    ("v".into(), Ipld::Link(*value)),
                    ("t".into(), Ipld::Null),
                ]));
                previous = key;
            }
        }
    }
    let entries = Ipld::List(entries.into_iter().map(Ipld::Map).collect());
    Block::encode(&Ipld::Map(BTreeMap::from([("l".into(), left), ("e".into(), entries)])))
}

/// Inserts a leaf of `layer` into the subtree `node` whose own layer is `here`, `layer` or above.
fn insert(node: Link, here: u32, layer: u32, leaf: Item, key: &str) -> Arc<Node> {
    let at = node.as_ref().map_or(0, |node| node.position(key));
    let mut items = node.map_or_else(Vec::new, |node| node.items.clone());
    if matches!(items.get(at), Some(Item::Leaf { key: found, .. }) if **found == *key) {
        items[at] = leaf;
    } else {
        let below = at.checked_sub(1).and_then(|left| items[left].tree().cloned());
        let from = if below.is_some() { at - 1 } else { at };
        let replacement = if here == layer {
            let (left, right) = split(below, key);
            [left.map(Item::Tree), Some(leaf), right.map(Item::Tree)]
        } else {
            [None, Some(Item::Tree(insert(below, here - 1, layer, leaf, key))), None]
        };
        items.splice(from..at, replacement.into_iter().flatten());
    }
    Arc::new(Node { layer: here, items, block: OnceLock::new() })
}

/// Parts a subtree into the keys before and after `key`, which it does not hold.
fn split(node: Link, key: &str) -> (Link, Link) {
    let Some(node) = node else { return (None, None) };
    let at = node.position(key);
    let (mut before, mut after) = (node.items[..at].to_vec(), node.items[at..].to_vec());
    if let Some(tree) = before.pop_if(|item| item.tree().is_some()) {
        let (left, right) = split(tree.tree().cloned(), key);
        before.extend(left.map(Item::Tree));
        after.splice(0..0, right.map(Item::Tree));
    }
    (Node::link(node.layer, before), Node::link(node.layer, after))
}

fn remove(node: &Arc<Node>, key: &str) -> Link {
    let at = node.position(key);
    let mut items = node.items.clone();
    if matches!(items.get(at), Some(Item::Leaf { key: found, .. }) if **found == *key) {
        items.remove(at);
        if let (Some(left), Some(right)) = (
            at.checked_sub(1).and_then(|left| items[left].tree().cloned()),
            items.get(at).and_then(Item::tree).cloned(),
        ) {
            items.splice(at - 1..=at, Some(Item::Tree(merge(&left, &right))));
        }
    } else if let Some(below) = at.checked_sub(1).and_then(|left| items[left].tree().cloned()) {
        items.splice(at - 1..at, remove(&below, key).map(Item::Tree));
    }
    Node::link(node.layer, items)
}

/// Joins two subtrees of one layer whose keys do not overlap.
fn merge(left: &Arc<Node>, right: &Arc<Node>) -> Arc<Node> {
    let (mut items, mut after) = (left.items.clone(), right.items.clone());
    if let (Some(Item::Tree(inner_left)), Some(Item::Tree(inner_right))) = (items.last(), after.first()) {
        let inner = merge(inner_left, inner_right);
        items.pop();
        after[0] = Item::Tree(inner);
    }
    items.append(&mut after);
    Arc::new(Node { layer: left.layer, items, block: OnceLock::new() })
}

/// Leading zeroes of the key's hash, counted in pairs of bits.
fn layer_of(key: &str) -> u32 {
    let mut zeroes = 0;
    for byte in Sha256::digest(key.as_bytes()) {
        zeroes += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    zeroes / 2
}
