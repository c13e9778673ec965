//! The sources: one is read at a time, the others are there for when it fails.
//!
//! In data-flow order: [`start`] (where to begin), [`reader`] (whose turn it is) with [`probe`], [`connection`] (one stream,
//! watched), [`jetstream_v1`], [`jetstream_v2`] with [`inflate`], and [`firehose`] with [`cbor`] and [`car`] (frames become
//! events), [`gap`] (what a stream cannot give any more).

pub mod car;
pub mod cbor;
pub mod connection;
pub mod firehose;
pub mod gap;
pub mod inflate;
pub mod jetstream_v1;
pub mod jetstream_v2;
pub mod probe;
pub mod reader;
pub mod start;
#[cfg(test)]
mod told;

use outbound::tungstenite::Message;
use service::config::{SourceKind, SourceUrl};
use types::Form;
use url::Url;

use crate::event::{Frame, FrameError};
use start::Start;

/// Where to connect, and the largest frame that is taken there.
pub fn request(source: &SourceUrl, start: Start) -> (Url, usize) {
    match source.kind() {
        SourceKind::Firehose => (firehose::url(source.url(), start), firehose::MAX_FRAME),
        SourceKind::JetstreamV1 => (jetstream_v1::url(source.url(), start), jetstream_v1::MAX_FRAME),
        SourceKind::JetstreamV2 => (jetstream_v2::url(source.url(), start), jetstream_v2::MAX_FRAME),
    }
}

/// The form of a source's frames.
pub const fn form(kind: SourceKind) -> Form {
    match kind {
        SourceKind::Firehose => Form::Firehose,
        SourceKind::JetstreamV1 => Form::JetstreamV1,
        SourceKind::JetstreamV2 => Form::JetstreamV2,
    }
}

/// What a message carries.
#[derive(Clone, Copy, Debug)]
pub enum Wire<'a> {
    /// A text frame, or what a compressed one unpacks to.
    Text(&'a str),
    /// A binary frame.
    Binary(&'a [u8]),
}

impl<'a> Wire<'a> {
    /// The content of a message, if it is one of the stream's.
    pub fn of(message: &'a Message) -> Option<Self> {
        match message {
            Message::Text(text) => Some(Self::Text(text)),
            Message::Binary(bytes) => Some(Self::Binary(bytes)),
            _ => None,
        }
    }

    /// The same as bytes.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// Reads a frame of a source; `None` when it is none of its protocol's.
///
/// # Errors
/// Any [`FrameError`].
pub fn decode(kind: SourceKind, wire: Wire<'_>) -> Option<Result<Frame<'_>, FrameError>> {
    match (kind, wire) {
        (SourceKind::Firehose, Wire::Binary(bytes)) => Some(firehose::decode(bytes)),
        (SourceKind::JetstreamV1, Wire::Text(text)) => Some(jetstream_v1::decode(text)),
        (SourceKind::JetstreamV2, Wire::Text(text)) => Some(jetstream_v2::decode(text)),
        _ => None,
    }
}
