use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chrono::Utc;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use outbound::{
    OutboundError, WebSocket,
    tungstenite::{self, Message},
};
use store::{
    StoreError,
    jobs::{JobKind, enqueue},
    observe::{self, HoldDue, HoldLeft},
};
use tokio::time::{Instant, interval_at, sleep_until};
use types::{Arrival, Batch, Change, Did, DropReason, Form, Origin, Reject};
use url::Url;

use crate::{
    Timing,
    event::{Event, FrameError, Position},
    jobs::{Context, JobError},
    known::Known,
    source::{
        firehose,
        reader::{chain, pause},
        start::Start,
    },
    validate::{Outcome, reject, validate},
};

/// The largest frame that is taken of a hold, which commits a record at a time; there may be as many at once as there are
/// places.
const MAX_FRAME: usize = 2 << 20;
/// The most messages of a batch, and the most bytes of them; the last message may go over it.
const AT_ONCE: usize = 500;
const BYTES_AT_ONCE: usize = 1 << 20;
/// Whoever hosts others too is no hold's own server: after so many events of others it is left, and asked now and then.
const MOST_FOREIGN: usize = 200;
/// How often it is noted at most that something was heard.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// A connection that did not last so long failed.
const HEALTHY: Duration = Duration::from_secs(10);
/// How long a hold keeps its place at least while others wait for one.
const TURN: Duration = Duration::from_secs(600);
/// The records that a hold may write.
const OF_HOLDS: &str = "io.atcr.hold.";

/// Follows one hold.
pub struct Follower {
    pub context: Arc<Context>,
    pub timing: Timing,
    /// How many holds wait for a place.
    pub waiting: Arc<AtomicUsize>,
    /// When those without a stream were read last.
    pub readings: Readings,
}

/// When holds were read last, by this process.
pub type Readings = Arc<Mutex<HashMap<Did, Instant>>>;

/// Why a hold is left.
enum End {
    /// It cannot be reached.
    Unreachable(String),
    /// It answers, but has no stream of its own.
    NoStream(String),
    /// Its stream is that of many others.
    Crowd,
    /// The connection is over.
    Over(String),
    /// What it sends cannot be followed; its repository has to be read.
    OutOfStep(String),
    /// Others want its place.
    Turn,
    /// We cannot go on.
    Ours(JobError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Ours(error.into())
    }
}

impl Follower {
    /// Connects, reads until the connection ends, and notes how it ended.
    pub async fn follow(self, hold: HoldDue) -> Result<(), StoreError> {
        let opened = Instant::now();
        let end = match self.open(&hold).await {
            Ok((socket, endpoint, at)) => {
                let known = Known::default();
                known.extend([hold.did.as_str()]);
                let batch = Batch::new(Origin::Hold);
                let (hold, saved, foreign, noted) = (&hold.did, at, 0, None);
                let mut reading =
                    Reading { by: &self, hold, known, endpoint, at, saved, foreign, opened, noted, batch };
                reading.read(socket).await
            }
            Err(end) => end,
        };
        self.leave(&hold, end, opened.elapsed()).await
    }

    async fn open(&self, hold: &HoldDue) -> Result<(WebSocket, String, Option<i64>), End> {
        let host = self.context.repository_host(&hold.did).await.map_err(|error| End::Unreachable(chain(&error)))?;
        let endpoint = host.origin().ascii_serialization();
        let at = hold.read_to.as_ref().filter(|(there, _)| *there == endpoint).map(|(_, at)| *at);
        let start = at.map_or(Start::Live, |at| Start::After(Position::Sequence(at)));
        let url = stream_url(&host).ok_or_else(|| End::NoStream("its address is none".into()))?;
        match self.context.outbound.websocket(&firehose::url(&url, start), MAX_FRAME).await {
            Ok(socket) => {
                self.note_health(&hold.did, None).await?;
                if at.is_none() {
                    // Only now: what happens between a reading and the stream's beginning would be in neither.
                    self.queue_reading(&hold.did).await?;
                }
                Ok((socket, endpoint, at))
            }
            Err(error) if answers(&error) => Err(End::NoStream(chain(&error))),
            Err(error) => Err(End::Unreachable(chain(&error))),
        }
    }

    async fn leave(&self, hold: &HoldDue, end: End, lasted: Duration) -> Result<(), StoreError> {
        let failures = u32::try_from(hold.failures).unwrap_or_default();
        let backoff = pause(&Timing { longest_backoff: self.timing.hold_age, ..self.timing }, failures);
        let (how, pause, why) = match end {
            End::Ours(JobError::Store(error)) => return Err(error),
            // The tenure is over.
            End::Ours(_) => return Ok(()),
            End::Turn => (HoldLeft::Open, Duration::ZERO, "others wait for its place".into()),
            End::Over(why) if lasted >= HEALTHY => (HoldLeft::Open, self.timing.backoff, why),
            End::Over(why) => (HoldLeft::Failed, backoff, why),
            End::OutOfStep(why) => (HoldLeft::OutOfStep, self.timing.longest_backoff, why),
            End::Unreachable(why) => {
                self.note_health(&hold.did, Some(&why)).await?;
                (HoldLeft::Failed, backoff, why)
            }
            End::Crowd => {
                self.note_health(&hold.did, None).await?;
                self.queue_reading(&hold.did).await?;
                (HoldLeft::OutOfStep, self.timing.hold_age, "it speaks of others".into())
            }
            End::NoStream(why) => {
                self.note_health(&hold.did, None).await?;
                if self.is_to_be_read(&hold.did) {
                    self.queue_reading(&hold.did).await?;
                }
                (HoldLeft::OutOfStep, self.timing.hold_age.min(self.timing.hold_probe), why)
            }
        };
        tracing::debug!(hold = %hold.did, reason = %why, pause_ms = pause.as_millis(), "A hold's stream is left");
        observe::hold_left(&self.context.store, &hold.did, how, pause.as_secs_f64()).await
    }

    /// Whether a hold without a stream is due to be read; it is asked more often whether it is there.
    fn is_to_be_read(&self, hold: &Did) -> bool {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.retain(|_, at| at.elapsed() < self.timing.hold_age);
        let is_due = !readings.contains_key(hold);
        readings.entry(hold.clone()).or_insert_with(Instant::now);
        is_due
    }

    async fn queue_reading(&self, hold: &Did) -> Result<(), StoreError> {
        enqueue(&self.context.store, JobKind::Resync, &[hold.as_str().to_owned()]).await
    }

    async fn note_health(&self, hold: &Did, problem: Option<&str>) -> Result<(), StoreError> {
        if observe::hold_health(&self.context.store, hold, problem).await? {
            tracing::info!(hold = %hold, reachable = problem.is_none(), reason = problem, "A hold's health has changed");
            observe::changed(&self.context.store, self.context.generation, &[format!("hold:{hold}")]).await?;
        }
        Ok(())
    }
}

/// A connection that is open.
struct Reading<'a> {
    by: &'a Follower,
    hold: &'a Did,
    known: Known,
    endpoint: String,
    /// How far it was read, and how far of that is noted.
    at: Option<i64>,
    saved: Option<i64>,
    foreign: usize,
    opened: Instant,
    /// When a sign of life was noted last.
    noted: Option<Instant>,
    batch: Batch,
}

impl Reading<'_> {
    async fn read(&mut self, mut socket: WebSocket) -> End {
        let beat = self.by.timing.hold_beat;
        let mut ping = interval_at(Instant::now() + beat, beat);
        let mut heard = Instant::now();
        loop {
            let read = tokio::select! {
                biased;
                _ = ping.tick() => self.beat(&mut socket).await,
                message = socket.next() => {
                    heard = Instant::now();
                    match self.note(&message).await {
                        Ok(()) => self.take_all(message, &mut socket).await,
                        Err(error) => Err(error.into()),
                    }
                }
                // A hold may be quiet for weeks, but it answers pings.
                () = sleep_until(heard + 3 * beat) => Err(End::Over("nothing was heard of it for too long".into())),
            };
            if let Err(end) = read {
                return end;
            }
        }
    }

    /// Notes a sign of life: whatever comes, an answer to a ping too.
    async fn note(&mut self, message: &Received) -> Result<(), StoreError> {
        let is_due = self.noted.is_none_or(|noted| noted.elapsed() >= NOTE_EVERY);
        if is_due && matches!(message, Some(Ok(_))) {
            self.by.note_health(self.hold, None).await?;
            self.noted = Some(Instant::now());
        }
        Ok(())
    }

    /// Asks for a sign of life.
    async fn beat(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        self.save().await?;
        let one_less = |waiting: usize| waiting.checked_sub(1);
        if self.opened.elapsed() > TURN
            && self.by.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
        {
            return Err(End::Turn);
        }
        socket.send(Message::Ping(Vec::new().into())).await.map_err(|error| End::Over(chain(&error)))
    }

    /// Takes a message and those that wait behind it, and has the writer apply what they say.
    async fn take_all(&mut self, first: Received, socket: &mut WebSocket) -> Result<(), End> {
        let mut room = self.by.context.budget.take(BYTES_AT_ONCE + MAX_FRAME).await;
        let mut bytes = length(&first);
        let mut end = self.take(first);
        for _ in 1..AT_ONCE {
            if end.is_err() || bytes >= BYTES_AT_ONCE {
                break;
            }
            let Some(message) = socket.next().now_or_never() else { break };
            bytes += length(&message);
            end = self.take(message);
        }
        room.shrink(bytes);
        let batch = std::mem::replace(&mut self.batch, Batch::new(Origin::Hold));
        if !batch.is_empty() {
            self.by.context.apply(batch).await.map_err(End::Ours)?;
            // Only what is applied is behind us.
            self.save().await?;
        }
        end
    }

    fn take(&mut self, message: Received) -> Result<(), End> {
        let closed = || End::Over("it closed the connection".into());
        let bytes = match message.ok_or_else(closed)? {
            Ok(Message::Binary(bytes)) => bytes,
            Ok(Message::Close(_)) => return Err(closed()),
            Ok(_) => return Ok(()),
            Err(error @ tungstenite::Error::Capacity(_)) => return Err(End::OutOfStep(chain(&error))),
            Err(error) => return Err(End::Over(chain(&error))),
        };
        let frame = match firehose::decode(&bytes) {
            Ok(frame) => frame,
            Err(FrameError::Envelope(why)) => {
                let reject = reject(Some(self.hold.clone()), DropReason::BadEnvelope, why, &bytes);
                self.keep(bytes, Vec::new(), vec![reject]);
                return Ok(());
            }
            Err(error) => return Err(End::OutOfStep(error.to_string())),
        };
        if let Some(Position::Sequence(at)) = frame.position {
            self.at = Some(at);
        }
        match own(frame.event, self.hold) {
            Some(Event::Info { name }) if name == "OutdatedCursor" => Err(End::OutOfStep(name.into_owned())),
            Some(event) => {
                let now = Utc::now().timestamp_micros().unsigned_abs();
                if let Outcome::Take { changes, rejects } = validate(event, &bytes, &self.known, now) {
                    self.keep(bytes, changes, rejects);
                }
                Ok(())
            }
            None => {
                self.foreign += 1;
                if self.foreign > MOST_FOREIGN { Err(End::Crowd) } else { Ok(()) }
            }
        }
    }

    /// Puts a frame into the batch, with what it came to.
    fn keep(&mut self, frame: Bytes, changes: Vec<Change>, rejects: Vec<Reject>) {
        let event = Arrival::new(Form::Firehose, frame, Utc::now().timestamp_micros());
        self.batch.take(Arrival { position: self.at, ..event }, changes, rejects);
    }

    async fn save(&mut self) -> Result<(), StoreError> {
        if let Some(at) = self.at.filter(|_| self.at != self.saved) {
            observe::hold_read(&self.by.context.store, self.hold, &self.endpoint, at).await?;
            self.saved = self.at;
        }
        Ok(())
    }
}

type Received = Option<Result<Message, tungstenite::Error>>;

fn length(message: &Received) -> usize {
    message.as_ref().and_then(|message| message.as_ref().ok()).map_or(0, Message::len)
}

/// What a hold says of itself: of its own repository, and only in the collections in which a hold is believed.
fn own<'a>(event: Event<'a>, hold: &Did) -> Option<Event<'a>> {
    match event {
        Event::Commit(mut commit) => {
            commit.ops.retain(|op| op.collection.starts_with(OF_HOLDS));
            (commit.did == hold.as_str()).then_some(Event::Commit(commit))
        }
        Event::Identity { ref did } | Event::Account { ref did, .. } | Event::Sync { ref did, .. } => {
            (did == hold.as_str()).then_some(event)
        }
        Event::Info { .. } | Event::Unknown => Some(event),
    }
}

/// Whether a server is there, though it refuses the stream.
fn answers(error: &OutboundError) -> bool {
    error.status().is_some() && !error.is_transient()
}

fn stream_url(host: &Url) -> Option<Url> {
    let mut url = host.join("/xrpc/com.atproto.sync.subscribeRepos").ok()?;
    let scheme = if host.scheme() == "http" { "ws" } else { "wss" };
    url.set_scheme(scheme).ok()?;
    Some(url)
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
