//! The way back: while a source is read that is not the first choice, those before it are asked whether they are well.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use outbound::{Outbound, tungstenite::Message};
use service::config::{SourceKind, SourceUrl};
use tokio::time::{Instant, sleep, timeout};

use super::{request, start::Start};
use crate::Timing;

/// What a message says of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It speaks: something of the stream, or a ping.
    Speaks,
    /// It is there, but may have nothing to say, or be stuck.
    Answers,
    /// Nothing: a Jetstream of version 1 is never quiet, and one that is stuck is known to answer pings.
    Nothing,
}

impl Sign {
    /// What a message is a sign of. A repository host on its own may be quiet for days and never ping, so that its answer to
    /// our ping is all there is; a Jetstream of version 2 pings.
    pub fn of(kind: SourceKind, message: &Message) -> Self {
        match (message, kind) {
            (Message::Pong(_), SourceKind::JetstreamV1) => Self::Nothing,
            (Message::Pong(_), SourceKind::JetstreamV2) => Self::Answers,
            _ => Self::Speaks,
        }
    }
}

/// How long a source may say nothing of itself: a Jetstream of version 2 pings every 30 seconds.
pub fn patience(kind: SourceKind, timing: &Timing) -> Duration {
    match kind {
        SourceKind::JetstreamV2 => timing.stall.max(timing.v2_silence),
        SourceKind::JetstreamV1 | SourceKind::Firehose => timing.stall,
    }
}

/// Waits until a source before the `current` one has been well for a while, and tells which. Never ends when there is none.
pub async fn better(sources: &[SourceUrl], current: usize, outbound: &Outbound, timing: &Timing) -> usize {
    if current == 0 {
        std::future::pending::<()>().await;
    }
    let mut well = vec![None; current];
    loop {
        sleep(timing.probe).await;
        for (turn, source) in sources.iter().take(current).enumerate() {
            if !is_well(source, outbound, timing).await {
                well[turn] = None;
                continue;
            }
            let since = *well[turn].get_or_insert_with(Instant::now);
            if since.elapsed() >= timing.reliable {
                return turn;
            }
        }
    }
}

/// Whether a source takes a subscription and speaks.
async fn is_well(source: &SourceUrl, outbound: &Outbound, timing: &Timing) -> bool {
    let (url, max_frame) = request(source, Start::Live);
    let asking = async {
        let mut socket = outbound.websocket(&url, max_frame).await.ok()?;
        socket.send(Message::Ping(Vec::new().into())).await.ok()?;
        while let Some(Ok(message)) = socket.next().await {
            if matches!(message, Message::Close(_)) {
                return None;
            }
            if Sign::of(source.kind(), &message) == Sign::Speaks {
                socket.close(None).await.ok();
                return Some(());
            }
        }
        None
    };
    timeout(patience(source.kind(), timing), asking).await.is_ok_and(|well| well.is_some())
}
