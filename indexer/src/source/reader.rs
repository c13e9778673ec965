//! Connections to sources: made, watched, given up and made again.

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use futures::{SinkExt as _, StreamExt as _};
use outbound::{
    OutboundError, WebSocket,
    tungstenite::{self, Message},
};
use service::config::{SourceKind, SourceUrl};
use store::{StoreError, backfill, cursors};
use tokio::{
    sync::mpsc::Sender,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tokio_postgres::Client;
use types::CursorMove;

use super::{
    decode, request,
    start::{Plan, Start, cursor_name, plan},
};
use crate::{
    IndexerConfig, SourceState,
    batch::Step,
    event::{Event, Frame, FrameError, Position},
    known::Known,
    measure::{self, Meters},
    validate::{Outcome, reject, validate},
};

/// How long a connection has to last for the next one to begin afresh: with the first source, without a pause.
const HEALTHY: Duration = Duration::from_secs(10);
/// Servers keep events for a day at least. A cursor that is older may meet a gap, of which not all of them tell.
const RETENTION: Duration = Duration::from_secs(23 * 3600);
/// A first event that is later than an old cursor by more than this lies behind a gap.
const GAP: Duration = Duration::from_secs(60);

/// Reads one source at a time.
pub struct Reader {
    pub config: IndexerConfig,
    pub db: Client,
    pub known: Known,
    pub steps: Sender<Step>,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("it cannot be reached")]
    Unreachable(#[from] OutboundError),
    #[error("nothing was heard of it for too long")]
    Stalled,
    #[error("it closed the connection")]
    Closed,
    #[error("the connection broke")]
    Broken(#[from] tungstenite::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The writer is gone: nobody is left to read for.
    #[error("the writer is gone")]
    Unread,
}

impl End {
    const fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Stalled => "stalled",
            Self::Closed => "closed",
            Self::Broken(_) => "broken",
            Self::Frame(_) => "bad_frame",
            Self::Store(_) | Self::Unread => "ours",
        }
    }
}

impl Reader {
    /// Reads until the writer is gone, or the store fails.
    pub async fn run(self) -> Result<(), StoreError> {
        let (mut turn, mut failures) = (0usize, 0u32);
        loop {
            let sources = &self.config.sources;
            let source = &sources[turn % sources.len()];
            let (end, lasted) = self.follow(source).await;
            match end {
                End::Store(error) => return Err(error),
                End::Unread => return Ok(()),
                _ => {}
            }
            measure::reconnect(end.label());
            self.config.status.set_source(source.url().as_str(), SourceState::Connecting);
            (turn, failures) = next(turn, failures, lasted, matches!(end, End::Stalled));
            let rounds = failures / u32::try_from(sources.len()).unwrap_or(u32::MAX);
            let pause = pause(&self.config.timing, rounds);
            tracing::warn!(source = %source, reason = %chain(&end), pause_ms = pause.as_millis(), "A source was left");
            sleep(pause).await;
        }
    }

    /// Follows a source until the connection ends, and tells how long it lasted.
    async fn follow(&self, source: &SourceUrl) -> (End, Duration) {
        let (socket, start) = match self.connect(source).await {
            Ok(opened) => opened,
            Err(end) => return (end, Duration::ZERO),
        };
        let opened = Instant::now();
        let meters = Meters::new(source.kind().as_str());
        let end = Connection { reader: self, source, start, meters, latest: None }.read(socket).await;
        (end, opened.elapsed())
    }

    async fn connect(&self, source: &SourceUrl) -> Result<(WebSocket, Start), End> {
        let cursors = cursors::load(&self.db).await?;
        let Plan { start, backfill } = plan(source, &cursors, &self.config.timing);
        self.config.status.set_source(source.url().as_str(), SourceState::Connecting);
        let (url, max_frame) = request(source, start);
        let socket = self.config.outbound.websocket(&url, max_frame).await?;
        // Only now: what happens between a reading and the stream's beginning would be in neither.
        if backfill {
            tracing::info!(source = %source, "Repositories will be read too: the stream alone leaves a gap");
            backfill::start(&self.db).await?;
        }
        self.config.status.set_source(source.url().as_str(), SourceState::Connected);
        tracing::info!(source = %source, kind = %source.kind(), ?start, "Connected to a source");
        Ok((socket, start))
    }
}

/// An open connection.
struct Connection<'a> {
    reader: &'a Reader,
    source: &'a SourceUrl,
    /// Where it began; the first event's time is compared with it.
    start: Start,
    meters: Meters,
    /// Where the source stands.
    latest: Option<CursorMove>,
}

impl Connection<'_> {
    async fn read(mut self, mut socket: WebSocket) -> End {
        let timing = self.reader.config.timing;
        let mut deadline = Instant::now() + timing.stall;
        let mut cursor_tick = interval(timing.cursor_interval);
        cursor_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = interval(timing.stall / 3);
        let mut heard = false;
        loop {
            tokio::select! {
                // The ticks first: a flood of frames must not hold up the cursor, nor an expired deadline beat frames that
                // waited while the writer was busy.
                biased;
                _ = cursor_tick.tick(), if heard => {
                    heard = false;
                    if let Err(end) = self.tell_cursor().await {
                        return end;
                    }
                }
                _ = ping.tick() => if let Err(error) = socket.send(Message::Ping(Vec::new().into())).await {
                    return error.into();
                },
                message = socket.next() => match self.message(message).await {
                    Ok(true) => {
                        heard = true;
                        self.reader.config.status.heard();
                        deadline = Instant::now() + timing.stall;
                    }
                    Ok(false) => {}
                    Err(end) => return end,
                },
                () = sleep_until(deadline) => return End::Stalled,
            }
        }
    }

    /// Takes in a message; whether it is a sign of life.
    async fn message(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Result<bool, End> {
        let message = message.ok_or(End::Closed)??;
        match &message {
            Message::Ping(_) => return Ok(true),
            // A repository host on its own may be quiet for days, so its answer to our ping counts. A Jetstream is never
            // quiet, and a stalled one is known to answer pings.
            Message::Pong(_) => return Ok(self.source.kind() == SourceKind::Firehose),
            Message::Close(_) => return Err(End::Closed),
            _ => {}
        }
        match decode(self.source.kind(), &message) {
            None => {}
            Some(Ok(frame)) => self.frame(frame, &message.clone().into_data()).await?,
            Some(Err(FrameError::Envelope(why))) => {
                self.meters.dropped(types::DropReason::BadEnvelope);
                let reject = reject(None, types::DropReason::BadEnvelope, why, &message.clone().into_data());
                self.send(Step::taken(Vec::new(), vec![reject], None, message.into_data())).await?;
            }
            Some(Err(refused @ FrameError::Refused { .. })) => return Err(self.refused(refused).await?),
            Some(Err(broken)) => return Err(broken.into()),
        }
        Ok(true)
    }

    async fn frame(&mut self, frame: Frame<'_>, raw: &Bytes) -> Result<(), End> {
        let now = Utc::now().timestamp_micros();
        self.meters.event(frame.event.label());
        self.watch_for_gap(&frame).await?;
        if let Some(position) = frame.position {
            self.latest = Some(self.cursor(position, frame.time, now));
        }
        match validate(frame.event, raw, &self.reader.known, now.unsigned_abs()) {
            Outcome::Note => Ok(()),
            Outcome::Drop(reason) => {
                self.meters.dropped(reason);
                Ok(())
            }
            Outcome::Take { changes, rejects } => {
                rejects.iter().for_each(|reject| self.meters.dropped(reject.reason));
                self.reader.known.extend(changes.iter().map(|change| change.did().as_str()));
                let cursor = self.latest.clone();
                self.send(Step::taken(changes, rejects, cursor, raw.clone())).await
            }
        }
    }

    /// A clock that is ahead must not carry the cursor past what is still to come.
    fn cursor(&self, position: Position, time: Option<i64>, now: i64) -> CursorMove {
        let to = match position {
            Position::Time(at) => at.min(now),
            Position::Sequence(at) => at,
        };
        CursorMove { source: cursor_name(self.source, position), to, safe_time: time.map(|time| time.min(now)) }
    }

    /// Tells the writer where the source stands, though nothing happened: dropped events move the cursor too.
    async fn tell_cursor(&mut self) -> Result<(), End> {
        match self.latest.clone() {
            None => Ok(()),
            cursor => self.send(Step { cursor, ..Step::default() }).await,
        }
    }

    async fn send(&self, step: Step) -> Result<(), End> {
        self.reader.steps.send(step).await.map_err(|_| End::Unread)
    }

    /// A server that no longer has what follows an old cursor begins with what it has, mostly without a word.
    async fn watch_for_gap(&mut self, frame: &Frame<'_>) -> Result<(), End> {
        let told = matches!(&frame.event, Event::Info { name } if name == "OutdatedCursor");
        let found = match (self.start, frame.time) {
            (Start::After(Position::Time(at)), Some(time)) => {
                self.start = Start::Live;
                let age = Utc::now().timestamp_micros() - at;
                age > RETENTION.as_micros() as i64 && time - at > GAP.as_micros() as i64
            }
            _ => false,
        };
        if told || found {
            measure::gap();
            tracing::warn!(source = %self.source, "The source no longer has all that we missed: repositories will be read");
            backfill::start(&self.reader.db).await?;
        }
        Ok(())
    }

    /// A source that never came as far as our cursor was set up anew: all that it has is new to us, and what it sent before
    /// is lost to it.
    async fn refused(&self, refusal: FrameError) -> Result<End, End> {
        if matches!(&refusal, FrameError::Refused { name, .. } if name == "FutureCursor") {
            measure::gap();
            backfill::start(&self.reader.db).await?;
            cursors::reset(&self.reader.db, &cursor_name(self.source, Position::Sequence(0))).await?;
        }
        Ok(refusal.into())
    }
}

/// Whose turn it is next, and after how many failures in a row.
fn next(turn: usize, failures: u32, lasted: Duration, stalled: bool) -> (usize, u32) {
    match (lasted >= HEALTHY, stalled) {
        (false, _) => (turn + 1, failures + 1),
        // A silent source would be silent again.
        (true, true) => (turn + 1, 0),
        // It may just have been restarted: the order of preference holds again.
        (true, false) => (0, 0),
    }
}

/// The pause after some rounds of failures, with jitter: from half of it to all of it.
pub fn pause(timing: &crate::Timing, rounds: u32) -> Duration {
    let whole = timing.backoff.saturating_mul(1 << rounds.min(16)).min(timing.longest_backoff);
    whole.mul_f64(rand::random_range(0.5..=1.0))
}

/// An error with its causes, for one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{HEALTHY, next, pause};
    use crate::Timing;

    #[test]
    fn the_order_of_sources() {
        let short = Duration::from_secs(1);
        assert_eq!(next(0, 0, short, false), (1, 1));
        assert_eq!(next(1, 1, short, true), (2, 2));
        assert_eq!(next(2, 2, HEALTHY, true), (3, 0));
        assert_eq!(next(2, 2, HEALTHY, false), (0, 0));
    }

    #[test]
    fn pauses_double_and_end() {
        let timing = Timing::default();
        for (rounds, most) in [(0, 500), (1, 1_000), (3, 4_000), (40, 60_000)] {
            for _ in 0..50 {
                let pause = pause(&timing, rounds);
                assert!(pause >= Duration::from_millis(most / 2) && pause <= Duration::from_millis(most), "{pause:?}");
            }
        }
    }
}
