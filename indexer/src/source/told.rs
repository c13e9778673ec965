//! What the tests of both Jetstreams say of a frame.

use crate::event::{Action, Body, Event, Frame, FrameError};

/// What an event is, in a word or two.
pub fn told(decoded: Result<Frame<'_>, FrameError>) -> String {
    match decoded {
        Err(FrameError::Envelope(_)) => "envelope".into(),
        Err(FrameError::Refused { name, .. }) => format!("refused {name}"),
        Err(other) => format!("{other:?}"),
        Ok(frame) => match frame.event {
            Event::Commit(commit) => match commit.ops.as_slice() {
                [] => "foreign".into(),
                [op] => match &op.action {
                    Action::Put { cid: Ok(_), body: Body::Json(_) } => format!("put {}", op.rkey),
                    Action::Put { cid: Err(_), body: Body::Json(_) } => format!("put {} without CID", op.rkey),
                    Action::Put { .. } => format!("put {} without record", op.rkey),
                    Action::Delete => format!("delete {}", op.rkey),
                    Action::Unknown(verb) => format!("{verb} {}", op.rkey),
                },
                more => format!("{} ops", more.len()),
            },
            Event::Account { active, .. } => format!("account {active}"),
            Event::Sync { ours, .. } => format!("sync {ours}"),
            Event::Info { name } => format!("info {name}"),
            event => event.label().into(),
        },
    }
}
