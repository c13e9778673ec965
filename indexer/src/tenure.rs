//! A tenure: the time for which this process is the writer. Everything that leads to a write lives and dies with it; what was
//! under way when it ends is read again, because the cursor moves only with the data.

use std::{collections::BTreeSet, future::ready, sync::Arc, time::Instant};

use chrono::Utc;
use store::{
    Connection, INBOX_CHANNEL, JOBS_CHANNEL, StoreError, Writer, archive, backfill, crash, freshness, gaps, inbox,
    jobs, observe, search, sources,
};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::JoinSet,
    time::{Duration, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use types::{Batch, Change, Verification};

use crate::{
    IndexerConfig, IndexerError, Verify,
    batch::{Gathering, Step, Steps},
    holds,
    jobs::{Context, Jobs},
    known::Known,
    measure,
    source::reader::Reader,
};

/// The most inbox rows of a batch.
const INBOX_ROWS: i64 = 500;
/// How often the writer shows that it lives.
const BEAT: Duration = Duration::from_millis(500);
/// How long parts have to end by themselves.
const GRACE: Duration = Duration::from_secs(5);
/// How often handles that nobody has checked for a while are looked for, and how many are queued at once.
const STALE_HANDLES_EVERY: u32 = 10;
const STALE_HANDLES: i64 = 100;

/// How often it is looked whether searching has to learn of something.
const SEARCH_EVERY: Duration = Duration::from_millis(250);

/// How often the archive is cut to its limits, in seconds.
const PRUNE_EVERY: u32 = 60;
/// How often the lag is noted, in seconds.
const LAG_EVERY: u32 = 10;

/// A batch from elsewhere than the stream, and whom to tell that it is applied.
pub struct Request {
    pub batch: Batch,
    pub done: oneshot::Sender<()>,
}

/// Is the writer until shutdown, or until something fails.
pub async fn serve(
    config: &IndexerConfig,
    mut writer: Writer,
    generation: i32,
    shutdown: &CancellationToken,
) -> Result<(), IndexerError> {
    writer.set_archive(config.archive.days > 0);
    writer.set_caps(config.caps);
    let known = Known::default();
    known.extend(observe::known_dids(writer.client()).await?);
    let over = shutdown.child_token();
    let (steps, steps_in) = Steps::channel();
    let (requests, requests_in) = mpsc::channel(1);
    let wake = Arc::new(Wake::default());
    let context = Arc::new(Context::open(config.clone(), generation, requests).await?);
    let reader = Reader {
        config: config.clone(),
        db: store::connect(&config.database_url, Some(generation)).await?.client,
        known: known.clone(),
        steps,
    };
    let verify = config.verify;
    if verify.share() >= 1.0 {
        let accounts = store::signatures::unsigned_accounts(writer.client()).await?;
        jobs::enqueue(writer.client(), jobs::JobKind::Verify, &accounts).await?;
    }
    let mut parts = JoinSet::new();
    let desk = Desk {
        writer,
        known,
        steps: steps_in,
        next: Gathering::default(),
        requests: requests_in,
        wake: wake.clone(),
        verify,
    };
    parts.spawn(desk.work(over.clone()));
    // Without a source there are only jobs.
    if !config.sources.is_empty() {
        parts.spawn(until(over.clone(), reader.run()));
    }
    parts.spawn(until(over.clone(), listen(config.database_url.clone(), wake.clone())));
    parts.spawn(until(over.clone(), keep_house(config.clone(), generation)));
    parts.spawn(until(over.clone(), keep_search(config.database_url.clone(), generation)));
    parts.spawn(until(over.clone(), holds::watch(context.clone(), config.timing)));
    parts.spawn(until(over.clone(), measure::watch(config.database_url.clone(), generation)));
    parts.spawn(Jobs::new(context, config.workers).work(wake, over.clone()));
    config.status.set_writing(true);
    let first = parts.join_next().await;
    over.cancel();
    config.status.set_writing(false);
    // Whoever has not ended by then is cut off: the store's transactions roll back.
    timeout(GRACE, async { while parts.join_next().await.is_some() {} }).await.ok();
    parts.shutdown().await;
    match first {
        Some(ended) => Ok(ended??),
        None => Ok(()),
    }
}

/// What wakes the parts of a tenure.
#[derive(Default)]
pub struct Wake {
    pub jobs: Notify,
    pub inbox: Notify,
}

async fn until(over: CancellationToken, work: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    over.run_until_cancelled(work).await.unwrap_or(Ok(()))
}

/// Where the writer sits.
struct Desk {
    writer: Writer,
    known: Known,
    steps: mpsc::Receiver<Step>,
    /// What came meanwhile.
    next: Gathering,
    requests: mpsc::Receiver<Request>,
    wake: Arc<Wake>,
    verify: Verify,
}

/// What is compared with what was signed: a share of the records, or all of every account that a batch speaks of. A sample that
/// a crash loses is none the worse, and all of them are queued when a tenure begins.
fn sample(batch: &Batch, share: f64) -> Vec<String> {
    if share <= 0.0 {
        return Vec::new();
    }
    let unsigned = batch.changes.iter().filter_map(|change| match change {
        Change::Put(put) if put.verification != Verification::Signed => Some(&put.id),
        Change::Delete { id, .. } => Some(id),
        _ => None,
    });
    let keys: BTreeSet<String> = if share >= 1.0 {
        unsigned.map(|id| id.did.to_string()).collect()
    } else {
        let chosen = unsigned.filter(|_| rand::random::<f64>() < share);
        chosen.map(|id| format!("{}/{}/{}", id.did, id.collection, id.rkey)).collect()
    };
    keys.into_iter().collect()
}

impl Desk {
    /// Applies what comes, from whichever side.
    async fn work(mut self, over: CancellationToken) -> Result<(), StoreError> {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = over.cancelled() => return Ok(()),
                _ = beat.tick() => self.writer.beat().await?,
                Some(step) = self.steps.recv(), if self.next.is_empty() => self.next.gather(step, &mut self.steps),
                // In turns with the other sides, however fast the stream is.
                () = ready(()), if !self.next.is_empty() => {
                    let batch = self.next.take();
                    self.apply(batch).await?;
                }
                Some(Request { batch, done }) = self.requests.recv() => {
                    self.apply(batch).await?;
                    crash::point("before-ack");
                    // Nobody waits any more when the job was given up meanwhile.
                    done.send(()).ok();
                }
                () = self.wake.inbox.notified() => self.empty_inbox().await?,
            }
        }
    }

    async fn apply(&mut self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (changes, began) = (batch.changes.len(), Instant::now());
        let sample = sample(&batch, self.verify.share());
        let applied = self.next.during(&mut self.steps, self.writer.apply(batch)).await?;
        measure::applied(&applied, changes, began.elapsed().as_secs_f64());
        self.known.extend(&applied.new_actors);
        jobs::enqueue(self.writer.client(), jobs::JobKind::Verify, &sample).await
    }

    /// What other processes found is applied in the order in which they left it.
    async fn empty_inbox(&mut self) -> Result<(), StoreError> {
        loop {
            let batch = inbox::pending(self.writer.client(), INBOX_ROWS).await?;
            if batch.is_empty() {
                return Ok(());
            }
            self.apply(batch).await?;
        }
    }
}

/// Passes notifications on, and shows that changes are told.
async fn listen(database_url: String, wake: Arc<Wake>) -> Result<(), StoreError> {
    let Connection { client, mut notifications } = store::listen(&database_url, &[INBOX_CHANNEL, JOBS_CHANNEL]).await?;
    // What was told between the last look and the LISTEN.
    wake.inbox.notify_one();
    wake.jobs.notify_one();
    let mut heartbeat = interval(freshness::HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            told = notifications.recv() => match told {
                Some((channel, _)) if channel == INBOX_CHANNEL => wake.inbox.notify_one(),
                Some((channel, _)) if channel == JOBS_CHANNEL => wake.jobs.notify_one(),
                Some(_) => {}
                None => break,
            },
            // Whoever hears it may believe what it read, as long as no change is told.
            _ = heartbeat.tick() => freshness::beat(&client).await?,
        }
    }
    Err(StoreError::Unavailable("the connection that listens ended".into()))
}

/// Keeps what searching needs up to date, apart from the batches: they do not wait for it.
async fn keep_search(database_url: String, generation: i32) -> Result<(), StoreError> {
    let mut db = store::connect(&database_url, Some(generation)).await?.client;
    let mut tick = interval(SEARCH_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        search::settle(&mut db).await?;
    }
}

/// Small things, once a second.
async fn keep_house(config: IndexerConfig, generation: i32) -> Result<(), StoreError> {
    let db = store::connect(&config.database_url, Some(generation)).await?.client;
    let began = Utc::now().timestamp_millis();
    let mut worst = 0;
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for second in 0u32.. {
        tick.tick().await;
        // Before anything was heard the source has been silent since we began.
        let lag = config.status.lag_ms().unwrap_or_else(|| Utc::now().timestamp_millis() - began);
        measure::lag(lag);
        worst = lag.max(worst);
        if second.is_multiple_of(LAG_EVERY) {
            sources::lagged(&db, std::mem::take(&mut worst)).await?;
        }
        sources::heard(&db, config.status.heard_at()).await?;
        if let Some(ended) = backfill::refresh(&db).await? {
            tell_end(ended);
        }
        gaps::settle(&db).await?.iter().for_each(tell_gap);
        if second.is_multiple_of(PRUNE_EVERY) {
            archive::prune(&db, config.archive).await?;
            backfill::forget_unread(&db).await?;
        }
        if second.is_multiple_of(STALE_HANDLES_EVERY) && jobs::due(&db, jobs::JobKind::Actor).await? < STALE_HANDLES {
            let age = config.timing.handle_age.as_secs_f64();
            let stale = observe::stale_handles(&db, age, STALE_HANDLES).await?;
            jobs::enqueue(&db, jobs::JobKind::Actor, &stale).await?;
        }
    }
    Ok(())
}

/// Who could not be read is told one by one only to those who debug; `crowsnest backfill` names the first few.
fn tell_end(backfill::Ended { total, failed, unserved }: backfill::Ended) {
    tracing::info!(repositories = total, failed, unserved, "The reading of every repository has ended");
}

/// A gap's end is told once, and so is that it does not end yet.
fn tell_gap(gap: &gaps::Settled) {
    match (gap.missing, gap.before) {
        (0, _) => tracing::info!(source = %gap.source, "A gap is repaired: every repository was read in its place"),
        (missing, None) => {
            tracing::warn!(source = %gap.source, accounts = missing,
                "A gap is not repaired: some accounts could not be read, and are tried again");
        }
        (missing, Some(_)) => tracing::debug!(source = %gap.source, accounts = missing, "A gap is not repaired yet"),
    }
}
