use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use ipld_core::ipld::Ipld;
use serde_json::{Value, json};
use types::Did;

use super::Home;
use crate::{
    Result,
    repo::{Action, Block, Diff, RepoOp, Write},
};

/// More than the parts of any event.
const PARTS: u64 = 256;

/// Something that happened in the network, as every stream tells it.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) seq: u64,
    /// Microseconds since 1970. A commit's writes follow each other by one microsecond, and no two events overlap.
    pub(crate) time: u64,
    pub(crate) did: Did,
    pub(crate) home: Home,
    pub(crate) kind: EventKind,
    /// The frame of `subscribeRepos`.
    pub(crate) frame: Bytes,
}

#[derive(Debug)]
pub(crate) enum EventKind {
    Commit {
        rev: String,
        ops: Vec<RepoOp>,
    },
    Sync {
        rev: String,
    },
    Identity {
        handle: String,
    },
    Account {
        status: Option<String>,
    },
    /// Bytes that a test wants on the wire, and perhaps a text for Jetstream.
    Raw {
        text: Option<String>,
    },
}

/// Microseconds since 1970 as the lexicons' `datetime`.
pub(crate) fn datetime(micros: u64) -> String {
    let time = i64::try_from(micros).ok().and_then(DateTime::from_timestamp_micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The same to the microsecond.
fn precise(micros: u64) -> String {
    let time = i64::try_from(micros).ok().and_then(DateTime::from_timestamp_micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn frame(kind: &str, mut payload: BTreeMap<String, Ipld>, seq: u64, time: u64) -> Result<Bytes> {
    let header = BTreeMap::from([("op".to_owned(), Ipld::Integer(1)), ("t".to_owned(), Ipld::String(kind.into()))]);
    payload.insert("seq".into(), Ipld::Integer(seq.into()));
    payload.insert("time".into(), Ipld::String(datetime(time)));
    concatenate(header, payload)
}

fn concatenate(header: BTreeMap<String, Ipld>, payload: BTreeMap<String, Ipld>) -> Result<Bytes> {
    let (header, payload) = (Block::encode(&Ipld::Map(header))?, Block::encode(&Ipld::Map(payload))?);
    Ok([header.bytes, payload.bytes].concat().into())
}

/// The error frame after which a stream ends.
pub(crate) fn error_frame(error: &str, message: &str) -> Result<Bytes> {
    let header = BTreeMap::from([("op".to_owned(), Ipld::Integer(-1))]);
    let payload = [("error", error), ("message", message)];
    concatenate(header, payload.map(|(key, text)| (key.to_owned(), Ipld::String(text.to_owned()))).into())
}

/// The frame that says that the cursor is older than what is kept.
pub(crate) fn info_frame(name: &str) -> Result<Bytes> {
    let header =
        BTreeMap::from([("op".to_owned(), Ipld::Integer(1)), ("t".to_owned(), Ipld::String("#info".to_owned()))]);
    concatenate(header, BTreeMap::from([("name".to_owned(), Ipld::String(name.to_owned()))]))
}

pub(crate) fn commit_frame(did: &Did, diff: &Diff, seq: u64, time: u64) -> Result<Bytes> {
    let link = |cid: Option<_>| cid.map_or(Ipld::Null, Ipld::Link);
    let ops = diff.ops.iter().map(|op| {
        let action = match op.write.action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
        };
        let mut fields = BTreeMap::from([
            ("action".to_owned(), Ipld::String(action.to_owned())),
            ("path".to_owned(), Ipld::String(op.write.path())),
            ("cid".to_owned(), link(op.cid)),
        ]);
        fields.extend(op.previous.map(|previous| ("prev".to_owned(), Ipld::Link(previous))));
        Ipld::Map(fields)
    });
    let since = diff.since.as_ref();
    let mut payload = BTreeMap::from([
        ("repo".to_owned(), Ipld::String(did.to_string())),
        ("commit".to_owned(), Ipld::Link(diff.commit.block.cid)),
        ("rev".to_owned(), Ipld::String(diff.commit.rev.to_string())),
        ("since".to_owned(), since.map_or(Ipld::Null, |commit| Ipld::String(commit.rev.to_string()))),
        ("blocks".to_owned(), Ipld::Bytes(diff.car.to_vec())),
        ("ops".to_owned(), Ipld::List(ops.collect())),
        ("blobs".to_owned(), Ipld::List(Vec::new())),
        ("rebase".to_owned(), Ipld::Bool(false)),
        ("tooBig".to_owned(), Ipld::Bool(false)),
    ]);
    payload.extend(since.map(|commit| ("prevData".to_owned(), Ipld::Link(commit.data))));
    frame("#commit", payload, seq, time)
}

pub(crate) fn sync_frame(did: &Did, rev: &str, car: &Bytes, seq: u64, time: u64) -> Result<Bytes> {
    let payload = BTreeMap::from([
        ("did".to_owned(), Ipld::String(did.to_string())),
        ("rev".to_owned(), Ipld::String(rev.to_owned())),
        ("blocks".to_owned(), Ipld::Bytes(car.to_vec())),
    ]);
    frame("#sync", payload, seq, time)
}

pub(crate) fn identity_frame(did: &Did, handle: &str, seq: u64, time: u64) -> Result<Bytes> {
    let payload = [("did", did.as_str()), ("handle", handle)];
    frame("#identity", payload.map(|(key, text)| (key.to_owned(), Ipld::String(text.to_owned()))).into(), seq, time)
}

pub(crate) fn account_frame(did: &Did, status: Option<&str>, seq: u64, time: u64) -> Result<Bytes> {
    let mut payload = BTreeMap::from([
        ("did".to_owned(), Ipld::String(did.to_string())),
        ("active".to_owned(), Ipld::Bool(status.is_none())),
    ]);
    payload.extend(status.map(|status| ("status".to_owned(), Ipld::String(status.to_owned()))));
    frame("#account", payload, seq, time)
}

impl Event {
    /// The last microsecond that belongs to the event.
    pub(crate) fn last_time(&self) -> u64 {
        match &self.kind {
            EventKind::Commit { ops, .. } => self.time + (ops.len() as u64).saturating_sub(1),
            _ => self.time,
        }
    }

    /// The number by which version 2 of Jetstream counts the first of the event's parts: a commit has up to 200 of them.
    pub(crate) const fn first_part(seq: u64) -> u64 {
        seq * PARTS
    }

    /// The event that a number of version 2 belongs to.
    pub(crate) const fn of_part(number: u64) -> u64 {
        number / PARTS
    }

    /// The event as Jetstream v2 tells it: one payload a write, each with its number, its kind and its collection.
    pub(crate) fn jetstream_v2(&self) -> Vec<(u64, &'static str, Option<&str>, Value)> {
        let first = Self::first_part(self.seq);
        let payload = |number: u64, time: u64, kind: &'static str| {
            json!({"$type": format!("network.bsky.jetstream.subscribeEvents#{kind}"), "seq": number, "did": self.did,
                "time": precise(time)})
        };
        // What the relay told, with its own count and time.
        let wrapped = |kind: &'static str, mut body: Value| {
            body["did"] = json!(self.did);
            body["seq"] = json!(self.seq);
            body["time"] = json!(datetime(self.time));
            let mut payload = payload(first, self.time, kind);
            payload[kind] = body;
            vec![(first, kind, None, payload)]
        };
        match &self.kind {
            EventKind::Commit { rev, ops } => (0..)
                .zip(ops)
                .map(|(n, op)| {
                    let mut payload = payload(first + n, self.time + n, "commit");
                    if let (Some(payload), Value::Object(commit)) = (payload.as_object_mut(), commit_json(rev, op)) {
                        payload.extend(commit);
                    }
                    (first + n, "commit", Some(op.write.collection.as_str()), payload)
                })
                .collect(),
            EventKind::Sync { rev } => wrapped("sync", json!({ "rev": rev })),
            EventKind::Identity { handle } => wrapped("identity", json!({ "handle": handle })),
            EventKind::Account { status: Some(status) } => {
                wrapped("account", json!({"active": false, "status": status}))
            }
            EventKind::Account { status: None } => wrapped("account", json!({"active": true})),
            EventKind::Raw { .. } => Vec::new(),
        }
    }

    /// The event as Jetstream v1 tells it: one object a write, none for `#sync` (with each write's collection, which
    /// identity and account events lack).
    pub(crate) fn jetstream(&self) -> Vec<(u64, Option<&str>, Value)> {
        let (did, time) = (&self.did, datetime(self.time));
        match &self.kind {
            EventKind::Commit { rev, ops } => (self.time..)
                .zip(ops)
                .map(|(time_us, op)| {
                    let json =
                        json!({"did": did, "time_us": time_us, "kind": "commit", "commit": commit_json(rev, op)});
                    (time_us, Some(op.write.collection.as_str()), json)
                })
                .collect(),
            EventKind::Sync { .. } | EventKind::Raw { .. } => Vec::new(),
            EventKind::Identity { handle } => {
                let identity = json!({"did": did, "handle": handle, "seq": self.seq, "time": time});
                vec![(
                    self.time,
                    None,
                    json!({"did": did, "time_us": self.time, "kind": "identity", "identity": identity}),
                )]
            }
            EventKind::Account { status } => {
                let mut account = json!({"active": status.is_none(), "did": did, "seq": self.seq, "time": time});
                if let Some(status) = status {
                    account["status"] = json!(status);
                }
                vec![(
                    self.time,
                    None,
                    json!({"did": did, "time_us": self.time, "kind": "account", "account": account}),
                )]
            }
        }
    }
}

fn commit_json(rev: &str, op: &RepoOp) -> Value {
    let Write { action, collection, rkey, record } = &op.write;
    let mut commit = json!({"rev": rev, "operation": action, "collection": collection, "rkey": rkey});
    if let (Some(record), Some(cid)) = (record, op.cid) {
        commit["record"] = record.clone();
        commit["cid"] = json!(cid.to_string());
    }
    commit
}
