//! One stream, from its first frame to its end.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use outbound::{
    WebSocket,
    tungstenite::{self, Message},
};
use service::config::SourceUrl;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use types::{CursorMove, DropReason};

use super::{
    Wire, decode, form,
    gap::{self, Cause, Since},
    inflate::Inflater,
    probe::{self, Sign},
    reader::{End, Reader},
    start::{Start, cursor_name},
};
use crate::{
    batch::Step,
    event::{Event, Frame, FrameError, Position},
    measure::Meters,
    validate::{Outcome, reject, validate},
};

/// How often a source is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(1);

/// An open connection.
pub struct Connection<'a> {
    reader: &'a Reader,
    source: &'a SourceUrl,
    /// Its place in the order of preference.
    turn: usize,
    /// Up to where everything is known, until the first event tells whether something is missing.
    since: Since,
    /// Whether the stream was asked for from a place of ours.
    resumed: bool,
    meters: Meters,
    inflater: Option<Inflater>,
    /// Where the source stands, and the server's time there.
    latest: Option<(Position, Option<i64>)>,
}

impl<'a> Connection<'a> {
    pub fn new(
        reader: &'a Reader,
        turn: usize,
        (start, since): (Start, Option<i64>),
        inflater: Option<Inflater>,
    ) -> Self {
        let source = &reader.config.sources[turn];
        let meters = Meters::new(source.kind().as_str());
        let (resumed, since) = (matches!(start, Start::After(_)), Since::of(start, since));
        Self { reader, source, turn, since, resumed, meters, inflater, latest: None }
    }

    /// Where the source stands.
    pub fn position(&self) -> Option<Position> {
        self.latest.map(|(position, _)| position)
    }

    /// Reads until the stream ends, or a better source is there.
    pub async fn read(&mut self, mut socket: WebSocket) -> End {
        let reader = self.reader;
        let config = &reader.config;
        let (timing, kind) = (config.timing, self.source.kind());
        let (mut heard, mut spoke) = (Instant::now(), Instant::now());
        let mut cursor_tick = interval(timing.cursor_interval);
        cursor_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = interval(PING_EVERY.min(timing.stall / 3));
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut better = Box::pin(probe::better(&config.sources, self.turn, &config.outbound, &timing));
        let mut moved = false;
        loop {
            let deadline = (heard + timing.stall).min(spoke + probe::patience(kind, &timing));
            tokio::select! {
                // The ticks first: a flood of frames must not hold up the cursor, nor an expired deadline beat frames that
                // waited while the writer was busy.
                biased;
                _ = cursor_tick.tick(), if moved => {
                    moved = false;
                    if let Err(end) = self.tell_cursor().await {
                        return end;
                    }
                }
                _ = ping.tick() => if let Err(error) = socket.send(Message::Ping(Vec::new().into())).await {
                    return error.into();
                },
                turn = &mut better => return End::Better(turn),
                message = socket.next() => match self.message(message).await {
                    Ok(Sign::Nothing) => {}
                    Ok(sign) => {
                        heard = Instant::now();
                        config.status.heard();
                        if sign == Sign::Speaks {
                            (spoke, moved) = (heard, true);
                        }
                    }
                    Err(end) => return end,
                },
                () = sleep_until(deadline) => return End::Stalled,
            }
        }
    }

    /// Takes in a message, and tells what it is a sign of.
    async fn message(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Result<Sign, End> {
        let message = message.ok_or(End::Closed)??;
        if matches!(message, Message::Close(_)) {
            return Err(End::Closed);
        }
        if let Some(wire) = Wire::of(&message) {
            match (self.inflater.take(), wire) {
                (Some(mut inflater), Wire::Binary(packed)) => {
                    let taken = match inflater.text(packed) {
                        Ok(text) => self.wire(Wire::Text(text)).await,
                        Err(broken) => Err(broken.into()),
                    };
                    self.inflater = Some(inflater);
                    taken?;
                }
                (inflater, wire) => {
                    self.inflater = inflater;
                    self.wire(wire).await?;
                }
            }
        }
        Ok(Sign::of(self.source.kind(), &message))
    }

    /// Reads a frame.
    async fn wire(&mut self, wire: Wire<'_>) -> Result<(), End> {
        match decode(self.source.kind(), wire) {
            None => Ok(()),
            Some(Ok(frame)) => self.frame(frame, wire.bytes()).await,
            Some(Err(FrameError::Envelope(why))) => {
                self.meters.dropped(DropReason::BadEnvelope);
                let rejects = vec![reject(None, DropReason::BadEnvelope, why, wire.bytes())];
                let came = (form(self.source.kind()), wire.bytes());
                self.send(Step::taken(Vec::new(), rejects, None, came), wire.bytes().len()).await
            }
            Some(Err(refused @ FrameError::Refused { .. })) => Err(self.refused(refused).await?),
            Some(Err(broken)) => Err(broken.into()),
        }
    }

    async fn frame(&mut self, frame: Frame<'_>, bytes: &[u8]) -> Result<(), End> {
        let now = gap::now();
        self.meters.event(frame.event.label());
        self.watch_for_gap(&frame, now).await?;
        if let Some(position) = frame.position {
            // A clock that is ahead must not carry the cursor past what is still to come.
            let position = match position {
                Position::Time(at) => Position::Time(at.min(now)),
                counted => counted,
            };
            self.latest = Some((position, frame.time.map(|time| time.min(now))));
        }
        match validate(frame.event, bytes, &self.reader.known, now.unsigned_abs()) {
            Outcome::Note => Ok(()),
            Outcome::Drop(reason) => {
                self.meters.dropped(reason);
                Ok(())
            }
            Outcome::Take { changes, rejects } => {
                rejects.iter().for_each(|reject| self.meters.dropped(reject.reason));
                self.reader.known.extend(changes.iter().map(|change| change.did().as_str()));
                let cursor = self.cursor();
                let came = (form(self.source.kind()), bytes);
                self.send(Step::taken(changes, rejects, cursor, came), bytes.len()).await
            }
        }
    }

    fn cursor(&self) -> Option<CursorMove> {
        let (position, safe_time) = self.latest?;
        let to = match position {
            Position::Time(at) | Position::Sequence(at) => at,
        };
        Some(CursorMove { source: cursor_name(self.source, position), to, safe_time })
    }

    /// Tells the writer where the source stands, though nothing happened: dropped events move the cursor too.
    async fn tell_cursor(&mut self) -> Result<(), End> {
        match self.cursor() {
            None => Ok(()),
            cursor => self.send(Step { cursor, ..Step::default() }, 0).await,
        }
    }

    async fn send(&self, step: Step, bytes: usize) -> Result<(), End> {
        self.reader.steps.send(step, bytes).await.map_err(|_| End::Unread)
    }

    /// A server that no longer has what follows an old cursor begins with what it has; not all of them say so.
    async fn watch_for_gap(&mut self, frame: &Frame<'_>, now: i64) -> Result<(), End> {
        let cause = match &frame.event {
            Event::Info { name } if self.resumed && name == "OutdatedCursor" => Some(Cause::Outdated),
            Event::Info { name } if name == "FutureCursor" => Some(Cause::Future),
            Event::Info { .. } => None,
            _ => {
                let since = std::mem::take(&mut self.since);
                let missed = frame.time.is_some_and(|first| since.is_missed_by(first, now));
                // What it says itself was said before the first event.
                if missed {
                    gap::raise(&self.reader.db, self.source, Cause::Outdated, since, Some(frame)).await?;
                }
                None
            }
        };
        if let Some(cause) = cause {
            let since = std::mem::take(&mut self.since);
            gap::raise(&self.reader.db, self.source, cause, since, None).await?;
        }
        if cause == Some(Cause::Future) {
            gap::forget_cursor(&self.reader.db, self.source).await?;
        }
        Ok(())
    }

    /// A source that never came as far as our cursor was set up anew: all that it has is new to us, and what it sent before
    /// is lost to it.
    async fn refused(&self, refusal: FrameError) -> Result<End, End> {
        if matches!(&refusal, FrameError::Refused { name, .. } if name == "FutureCursor") {
            gap::raise(&self.reader.db, self.source, Cause::Future, self.since, None).await?;
            gap::forget_cursor(&self.reader.db, self.source).await?;
        }
        Ok(refusal.into())
    }
}
