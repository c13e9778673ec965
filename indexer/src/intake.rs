//! The way from a frame to a batch, without a socket: for benchmarks.

use service::config::SourceKind;
use types::CursorMove;

use crate::{
    batch::Step,
    event::{Frame, Position},
    known::Known,
    source::{Wire, decode, form},
    validate::{Outcome, validate},
};

/// Reads frames as a connection does: decodes, validates, and remembers whom it has heard of.
#[derive(Debug, Default)]
pub struct Intake {
    known: Known,
}

impl Intake {
    /// One that has heard of these accounts, by their DIDs.
    pub fn knowing(dids: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let intake = Self::default();
        intake.known.extend(dids);
        intake
    }

    /// What a text frame of either version comes to; `None` when it is dropped. `now` is in microseconds since 1970.
    pub fn text(&self, kind: SourceKind, text: &str, now: u64) -> Option<Step> {
        let Some(Ok(Frame { position, time, event })) = decode(kind, Wire::Text(text)) else { return None };
        let Outcome::Take { changes, rejects } = validate(event, text.as_bytes(), &self.known, now) else {
            return None;
        };
        self.known.extend(changes.iter().map(|change| change.did().as_str()));
        let cursor = position.map(|(Position::Time(to) | Position::Sequence(to))| CursorMove {
            source: kind.as_str().to_owned(),
            to,
            safe_time: time,
        });
        Some(Step::taken(changes, rejects, cursor, (form(kind), text.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use service::config::SourceKind;

    use super::Intake;

    /// Identity and account events, every fourth of somebody whom we know.
    fn frames(kind: SourceKind) -> Vec<String> {
        let body = |did: &str, n: u64| json!({"did": did, "seq": n, "time": "2026-05-25T14:23:29.132Z", "handle": "a.example.com"});
        let event = |n: u64| {
            let did = format!("did:plc:{:0>24}", if n.is_multiple_of(4) { n % 16 } else { 1_000 + n });
            let what = if n.is_multiple_of(2) { "identity" } else { "account" };
            let mut body = body(&did, n);
            body["active"] = json!(true);
            match kind {
                SourceKind::JetstreamV2 => json!({"$type": "message", "payload": {
                    "$type": format!("network.bsky.jetstream.subscribeEvents#{what}"), "seq": n + 1, "did": did,
                    "time": "2026-05-25T14:23:29.132431Z", what: body}}),
                _ => json!({"did": did, "time_us": 1_779_719_009_132_431i64, "kind": what, what: body}),
            }
        };
        (0..20_000).map(|n| event(n).to_string()).collect()
    }

    #[test]
    fn strangers_are_dropped() {
        let known: Vec<String> = (0..16).map(|n| format!("did:plc:{n:0>24}")).collect();
        for kind in [SourceKind::JetstreamV1, SourceKind::JetstreamV2] {
            let (intake, frames) = (Intake::knowing(&known), frames(kind));
            let taken = frames.iter().filter(|frame| intake.text(kind, frame, 1_780_000_000_000_000).is_some());
            assert_eq!(taken.count(), 5_000, "{kind}");
        }
    }
}
