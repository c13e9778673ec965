//! Hostile input and what becomes of it, as one table. Each row is judged alone, sent through a running indexer into Postgres
//! between siblings that must not suffer, and told in `docs/BAD-INPUT.md`.

mod frames;
mod lines;
mod records;

use std::{collections::BTreeMap, fmt, path::Path};

use service::postgres::testing::TestDatabase;
use tokio_tungstenite::tungstenite::Message;
use types::{Change, DropReason, Hint, Verification};

use super::{Indexer, network::Network, put, rev, stream::Stream, tag};
use crate::{
    event::{Frame, FrameError},
    known::Known,
    source::{firehose, jetstream_v1},
    validate::{Outcome, validate},
};

/// What somebody sends, and what becomes of it.
pub struct Row {
    /// In which part of the document it stands.
    part: &'static str,
    what: &'static str,
    message: Message,
    fate: Fate,
    /// What else is to be said.
    note: &'static str,
}

impl Row {
    fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
}

/// What becomes of an input: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The record stands, and is shown.
    Applied,
    /// The record is kept in the ledger, and counts for nothing; the reason begins so.
    Invalid(&'static str),
    /// Postgres cannot hold what the record says: as invalid.
    Unstorable,
    /// Nothing happens.
    Dropped(DropReason),
    /// The event is kept among the rejects.
    Rejected(DropReason),
    /// The same, and the repository is read to learn what the event should have told.
    Refetched(DropReason),
    /// The event is kept among the rejects, and the record stands as invalid until the repository is read.
    Mismatch,
    /// The repository is read in the event's stead.
    Read,
    /// The connection is closed and made again.
    Disconnected,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied => f.write_str("applied"),
            Self::Invalid(reason) => write!(f, "invalid: `{reason}…`"),
            Self::Unstorable => f.write_str("invalid: `unstorable…`"),
            Self::Dropped(reason) => write!(f, "dropped: `{}`", reason.as_str()),
            Self::Rejected(reason) => write!(f, "rejected: `{}`", reason.as_str()),
            Self::Refetched(reason) => write!(f, "rejected: `{}`; the repository is read", reason.as_str()),
            Self::Mismatch => f.write_str("rejected: `cid_mismatch`; invalid until the repository is read"),
            Self::Read => f.write_str("the repository is read"),
            Self::Disconnected => f.write_str("the connection is made anew"),
        }
    }
}

fn table() -> Vec<Row> {
    [records::rows(), lines::rows(), frames::rows()].into_iter().flatten().collect()
}

const HEAD: &str = "# Bad input, and what becomes of it

Written by a test from the table in `indexer/src/tests/bad_input/`, whose every row also goes through a running indexer into
Postgres between siblings that must be applied. Nothing of it panics, and nothing takes more than 64 MB.

*applied*: the record stands. *invalid*: its bytes are kept in the ledger with the reason, and what it replaces is shown no
longer. *dropped*: counted. *rejected*: counted, and kept among the rejects, within their quotas.
";

/// Where the table of `web/tests/web/search.rs` begins.
const SEARCHES: &str = "\n## Searches\n";

fn document() -> String {
    let (mut text, mut part) = (HEAD.to_owned(), "");
    for row in table() {
        if row.part != part {
            part = row.part;
            text += &format!("\n## {part}\n\n| input | what becomes of it |\n|---|---|\n");
        }
        let note = if row.note.is_empty() { String::new() } else { format!("; {}", row.note) };
        text += &format!("| {} | {}{note} |\n", row.what.replace('|', "\\|"), row.fate);
    }
    text
}

#[test]
fn the_document_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/BAD-INPUT.md");
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    // What follows is another test's.
    let rest = found.find(SEARCHES).map_or("", |at| &found[at..]);
    let expected = document() + rest;
    if std::env::var_os("CROWSNEST_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == expected,
        "docs/BAD-INPUT.md is out of date: run this test with CROWSNEST_BLESS=1"
    );
}

fn decode(message: &Message) -> Result<Frame<'_>, FrameError> {
    match message {
        Message::Text(text) => jetstream_v1::decode(text),
        Message::Binary(bytes) => firehose::decode(bytes),
        _ => panic!("no frame"),
    }
}

fn fate(message: &Message) -> Fate {
    let frame = match decode(message) {
        Ok(frame) => frame,
        Err(FrameError::Envelope(_)) => return Fate::Rejected(DropReason::BadEnvelope),
        Err(FrameError::Broken(_) | FrameError::Refused { .. }) => return Fate::Disconnected,
    };
    let now = chrono::Utc::now().timestamp_micros().unsigned_abs();
    match validate(frame.event, b"frame", &Known::default(), now) {
        Outcome::Note => panic!("a note"),
        Outcome::Drop(reason) => Fate::Dropped(reason),
        Outcome::Take { changes, rejects } => match (changes.as_slice(), rejects.as_slice()) {
            ([Change::Put(put)], []) => match &put.record {
                Ok(_) => Fate::Applied,
                Err(refusal) => Fate::Invalid(Box::leak(refusal.to_string().into_boxed_str())),
            },
            ([Change::Put(put)], [_]) if put.verification == Verification::Mismatch => Fate::Mismatch,
            ([Change::Delete { .. }], []) => Fate::Applied,
            ([Change::Look { hint: Hint::Sync, .. }], []) => Fate::Read,
            ([Change::Look { hint: Hint::Sync, .. }], [reject]) => Fate::Refetched(reject.reason),
            ([], [reject]) => Fate::Rejected(reject.reason),
            other => panic!("{other:?}"),
        },
    }
}

#[test]
fn each_row_alone() {
    let mut wrong = Vec::new();
    for row in table() {
        let found = fate(&row.message);
        let right = match (row.fate, found) {
            (Fate::Invalid(expected), Fate::Invalid(found)) => found.starts_with(expected),
            // Only Postgres can tell.
            (Fate::Unstorable, found) => found == Fate::Applied,
            (expected, found) => expected == found,
        };
        if !right {
            wrong.push(format!("{}: {found:?}, not {:?}", row.what, row.fate));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whose record a message holds, when it can be told.
fn author(message: &Message) -> Option<String> {
    match decode(message).ok()?.event {
        // Postgres cannot even be asked about NUL.
        crate::event::Event::Commit(commit) => Some(commit.did.replace('\0', "")),
        _ => None,
    }
}

/// Sends the rows of one kind of source to an indexer, each between two siblings, and looks at what Postgres holds then.
async fn sent(stream: Stream, rows: Vec<Row>, sibling: impl Fn(usize) -> Message) {
    let (database, network) = (TestDatabase::create().await.unwrap(), Network::start().await);
    let indexer = Indexer::start(&database, &stream, &network).await;
    stream.message(1, sibling(0));
    indexer.until("SELECT count(*) FROM tag WHERE did = 'did:plc:sibling'", &["1"]).await;
    // What ends a connection comes last: by then a cursor stands, and the stream does not say it again.
    let (last, first): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.fate == Fate::Disconnected);
    let mut siblings = 1;
    for row in first.iter().chain(&last) {
        stream.message(if row.fate == Fate::Disconnected { -1 } else { i64::MAX }, row.message.clone());
        stream.message(i64::MAX, sibling(siblings));
        siblings += 1;
        if row.fate == Fate::Disconnected {
            let all = siblings.to_string();
            indexer.until("SELECT count(*) FROM tag WHERE did = 'did:plc:sibling'", &[&all]).await;
        }
    }
    let all = siblings.to_string();
    indexer.until("SELECT count(*) FROM tag WHERE did = 'did:plc:sibling'", &[&all]).await;
    let mut rejects = BTreeMap::<&str, i64>::new();
    for row in first.iter().chain(&last) {
        // Postgres takes no NUL, not even to look for it.
        let did = author(&row.message).unwrap_or_default().replace('\0', "\u{fffd}");
        let state = match row.fate {
            Fate::Applied => "ok",
            Fate::Invalid(reason) => &format!("invalid {reason}"),
            Fate::Unstorable => "invalid unstorable",
            Fate::Rejected(reason) | Fate::Refetched(reason) => {
                *rejects.entry(reason.as_str()).or_default() += 1;
                ""
            }
            Fate::Mismatch => {
                *rejects.entry(DropReason::CidMismatch.as_str()).or_default() += 1;
                "invalid mismatch"
            }
            Fate::Dropped(_) | Fate::Read | Fate::Disconnected => "",
        };
        let found = indexer.db.query("SELECT concat_ws(' ', state, reason) FROM record WHERE did = $1", &[&did]).await;
        let found: Vec<String> = found.unwrap().iter().map(|row| row.get(0)).collect();
        let right = if state.is_empty() { found.is_empty() } else { found.len() == 1 && found[0].starts_with(state) };
        assert!(right, "{}: {found:?}, not {state:?}", row.what);
    }
    let kept: Vec<String> = rejects.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    // A stream that is silent for a second is read again from its cursor.
    let counted = "SELECT reason || ' ' || count(DISTINCT raw) FROM reject GROUP BY reason ORDER BY reason";
    indexer.until(counted, &kept).await;
    indexer.stop().await;
}

const SIBLING: &str = "did:plc:sibling";

#[tokio::test]
async fn nothing_that_a_jetstream_sends_harms_its_siblings() {
    let rows = table().into_iter().filter(|row| row.message.is_text()).collect();
    let sibling = |n: usize| {
        let line = put(SIBLING, rev(n as u64), "io.atcr.tag", &format!("t{n}"), &tag(&format!("t{n}")));
        Message::text(line.to_string())
    };
    sent(Stream::jetstream().await, rows, sibling).await;
}

#[tokio::test]
async fn nothing_that_a_firehose_sends_harms_its_siblings() {
    let rows = table().into_iter().filter(|row| row.message.is_binary()).collect();
    let sibling = |n: usize| frames::sibling(SIBLING, n, &tag(&format!("t{n}")));
    sent(Stream::firehose().await, rows, sibling).await;
}
