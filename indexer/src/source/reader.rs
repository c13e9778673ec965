//! Whose turn it is: sources are connected to, given up and come back to, in the order of preference.

use std::time::Duration;

use outbound::{OutboundError, WebSocket, tungstenite};
use service::{
    Incident,
    config::{SourceKind, SourceUrl},
};
use store::{StoreError, backfill, cursors, sources};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::{
    connection::Connection,
    gap::{self, Cause, Since},
    inflate::Inflater,
    request,
    start::{Plan, Start, plan},
};
use crate::{
    IndexerConfig, SourceState,
    batch::Steps,
    event::{FrameError, Position},
    known::Known,
    measure,
};

/// How long a connection has to last for the next one to begin afresh: with the first source, without a pause.
const HEALTHY: Duration = Duration::from_secs(10);
/// How often a stream may break at one place, or a server refuse to begin there, before what is there is passed over.
const MOST_BREAKS: u32 = 3;

/// Reads one source at a time.
pub struct Reader {
    pub config: IndexerConfig,
    pub db: Client,
    pub known: Known,
    pub steps: Steps,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
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
    #[error("it no longer has what follows our cursor")]
    TooOld,
    /// Others may still have it, and so may it in a moment: times are less exact than numbers.
    #[error("it no longer has what follows the time up to which we have everything")]
    Expired {
        at: Position,
        #[source]
        error: OutboundError,
    },
    #[error("a source that is preferred is well again")]
    Better(usize),
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
            Self::TooOld | Self::Expired { .. } => "too_old",
            Self::Better(_) => "better",
            Self::Store(_) | Self::Unread => "ours",
        }
    }

    /// What it says of the source that was left.
    const fn state(&self) -> SourceState {
        match self {
            Self::Stalled => SourceState::Stalled,
            Self::Better(_) => SourceState::Standby,
            Self::TooOld => SourceState::Connecting,
            _ => SourceState::Failed,
        }
    }
}

/// Where a stream broke, why, and how often in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Breaks {
    at: Option<Position>,
    cause: Option<Cause>,
    times: u32,
}

/// What became of a connection.
struct Followed {
    end: End,
    lasted: Duration,
    position: Option<Position>,
}

impl Reader {
    /// Reads until the writer is gone, or the store fails.
    pub async fn run(self) -> Result<(), StoreError> {
        let all = &self.config.sources;
        let names = all.iter().map(|source| (source.url().as_str(), source.kind().as_str()));
        sources::announce(&self.db, &names.collect::<Vec<_>>(), SourceState::Standby.as_str()).await?;
        let mut breaks = vec![Breaks::default(); all.len()];
        let mut away: Vec<Incident> = all.iter().map(|_| Incident::default()).collect();
        let (mut turn, mut failures) = (0usize, 0u32);
        loop {
            let at = turn % all.len();
            let followed = self.follow(at, breaks[at].hopeless(), &mut away[at]).await;
            breaks[at] = breaks[at].after(&followed);
            match followed.end {
                End::Store(error) => return Err(error),
                End::Unread => return Ok(()),
                _ => {}
            }
            let Followed { end, lasted, .. } = followed;
            measure::reconnect(end.label());
            self.set_state(&all[at], end.state()).await?;
            (turn, failures) = next(at, failures, lasted, &end);
            let rounds = failures / u32::try_from(all.len()).unwrap_or(u32::MAX);
            let pause = match end {
                End::Better(_) | End::TooOld => Duration::ZERO,
                _ => pause(&self.config.timing, rounds),
            };
            match &end {
                End::Better(_) => {
                    tracing::info!(source = %all[at], preferred = %all[turn % all.len()], "Back to a better source")
                }
                _ if away[at].begins() => tracing::warn!(source = %all[at], reason = %chain(&end), "A source was left"),
                _ => {
                    let pause_ms = pause.as_millis();
                    tracing::debug!(source = %all[at], reason = %chain(&end), pause_ms, "It is away still");
                }
            }
            sleep(pause).await;
        }
    }

    /// Follows a source until the connection ends.
    async fn follow(&self, turn: usize, pass_over: Option<Cause>, away: &mut Incident) -> Followed {
        let mut followed = Followed { end: End::Closed, lasted: Duration::ZERO, position: None };
        let (socket, plan, inflater) = match self.connect(turn, pass_over).await {
            Ok(opened) => opened,
            Err(end) => return Followed { end, ..followed },
        };
        let (source, away_ms) = (&self.config.sources[turn], away.ends().map(|away| away.as_millis()));
        tracing::info!(source = %source, kind = %source.kind(), start = %plan.start, incident.ms = away_ms, "Connected to a source");
        let opened = Instant::now();
        let mut connection = Connection::new(self, turn, (plan.start, plan.since), inflater);
        followed.end = connection.read(socket).await;
        followed.lasted = opened.elapsed();
        followed.position = connection.position().or(match plan.start {
            Start::After(position) => Some(position),
            Start::Live | Start::Oldest => None,
        });
        followed
    }

    async fn connect(&self, turn: usize, pass_over: Option<Cause>) -> Result<(WebSocket, Plan, Option<Inflater>), End> {
        let source = &self.config.sources[turn];
        let mut plan = plan(source, &cursors::load(&self.db).await?, &self.config.timing);
        self.set_state(source, SourceState::Connecting).await?;
        let passed_over = pass_over.map(|cause| (cause, Since::of(plan.start, plan.since)));
        if pass_over.is_some() {
            plan = Plan { start: Start::Live, since: None, backfill: false };
        }
        let inflater = self.inflater(source).await;
        let (mut url, max_frame) = request(source, plan.start);
        if let Some(inflater) = &inflater {
            url.query_pairs_mut().append_pair("zstdDictionary", &inflater.id.to_string());
        }
        let socket = match self.config.outbound.websocket(&url, max_frame).await {
            Ok(socket) => socket,
            Err(error) => return Err(self.refused(source, plan, error).await?),
        };
        // Only now: what happens between a reading and the stream's beginning would be in neither.
        if let Some((cause, since)) = passed_over {
            gap::raise(&self.db, source, cause, since, None).await?;
        }
        if plan.backfill && self.read_repositories(plan.start).await? {
            tracing::info!(source = %source, "Repositories will be read too: the stream alone leaves a gap");
        }
        self.set_state(source, SourceState::Connected).await?;
        Ok((socket, plan, inflater))
    }

    /// A source has no cursor before its first event, and may be connected to many times until then. Whether a reading begins.
    async fn read_repositories(&self, start: Start) -> Result<bool, StoreError> {
        match start {
            Start::Oldest => backfill::start_once(&self.db).await,
            Start::Live | Start::After(_) => backfill::start_or_follow(&self.db).await,
        }
    }

    /// What unpacks the frames of a source that is asked to compress them.
    async fn inflater(&self, source: &SourceUrl) -> Option<Inflater> {
        if !self.config.compression || source.kind() != SourceKind::JetstreamV2 {
            return None;
        }
        match Inflater::of(source.url(), &self.config.outbound).await {
            Ok(inflater) => Some(inflater),
            Err(error) => {
                tracing::warn!(source = %source, reason = %chain(&error), "No dictionary: frames come uncompressed");
                None
            }
        }
    }

    /// A source that says before the stream begins that it no longer has what follows its own number is asked for what it has.
    /// What it says of a time is a failure like others.
    async fn refused(&self, source: &SourceUrl, plan: Plan, error: OutboundError) -> Result<End, StoreError> {
        let too_old = matches!(&error, OutboundError::Status { error: Some(name), .. } if name == "CursorTooOld");
        match plan.start {
            Start::After(Position::Sequence(_)) if too_old => {
                gap::raise(&self.db, source, Cause::Outdated, Since::of(plan.start, plan.since), None).await?;
                gap::forget_cursor(&self.db, source).await?;
                Ok(End::TooOld)
            }
            Start::After(at @ Position::Time(_)) if too_old => Ok(End::Expired { at, error }),
            Start::Oldest if too_old => Ok(End::Expired { at: Position::Time(0), error }),
            _ => Ok(error.into()),
        }
    }

    async fn set_state(&self, source: &SourceUrl, state: SourceState) -> Result<(), StoreError> {
        self.config.status.set_source(source.url().as_str(), state);
        sources::set_state(&self.db, source.url().as_str(), state.as_str()).await
    }
}

impl Breaks {
    /// Counts a connection that ended because its frames cannot be read, or the server no longer has them, at the place where
    /// the last one did.
    fn after(self, followed: &Followed) -> Self {
        let (cause, at) = match followed.end {
            End::Frame(FrameError::Broken(_)) => (Some(Cause::Unreadable), followed.position),
            End::Expired { at, .. } => (Some(Cause::Outdated), Some(at)),
            // Another source, or nobody there: nothing is known of that place.
            End::Unreachable(_) => return self,
            _ => return Self::default(),
        };
        let before = if (self.cause, self.at) == (cause, at) { self.times } else { 0 };
        Self { at, cause, times: before + 1 }
    }

    /// Why what is there is passed over, if it is.
    fn hopeless(self) -> Option<Cause> {
        self.cause.filter(|_| self.times >= MOST_BREAKS)
    }
}

/// Whose turn it is next, and after how many failures in a row.
fn next(turn: usize, failures: u32, lasted: Duration, end: &End) -> (usize, u32) {
    match (end, lasted >= HEALTHY) {
        (End::Better(turn), _) => (*turn, 0),
        (End::TooOld, _) => (turn, failures),
        (_, false) => (turn + 1, failures + 1),
        // A silent source would be silent again.
        (End::Stalled, true) => (turn + 1, 0),
        // It may just have been restarted: the order of preference holds again.
        (_, true) => (0, 0),
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

    use super::{Breaks, Cause, End, Followed, HEALTHY, next, pause};
    use crate::{
        Timing,
        event::{FrameError, Position},
    };

    #[test]
    fn the_order_of_sources() {
        let short = Duration::from_secs(1);
        assert_eq!(next(0, 0, short, &End::Closed), (1, 1));
        assert_eq!(next(1, 1, short, &End::Stalled), (2, 2));
        assert_eq!(next(2, 2, HEALTHY, &End::Stalled), (3, 0));
        assert_eq!(next(2, 2, HEALTHY, &End::Closed), (0, 0));
        assert_eq!(next(2, 2, HEALTHY, &End::Better(1)), (1, 0));
        assert_eq!(next(2, 2, Duration::ZERO, &End::TooOld), (2, 2));
        let error = outbound::OutboundError::Timeout { url: String::new() };
        assert_eq!(next(2, 2, Duration::ZERO, &End::Expired { at: Position::Time(1), error }), (3, 3));
    }

    #[test]
    fn breaks_count_at_one_place() {
        let broken = |at: i64| Followed {
            end: End::Frame(FrameError::Broken(String::new())),
            lasted: Duration::ZERO,
            position: Some(Position::Sequence(at)),
        };
        let ended = |end: End| Followed { end, ..broken(1) };
        let two = Breaks::default().after(&broken(1)).after(&ended(End::Closed)).after(&broken(1)).after(&broken(1));
        assert_eq!(two.times, 2);
        assert_eq!(two.after(&broken(2)).times, 1);
        assert_eq!(two.after(&broken(1)).times, 3);
        let nobody = || outbound::OutboundError::Timeout { url: String::new() };
        assert_eq!(two.after(&ended(nobody().into())).times, 2);
        assert_eq!(two.after(&ended(End::Stalled)).times, 0);
        assert_eq!(two.hopeless(), None);
        assert_eq!(two.after(&broken(1)).hopeless(), Some(Cause::Unreadable));
        // What a server no longer has is another thing than what cannot be read.
        let expired = |at| ended(End::Expired { at: Position::Time(at), error: nobody() });
        let thrice = two.after(&expired(7)).after(&expired(7));
        assert_eq!((thrice.times, thrice.hopeless()), (2, None));
        assert_eq!(thrice.after(&expired(7)).hopeless(), Some(Cause::Outdated));
        assert_eq!(thrice.after(&expired(8)).hopeless(), None);
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
