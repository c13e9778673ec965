use std::time::Duration;

use outbound::{Outbound, Resolver};
use service::config::SourceUrl;
use store::{Caps, archive};
use url::Url;

use crate::IndexerStatus;

/// What the indexer has to know.
#[derive(Clone)]
pub struct IndexerConfig {
    /// The database, as a `postgres://` URL.
    pub database_url: String,
    /// Where events come from; the first is preferred, the others are failed over to in order.
    pub sources: Vec<SourceUrl>,
    /// The dialer.
    pub outbound: Outbound,
    /// Who is who.
    pub resolver: Resolver,
    /// The relay that lists repositories.
    pub relay_url: Url,
    /// How many jobs are worked on at once.
    pub workers: usize,
    /// How much of the archive of events is kept.
    pub archive: archive::Limits,
    /// How much is taken of one account in a day.
    pub caps: Caps,
    /// Patience.
    pub timing: Timing,
    /// What other parts of the process may see; a clone of it is kept up to date.
    pub status: IndexerStatus,
}

impl IndexerConfig {
    /// The configuration with the usual number of workers and usual patience.
    pub fn new(
        database_url: String,
        sources: Vec<SourceUrl>,
        outbound: Outbound,
        resolver: Resolver,
        relay_url: Url,
    ) -> Self {
        let (timing, status) = (Timing::default(), IndexerStatus::default());
        let (archive, caps) = (archive::Limits::default(), Caps::default());
        Self { database_url, sources, outbound, resolver, relay_url, workers: 8, archive, caps, timing, status }
    }
}

/// How patient the indexer is.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A source that is silent for so long is left.
    pub stall: Duration,
    /// How far a cursor that counts time is set back when a connection is made: such a stream is out of order.
    pub rewind: Duration,
    /// How far before the time up to which everything was seen a source without a cursor begins.
    pub overlap: Duration,
    /// The pause after the first failure; it doubles with each round of failures.
    pub backoff: Duration,
    /// The longest pause.
    pub longest_backoff: Duration,
    /// How often a cursor moves though nothing happened.
    pub cursor_interval: Duration,
    /// How old the check of a handle may grow.
    pub handle_age: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            rewind: Duration::from_secs(5),
            overlap: Duration::from_secs(60),
            backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(60),
            cursor_interval: Duration::from_secs(1),
            handle_age: Duration::from_secs(600),
        }
    }
}
