use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use store::{
    Reader, StoreError,
    freshness::Moment,
    queries::{BackfillView, SourceView, lag_ms},
};
use tokio::{
    sync::{Mutex, OnceCell},
    time::{Instant, timeout},
};

use crate::{
    WebConfig,
    kept::Kept,
    live::Live,
    pictures::{Pictures, Signer},
};

/// How old the summary under a page may be, before it is made anew.
const SUMMARY_AGE: Duration = Duration::from_secs(2);
/// A page waits for a summary that is older; meanwhile it takes the one that there is.
const SUMMARY_LIMIT: Duration = Duration::from_secs(10);
/// The fingerprint is a sum over all accounts: no more of the time than one part in this is spent on it.
const FINGERPRINT_SHARE: u32 = 100;
/// So long a page waits for it, and for none that takes longer.
const FINGERPRINT_WAIT: Duration = Duration::from_millis(20);

/// What every handler can reach. Cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    config: WebConfig,
    reader: Reader,
    pictures: Option<Pictures>,
    signer: OnceCell<Option<Signer>>,
    live: Live,
    kept: Kept,
    summary: Mutex<Option<(Instant, Arc<Summary>)>>,
    /// Held by whoever makes it anew.
    making: Mutex<()>,
    fingerprint: Mutex<Option<Fingerprint>>,
    /// Held by whoever adds it up.
    adding_up: Mutex<()>,
}

/// The index in one line, as the footer shows it.
pub struct Summary {
    /// Milliseconds behind the network; `None` before the first event.
    pub lag_ms: Option<i64>,
    /// The `records` fingerprint; `None` until it was added up for the first time.
    pub fingerprint: Option<String>,
    /// How far the reading of the whole network is.
    pub backfill: Option<BackfillView>,
}

#[derive(Clone)]
struct Fingerprint {
    /// With how many records it covers.
    value: (String, i64),
    since: Moment,
    at: Instant,
    took: Duration,
}

impl Web {
    pub fn new(config: WebConfig, reader: Reader) -> Self {
        let live = Live::start(reader.clone(), config.freshness.told());
        let kept = Kept::new(config.freshness.clone());
        let pictures = config.outbound.clone().map(Pictures::new);
        Self(Arc::new(Inner {
            config,
            reader,
            live,
            kept,
            pictures,
            signer: OnceCell::new(),
            summary: Mutex::default(),
            making: Mutex::default(),
            fingerprint: Mutex::default(),
            adding_up: Mutex::default(),
        }))
    }

    pub fn config(&self) -> &WebConfig {
        &self.0.config
    }

    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// What fetches pictures, if anything may.
    pub fn pictures(&self) -> Option<&Pictures> {
        self.0.pictures.as_ref()
    }

    /// What signs pictures, if any may be fetched. While the key cannot be read there are none.
    pub async fn signer(&self) -> Option<Signer> {
        self.pictures()?;
        let read = async || self.reader().picture_key().await.map(|key| key.as_deref().and_then(Signer::new));
        self.0.signer.get_or_try_init(read).await.ok()?.clone()
    }

    /// What tells of what is new.
    pub fn live(&self) -> &Live {
        &self.0.live
    }

    /// Pages that were rendered a moment ago.
    pub fn kept(&self) -> &Kept {
        &self.0.kept
    }

    /// The summary, two seconds old or so. One page at a time makes it, and only those wait for it that have none.
    pub async fn summary(&self) -> Result<Arc<Summary>, StoreError> {
        let known = self.0.summary.lock().await.clone();
        match known {
            Some((at, summary)) if at.elapsed() < SUMMARY_AGE => Ok(summary),
            Some((at, summary)) if at.elapsed() < SUMMARY_LIMIT => {
                let web = self.clone();
                tokio::spawn(async move {
                    // Whoever makes it already does it for everyone; a failure is met again by who waits for it.
                    if let Ok(_making) = web.0.making.try_lock() {
                        web.make_summary().await.ok();
                    }
                });
                Ok(summary)
            }
            _ => {
                let _making = self.0.making.lock().await;
                // It may have been made while this one waited.
                let made = self.0.summary.lock().await.clone().filter(|(at, _)| at.elapsed() < SUMMARY_AGE);
                match made {
                    Some((_, summary)) => Ok(summary),
                    None => self.make_summary().await,
                }
            }
        }
    }

    async fn make_summary(&self) -> Result<Arc<Summary>, StoreError> {
        let sources = self.reader().sources().await?;
        let backfill = self.reader().backfill().await?;
        let fingerprint = match timeout(FINGERPRINT_WAIT, self.fingerprint()).await {
            Ok(fingerprint) => Some(fingerprint?.0),
            Err(_) => self.0.fingerprint.lock().await.as_ref().map(|known| known.value.0.clone()),
        };
        let lag_ms = self.lag_ms(&sources, Utc::now());
        let summary = Arc::new(Summary { lag_ms, fingerprint, backfill });
        *self.0.summary.lock().await = Some((Instant::now(), summary.clone()));
        Ok(summary)
    }

    /// The `records` fingerprint, and how many records it covers. One that takes long is added up beside, and the one before it
    /// is told meanwhile.
    pub async fn fingerprint(&self) -> Result<(String, i64), StoreError> {
        let known = self.0.fingerprint.lock().await.clone();
        if let Some(known) = known.as_ref().filter(|known| self.is_right(known)) {
            return Ok(known.value.clone());
        }
        let web = self.clone();
        // It goes on when nobody waits any more.
        let sum = tokio::spawn(async move { web.add_up().await });
        match known.filter(|known| known.took > FINGERPRINT_WAIT) {
            Some(known) => Ok(known.value),
            None => sum.await.map_err(|error| StoreError::Statement(Box::new(error)))?,
        }
    }

    async fn add_up(&self) -> Result<(String, i64), StoreError> {
        let _one = self.0.adding_up.lock().await;
        let known = self.0.fingerprint.lock().await.clone();
        if let Some(known) = known.filter(|known| self.is_right(known)) {
            return Ok(known.value);
        }
        let (since, began) = (self.config().freshness.moment(), Instant::now());
        let value = self.reader().records_fingerprint().await?;
        let known = Fingerprint { value: value.clone(), since, at: Instant::now(), took: began.elapsed() };
        *self.0.fingerprint.lock().await = Some(known);
        Ok(value)
    }

    /// It is so young that it need not be added up again, or nothing has changed since.
    fn is_right(&self, known: &Fingerprint) -> bool {
        known.at.elapsed() < known.took * FINGERPRINT_SHARE || self.config().freshness.stands(known.since)
    }

    /// See [`lag_ms`].
    pub fn lag_ms(&self, sources: &[SourceView], now: DateTime<Utc>) -> Option<i64> {
        lag_ms(self.config().lag.as_ref().and_then(|lag| lag.lag_ms()), sources, now)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use store::queries::{SourceView, lag_ms};

    #[test]
    fn a_standby_is_as_far_behind_as_the_writer() {
        let now = Utc::now();
        let ago = |seconds| now - TimeDelta::seconds(seconds);
        let source = |heard: Option<i64>| SourceView {
            url: "wss://a.example/subscribe".into(),
            kind: None,
            state: None,
            cursor: Some(7),
            safe_time: Some(ago(60).timestamp_micros()),
            updated_at: Some(ago(70)),
            heard_at: heard.map(ago),
        };
        let (nobody, writer) = (vec![source(None)], vec![source(None), source(Some(2)), source(Some(9))]);
        for (own, sources, lag) in [
            // Of this process, which never wrote, or did before another took over.
            (None, &writer, Some(2_000)),
            (Some(5_000), &writer, Some(2_000)),
            // The writer's own measure is the newest.
            (Some(300), &writer, Some(300)),
            (Some(5_000), &nobody, Some(5_000)),
            (None, &nobody, Some(60_000)),
            (None, &Vec::new(), None),
        ] {
            assert_eq!(lag_ms(own, sources, now), lag, "{own:?}");
        }
    }
}
