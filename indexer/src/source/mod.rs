//! The sources: one is read at a time, the others are there for when it fails.
//!
//! In data-flow order: [`start`] (where to begin), [`reader`] (connections), [`jetstream_v1`] and [`firehose`] with [`cbor`]
//! and [`car`] (frames become events).

pub mod car;
pub mod cbor;
pub mod firehose;
pub mod jetstream_v1;
pub mod reader;
pub mod start;

use outbound::tungstenite::Message;
use service::config::{SourceKind, SourceUrl};
use url::Url;

use crate::event::{Frame, FrameError};
use start::Start;

/// Where to connect, and the largest frame that is taken there.
pub fn request(source: &SourceUrl, start: Start) -> (Url, usize) {
    match source.kind() {
        SourceKind::Firehose => (firehose::url(source.url(), start), firehose::MAX_FRAME),
        SourceKind::JetstreamV1 | SourceKind::JetstreamV2 => {
            (jetstream_v1::url(source.url(), start), jetstream_v1::MAX_FRAME)
        }
    }
}

/// Reads a message of a source; `None` when it is none of its protocol's frames.
///
/// # Errors
/// Any [`FrameError`].
pub fn decode(kind: SourceKind, message: &Message) -> Option<Result<Frame<'_>, FrameError>> {
    match (kind, message) {
        (SourceKind::Firehose, Message::Binary(bytes)) => Some(firehose::decode(bytes)),
        (SourceKind::JetstreamV1 | SourceKind::JetstreamV2, Message::Text(text)) => Some(jetstream_v1::decode(text)),
        _ => None,
    }
}
