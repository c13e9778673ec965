//! The raw firehose: `com.atproto.sync.subscribeRepos`, two DAG-CBOR items a frame
//! ([event stream](https://atproto.com/specs/event-stream), [sync](https://atproto.com/specs/sync)).

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use chrono::DateTime;
use serde::Deserialize;
use types::{Cid, CidError};
use url::Url;

use super::{
    car,
    cbor::{self, Link},
    start::Start,
};
use crate::event::{Action, Body, Commit, Event, Frame, FrameError, NAMESPACE, Op, Position};

/// The largest frame that we take; the protocol allows 5 MB.
pub const MAX_FRAME: usize = 6 << 20;
/// The most operations that a commit may have.
const MAX_OPS: usize = 200;
/// The most bytes of records that a commit may have, one that is named twice counted twice.
const MAX_RECORDS: usize = 2 << 20;

/// The URL that begins where `start` says.
pub fn url(base: &Url, start: Start) -> Url {
    let mut url = base.clone();
    match start {
        // Times mean nothing to a server that counts.
        Start::Live | Start::After(Position::Time(_)) => {}
        Start::Oldest => drop(url.query_pairs_mut().append_pair("cursor", "0")),
        Start::After(Position::Sequence(at)) => drop(url.query_pairs_mut().append_pair("cursor", &at.to_string())),
    }
    url
}

#[derive(Deserialize)]
struct Header<'a> {
    op: i64,
    #[serde(borrow)]
    t: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawError<'a> {
    #[serde(borrow)]
    error: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCommit<'a> {
    seq: i64,
    repo: &'a str,
    rev: &'a str,
    time: &'a str,
    #[serde(default)]
    too_big: bool,
    #[serde(borrow)]
    ops: Vec<RawOp<'a>>,
    #[serde(borrow, default)]
    blocks: &'a [u8],
}

#[derive(Deserialize)]
struct RawOp<'a> {
    action: &'a str,
    path: &'a str,
    #[serde(borrow)]
    cid: Option<Link<'a>>,
}

/// What `#sync`, `#identity` and `#account` have in common.
#[derive(Deserialize)]
struct RawActor<'a> {
    seq: i64,
    did: &'a str,
    time: &'a str,
    active: Option<bool>,
}

#[derive(Deserialize)]
struct RawInfo<'a> {
    name: &'a str,
}

/// Reads a binary frame.
///
/// # Errors
/// Any [`FrameError`].
pub fn decode(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    let (header, payload): (Header<'_>, _) =
        cbor::first(bytes).map_err(|error| FrameError::Broken(error.to_string()))?;
    match (header.op, header.t.as_deref()) {
        (1, Some("#commit")) => commit(payload),
        (1, Some(kind @ ("#sync" | "#identity" | "#account"))) => actor(kind, payload),
        (1, Some("#info")) => {
            let info: RawInfo<'_> = read(payload)?;
            Ok(Frame { position: None, time: None, event: Event::Info { name: info.name.into() } })
        }
        (-1, _) => {
            let error: RawError<'_> = read(payload)?;
            let message = error.message.unwrap_or_default().into_owned();
            Err(FrameError::Refused { name: error.error.into_owned(), message })
        }
        _ => Ok(Frame { position: None, time: None, event: Event::Unknown }),
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, FrameError> {
    // The stream is in step: the header parsed, and the WebSocket tells where the next frame begins.
    cbor::only(payload).map_err(|error| FrameError::Envelope(error.to_string()))
}

fn frame<'a>(seq: i64, time: &str, event: Event<'a>) -> Frame<'a> {
    let time = DateTime::parse_from_rfc3339(time).ok().map(|time| time.timestamp_micros());
    Frame { position: Some(Position::Sequence(seq)), time, event }
}

fn actor<'a>(kind: &str, payload: &'a [u8]) -> Result<Frame<'a>, FrameError> {
    let raw: RawActor<'a> = read(payload)?;
    let did = raw.did.into();
    let event = match (kind, raw.active) {
        ("#sync", _) => Event::Sync { did, ours: false },
        ("#identity", _) => Event::Identity { did },
        (_, Some(active)) => Event::Account { did, active },
        (_, None) => return Err(FrameError::Envelope("an account event without active".into())),
    };
    Ok(frame(raw.seq, raw.time, event))
}

fn commit(payload: &[u8]) -> Result<Frame<'_>, FrameError> {
    let raw: RawCommit<'_> = read(payload)?;
    let did = raw.repo.into();
    let ours: Vec<&RawOp<'_>> = raw.ops.iter().filter(|op| op.path.starts_with(NAMESPACE)).collect();
    if raw.too_big || raw.ops.len() > MAX_OPS {
        return Ok(frame(raw.seq, raw.time, Event::Sync { did, ours: !ours.is_empty() }));
    }
    let cids = || ours.iter().filter_map(|op| op.cid.map(|Link(cid)| cid));
    let wanted: HashSet<&[u8]> = cids().collect();
    // Most commits hold nothing for us: their blocks are not looked at.
    let blocks = if ours.is_empty() { Ok(HashMap::new()) } else { car::blocks(raw.blocks, |cid| wanted.contains(cid)) };
    if let Ok(blocks) = &blocks
        && cids().filter_map(|cid| blocks.get(cid)).map(|block| block.len()).sum::<usize>() > MAX_RECORDS
    {
        return Ok(frame(raw.seq, raw.time, Event::Sync { did, ours: true }));
    }
    let ops = ours.into_iter().map(|op| self::op(op, &blocks)).collect();
    Ok(frame(raw.seq, raw.time, Event::Commit(Commit { did, rev: raw.rev.into(), ops })))
}

fn op<'a>(raw: &RawOp<'a>, blocks: &Result<HashMap<&'a [u8], &'a [u8]>, &'static str>) -> Op<'a> {
    let (collection, rkey) = raw.path.split_once('/').unwrap_or((raw.path, ""));
    let action = match raw.action {
        "create" | "update" => put(raw.cid, blocks),
        "delete" => Action::Delete,
        other => Action::Unknown(other.into()),
    };
    Op { collection: collection.into(), rkey: rkey.into(), action }
}

fn put<'a>(link: Option<Link<'a>>, blocks: &Result<HashMap<&'a [u8], &'a [u8]>, &'static str>) -> Action<'a> {
    let Some(Link(bytes)) = link else {
        return Action::Put {
            cid: Err(CidError::Malformed(String::new())),
            body: Body::Missing("the operation has no CID"),
        };
    };
    let cid = Cid::from_bytes(bytes);
    let body = match (&cid, blocks.as_ref().map(|blocks| blocks.get(bytes))) {
        (_, Err(why)) => Body::Missing(why),
        (_, Ok(None)) => Body::Missing("the commit lacks the record's block"),
        (Ok(cid), Ok(Some(block))) if !cid.matches(block) => Body::WrongHash,
        (_, Ok(Some(block))) => match cbor::block_to_json(block) {
            Ok(json) => Body::Proved(json),
            Err(error) => Body::Unreadable { block, why: error.to_string() },
        },
    };
    Action::Put { cid, body }
}

#[cfg(test)]
#[path = "firehose_tests.rs"]
mod tests;
