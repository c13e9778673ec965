//! Jetstream version 2: JSON in text frames, numbered
//! ([lexicon](https://github.com/bluesky-social/jetstream/tree/main/lexicons/network/bsky/jetstream)). Compressed frames are
//! the same text; see [`super::inflate`].

use std::borrow::Cow;

use chrono::DateTime;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::start::Start;
use crate::event::{Action, Body, Commit, Event, Frame, FrameError, NAMESPACE, Op, Position};

/// The largest frame that we take; what is larger the server keeps to itself.
pub const MAX_FRAME: usize = super::jetstream_v1::MAX_FRAME;

/// A cursor from here on is a time in microseconds, a smaller one a sequence number.
const TIMES: i64 = 1_000_000_000_000_000;
/// What precedes the kind of a payload.
const LEXICON: &str = "network.bsky.jetstream.subscribeEvents#";
/// The kinds that we read; a kind that is added later is not sent.
const KINDS: [&str; 4] = ["commit", "identity", "account", "sync"];

/// The URL that begins where `start` says. A cursor is included; a time that is older than all that the server has is brought
/// up to its oldest, which it says.
pub fn url(base: &Url, start: Start) -> Url {
    let mut url = base.clone();
    let mut query = url.query_pairs_mut();
    query.extend_pairs(KINDS.map(|kind| ("kinds", kind)));
    query.append_pair("collections", &format!("{NAMESPACE}*"));
    query.append_pair("maxMessageSizeBytes", &MAX_FRAME.to_string());
    let cursor = match start {
        Start::Live => None,
        Start::Oldest => Some(TIMES),
        Start::After(Position::Time(at)) => Some(at.max(TIMES)),
        Start::After(Position::Sequence(at)) => Some(at),
    };
    query.extend_pairs(cursor.map(|cursor| ("cursor", cursor.to_string())));
    drop(query);
    url
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "$type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<Payload<'a>>,
    #[serde(borrow, default)]
    error: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

/// Every kind of payload at once: what a kind lacks is empty. A record is kept as text.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(rename = "$type", borrow)]
    kind: Cow<'a, str>,
    seq: Option<i64>,
    #[serde(borrow, default)]
    did: Cow<'a, str>,
    #[serde(borrow, default)]
    time: Cow<'a, str>,
    #[serde(borrow, default)]
    rev: Cow<'a, str>,
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
    #[serde(borrow, default)]
    collection: Cow<'a, str>,
    #[serde(borrow, default)]
    rkey: Cow<'a, str>,
    #[serde(borrow, default)]
    cid: Cow<'a, str>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    account: Option<Account>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Account {
    active: bool,
}

/// Reads a text frame.
///
/// # Errors
/// [`FrameError::Envelope`] when it is no event, [`FrameError::Refused`] when the server ends the stream.
pub fn decode(text: &str) -> Result<Frame<'_>, FrameError> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| FrameError::Envelope(error.to_string()))?;
    match (&*envelope.kind, envelope.payload) {
        ("message", Some(payload)) => message(payload),
        ("message", None) => Err(FrameError::Envelope("a message without a payload".into())),
        ("error", _) if envelope.error.is_empty() => Err(FrameError::Envelope("an error without a name".into())),
        ("error", _) => {
            Err(FrameError::Refused { name: envelope.error.into_owned(), message: envelope.message.into_owned() })
        }
        _ => Ok(Frame { position: None, time: None, event: Event::Unknown }),
    }
}

fn message(payload: Payload<'_>) -> Result<Frame<'_>, FrameError> {
    let kind = payload.kind.strip_prefix(LEXICON).unwrap_or_default();
    if kind == "info" {
        return Ok(Frame { position: None, time: None, event: Event::Info { name: payload.name } });
    }
    let position = match payload.seq {
        Some(seq) if (1..TIMES).contains(&seq) => Position::Sequence(seq),
        _ => return Err(FrameError::Envelope(format!("{kind} without a sequence number"))),
    };
    if payload.did.is_empty() && KINDS.contains(&kind) {
        return Err(FrameError::Envelope(format!("{kind} without a DID")));
    }
    let time = DateTime::parse_from_rfc3339(&payload.time).ok().map(|time| time.timestamp_micros());
    let event = match (kind, &payload.account) {
        ("commit", _) => Event::Commit(commit(payload)?),
        ("identity", _) => Event::Identity { did: payload.did },
        ("sync", _) => Event::Sync { did: payload.did, ours: false },
        ("account", Some(Account { active })) => Event::Account { active: *active, did: payload.did },
        ("account", None) => return Err(FrameError::Envelope("account without a body".into())),
        _ => Event::Unknown,
    };
    Ok(Frame { position: Some(position), time, event })
}

fn commit(payload: Payload<'_>) -> Result<Commit<'_>, FrameError> {
    if payload.operation.is_empty() || payload.collection.is_empty() || payload.rev.is_empty() {
        return Err(FrameError::Envelope("commit without an operation, collection or rev".into()));
    }
    let action = match &*payload.operation {
        "create" | "update" => Action::Put {
            cid: payload.cid.parse(),
            body: payload.record.map_or(Body::Missing("the event has no record"), |record| Body::Json(record.get())),
        },
        "delete" => Action::Delete,
        _ => Action::Unknown(payload.operation),
    };
    let ops = if payload.collection.starts_with(NAMESPACE) {
        vec![Op { collection: payload.collection, rkey: payload.rkey, action }]
    } else {
        Vec::new()
    };
    Ok(Commit { did: payload.did, rev: payload.rev, ops })
}

#[cfg(test)]
#[path = "jetstream_v2_tests.rs"]
mod tests;
