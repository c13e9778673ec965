use std::{str::FromStr, time::Duration};

use chrono::Utc;
use outbound::{Outbound, Resolver};
use service::config::SourceUrl;
use store::{Caps, archive};
use types::Tid;
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
    /// Whether sources that can are asked to compress what they send.
    pub compression: bool,
    /// How many jobs are worked on at once.
    pub workers: usize,
    /// Which records are compared with what their accounts signed.
    pub verify: Verify,
    /// The most records that are read of a repository: of a larger one nothing is removed.
    pub most_records: usize,
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
        let (verify, most_records) = (Verify::Cid, 200_000);
        let (archive, caps) = (archive::Limits::default(), Caps::default());
        let (compression, workers) = (false, 8);
        Self {
            database_url,
            sources,
            outbound,
            resolver,
            relay_url,
            compression,
            workers,
            verify,
            most_records,
            archive,
            caps,
            timing,
            status,
        }
    }
}

/// How far records are checked, besides that each is hashed against its CID.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verify {
    /// No further.
    Cid,
    /// A share of them, from 0 to 1, is compared with the commits that their accounts signed.
    Signed(f64),
}

/// The share that `signed` alone stands for.
const SAMPLE: f64 = 0.01;

impl Verify {
    /// The chosen share; 1 is all.
    pub const fn share(self) -> f64 {
        match self {
            Self::Cid => 0.0,
            Self::Signed(share) => share,
        }
    }
}

impl FromStr for Verify {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let share = |text: &str| text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        match (text, text.strip_prefix("signed=")) {
            ("cid", _) => Ok(Self::Cid),
            ("signed", _) => Ok(Self::Signed(SAMPLE)),
            (_, Some("all")) => Ok(Self::Signed(1.0)),
            (_, Some(text)) => share(text).map(Self::Signed).ok_or("the share of records is from 0 to 1, or all"),
            _ => Err("it is none of cid, signed, signed=all, signed=<share>"),
        }
    }
}

/// How patient the indexer is.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A source that is silent for so long is left.
    pub stall: Duration,
    /// A Jetstream of version 2 may be silent for so long: on a quiet network it only pings, every 30 seconds.
    pub v2_silence: Duration,
    /// After so long without a sign of life the index is not ready: what it serves may be stale.
    pub unready: Duration,
    /// How often the sources before the one in use are asked whether they are well, and how long they have to be for it.
    pub probe: Duration,
    /// See `probe`.
    pub reliable: Duration,
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
    /// How often holds to connect to are looked for.
    pub hold_look: Duration,
    /// The longest pause before a hold is tried again, and how often one without a stream is read.
    pub hold_age: Duration,
    /// How often a hold with a stream is asked for a sign of life: after three without an answer it is left.
    pub hold_beat: Duration,
    /// How often one without a stream is asked whether it is there.
    pub hold_probe: Duration,
    /// How long a job may take that somebody waits for.
    pub short_job: Duration,
    /// The same for one that reads a repository.
    pub long_job: Duration,
    /// How much more a reading may take for each record that it brings.
    pub record: Duration,
    /// How long an account has to be deleted, by every answer, before what it left is removed.
    pub purge_after: Duration,
    /// How long a directory that knew an account has to say that it is not there, before that is believed.
    pub missing_after: Duration,
    /// How long a PDS may be slow to follow what a stream told of it, before that is taken for wrong.
    pub lag_patience: Duration,
}

impl Timing {
    /// Whether a host that is behind a revision may still follow, somebody having waited for it so long. Neither what was
    /// queued long before it was asked for nor what the waiting was for besides shortens that.
    pub fn is_patient(&self, waited: Duration, rev: Tid) -> bool {
        let now = Utc::now().timestamp_micros().unsigned_abs();
        waited < self.lag_patience || Duration::from_micros(now.saturating_sub(rev.micros())) < self.lag_patience
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            v2_silence: Duration::from_secs(75),
            unready: Duration::from_secs(5),
            probe: Duration::from_secs(60),
            reliable: Duration::from_secs(240),
            rewind: Duration::from_secs(5),
            overlap: Duration::from_secs(60),
            backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(60),
            cursor_interval: Duration::from_secs(1),
            handle_age: Duration::from_secs(600),
            hold_look: Duration::from_secs(1),
            hold_age: Duration::from_secs(600),
            hold_beat: Duration::from_secs(10),
            hold_probe: Duration::from_secs(30),
            short_job: Duration::from_secs(60),
            long_job: Duration::from_secs(15 * 60),
            record: Duration::from_millis(200),
            purge_after: Duration::from_secs(3600),
            missing_after: Duration::from_secs(3600),
            lag_patience: Duration::from_secs(5 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SAMPLE, Verify};

    #[test]
    fn how_far_records_are_checked() {
        for (text, verify) in [
            ("cid", Some(Verify::Cid)),
            ("signed", Some(Verify::Signed(SAMPLE))),
            ("signed=all", Some(Verify::Signed(1.0))),
            ("signed=0.25", Some(Verify::Signed(0.25))),
            ("signed=2", None),
            ("signed=NaN", None),
            ("signed=", None),
            ("all", None),
        ] {
            assert_eq!(text.parse::<Verify>().ok(), verify, "{text}");
        }
    }
}
