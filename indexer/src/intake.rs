//! The way from a frame to a batch, without a socket: for benchmarks.

use bytes::Bytes;
use service::config::SourceKind;
use types::CursorMove;

use crate::{
    batch::Step,
    event::{Frame, Position},
    known::Known,
    source::jetstream_v1,
    validate::{Outcome, validate},
};

/// Reads frames as a connection does: decodes, validates, and remembers whom it has heard of.
#[derive(Debug, Default)]
pub struct Intake {
    known: Known,
}

impl Intake {
    /// What a text frame of Jetstream version 1 comes to; `None` when it is dropped. `now` is in microseconds since 1970.
    pub fn jetstream_v1(&self, text: &str, now: u64) -> Option<Step> {
        let Ok(Frame { position, time, event }) = jetstream_v1::decode(text) else { return None };
        let Outcome::Take { changes, rejects } = validate(event, text.as_bytes(), &self.known, now) else {
            return None;
        };
        self.known.extend(changes.iter().map(|change| change.did().as_str()));
        let cursor = position.map(|(Position::Time(to) | Position::Sequence(to))| CursorMove {
            source: SourceKind::JetstreamV1.as_str().to_owned(),
            to,
            safe_time: time,
        });
        Some(Step::taken(changes, rejects, cursor, Bytes::copy_from_slice(text.as_bytes())))
    }
}
