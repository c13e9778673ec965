//! Jetstream version 1: JSON in text frames
//! ([protocol](https://github.com/bluesky-social/jetstream#consuming-jetstream)).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::start::Start;
use crate::event::{Action, Body, Commit, Event, Frame, FrameError, NAMESPACE, Op, Position};

/// The largest frame that we take. A record of 1 MB may grow as JSON; what is larger the server keeps to itself.
pub const MAX_FRAME: usize = 8 << 20;

/// The URL that begins where `start` says. A position below 10^15 is a sequence number, others are microseconds, and what is
/// older than anything that the server has means its oldest.
pub fn url(base: &Url, start: Start) -> Url {
    let mut url = base.clone();
    let mut query = url.query_pairs_mut();
    query.append_pair("wantedCollections", &format!("{NAMESPACE}*"));
    query.append_pair("maxMessageSizeBytes", &MAX_FRAME.to_string());
    match start {
        Start::Live => {}
        Start::Oldest => drop(query.append_pair("cursor", "1")),
        Start::After(Position::Time(at) | Position::Sequence(at)) => drop(query.append_pair("cursor", &at.to_string())),
    }
    drop(query);
    url
}

/// The envelope. What it holds is kept as text: most frames are of people whom we do not know.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    did: Cow<'a, str>,
    time_us: i64,
    /// Servers built on version 2 count in sequence numbers.
    cursor: Option<i64>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    commit: Option<&'a RawValue>,
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    active: bool,
}

#[derive(Deserialize)]
struct RawCommit<'a> {
    #[serde(borrow)]
    rev: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    collection: Cow<'a, str>,
    #[serde(borrow)]
    rkey: Cow<'a, str>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    #[serde(borrow)]
    cid: Option<Cow<'a, str>>,
}

/// Reads a text frame.
///
/// # Errors
/// [`FrameError::Envelope`] when it is no event.
pub fn decode(text: &str) -> Result<Frame<'_>, FrameError> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(refused)?;
    let position = envelope.cursor.map_or(Position::Time(envelope.time_us), Position::Sequence);
    let did = envelope.did;
    let event = match (&*envelope.kind, envelope.commit, envelope.account) {
        ("commit", Some(raw), _) => Event::Commit(commit(did, raw)?),
        ("identity", ..) => Event::Identity { did },
        ("account", _, Some(Account { active })) => Event::Account { did, active },
        ("commit" | "account", ..) => return Err(FrameError::Envelope(format!("{} without a body", envelope.kind))),
        _ => Event::Unknown,
    };
    Ok(Frame { position: Some(position), time: Some(envelope.time_us), event })
}

fn commit<'a>(did: Cow<'a, str>, raw: &'a RawValue) -> Result<Commit<'a>, FrameError> {
    let raw: RawCommit<'a> = serde_json::from_str(raw.get()).map_err(refused)?;
    let action = match &*raw.operation {
        "create" | "update" => Action::Put {
            cid: raw.cid.unwrap_or_default().parse(),
            body: raw.record.map_or(Body::Missing("the event has no record"), |record| Body::Json(record.get())),
        },
        "delete" => Action::Delete,
        _ => Action::Unknown(raw.operation),
    };
    let ops = if raw.collection.starts_with(NAMESPACE) {
        vec![Op { collection: raw.collection, rkey: raw.rkey, action }]
    } else {
        Vec::new()
    };
    Ok(Commit { did, rev: raw.rev, ops })
}

fn refused(error: serde_json::Error) -> FrameError {
    FrameError::Envelope(error.to_string())
}

#[cfg(test)]
#[path = "jetstream_v1_tests.rs"]
mod tests;
