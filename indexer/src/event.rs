//! What both streams tell, in one shape that borrows from its frame.

use std::borrow::Cow;

use types::{Cid, CidError};

/// A frame of a stream.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Where the stream stands after it.
    pub position: Option<Position>,
    /// When it was sent, by the server's clock, in microseconds since 1970.
    pub time: Option<i64>,
    /// What it tells.
    pub event: Event<'a>,
}

/// A place in a stream, as its server counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Microseconds since 1970: neither unique nor in order.
    Time(i64),
    /// A sequence number.
    Sequence(i64),
}

/// An event. Names are as they came, unparsed.
#[derive(Debug)]
pub enum Event<'a> {
    /// Records changed.
    Commit(Commit<'a>),
    /// A handle, key or PDS may have changed.
    Identity {
        /// Whose.
        did: Cow<'a, str>,
    },
    /// An account appeared, was hidden, or came back.
    Account {
        /// Whose.
        did: Cow<'a, str>,
        /// Decides alone whether it may be shown.
        active: bool,
    },
    /// A repository has to be read again: it was rebuilt, or a commit of it was too large to be sent.
    Sync {
        /// Whose.
        did: Cow<'a, str>,
        /// Whether it is known to concern records of ours, whoever's they are.
        ours: bool,
    },
    /// The server speaks of the stream itself.
    Info {
        /// `OutdatedCursor`, ….
        name: Cow<'a, str>,
    },
    /// A kind of event that we do not know.
    Unknown,
}

impl Event<'_> {
    /// The name as a metric's label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Commit(_) => "commit",
            Self::Identity { .. } => "identity",
            Self::Account { .. } => "account",
            Self::Sync { .. } => "sync",
            Self::Info { .. } => "info",
            Self::Unknown => "unknown",
        }
    }
}

/// A commit's changes of records in our namespace; others are left out.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Whose repository.
    pub did: Cow<'a, str>,
    /// The revision that it made.
    pub rev: Cow<'a, str>,
    /// The changes, in order.
    pub ops: Vec<Op<'a>>,
}

/// A change of one record.
#[derive(Debug)]
pub struct Op<'a> {
    /// The collection's NSID.
    pub collection: Cow<'a, str>,
    /// The record's key.
    pub rkey: Cow<'a, str>,
    /// What happened to it.
    pub action: Action<'a>,
}

/// What happened to a record. Creating and updating are one: an update may be the first thing ever seen of it.
#[derive(Debug)]
pub enum Action<'a> {
    /// It stands so.
    Put {
        /// Its CID, by the word of the stream.
        cid: Result<Cid, CidError>,
        /// What it says.
        body: Body<'a>,
    },
    /// It is gone.
    Delete,
    /// A verb that we do not know.
    Unknown(Cow<'a, str>),
}

/// What a stream gives of a record.
#[derive(Debug)]
pub enum Body<'a> {
    /// JSON that still has to be hashed.
    Json(&'a str),
    /// JSON made from a block that hashes to the CID.
    Proved(Vec<u8>),
    /// A block that hashes to the CID, but has no JSON form.
    Unreadable {
        /// The block.
        block: &'a [u8],
        /// What is wrong with it.
        why: String,
    },
    /// A block that does not hash to the CID.
    WrongHash,
    /// Nothing, though there should be something.
    Missing(&'static str),
}

/// Why a frame gives no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is readable, but not what its protocol asks for: count it and go on.
    #[error("not an event: {0}")]
    Envelope(String),
    /// The stream is out of step: drop the connection.
    #[error("not a frame: {0}")]
    Broken(String),
    /// The server says why it ends the stream.
    #[error("the server refuses: {name}{}{message}", if .message.is_empty() { "" } else { ": " })]
    Refused {
        /// `FutureCursor`, `ConsumerTooSlow`, ….
        name: String,
        /// The same for people.
        message: String,
    },
}

/// The namespace of our records.
pub const NAMESPACE: &str = "io.atcr.";
