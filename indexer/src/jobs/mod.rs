//! What has to be asked of the network once a record is known: rows in Postgres, worked on by the writer's process, retried
//! with growing pauses. Each kind of job is a file.

mod actor;
mod ahead;
mod context;
mod deadline;
mod discover;
mod manifest;
mod resync;
mod scrub;
#[cfg(test)]
pub mod tests;
mod verify;

use std::{sync::Arc, time::Duration};

use store::{
    StoreError, crash,
    jobs::{self as queue, Job, JobKind},
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{interval, sleep},
};
use tokio_util::sync::CancellationToken;
use types::{DropReason, Reject};

pub use context::Context;
pub use discover::everyone;
pub use resync::named;

use crate::{Timing, measure, tenure::Wake};
use deadline::Deadline;

/// The longest time between two looks at the queue.
const LOOK: Duration = Duration::from_secs(5);
/// How often a claim is prolonged; it lasts two minutes.
const RENEW: Duration = Duration::from_secs(30);
/// When a job is tried again whose host was busy with others.
const BUSY: Duration = Duration::from_secs(5);
/// When one is tried again that waits for somebody to follow: after as long as it has waited, but no sooner or later than this.
const FOLLOWS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The same where a host has to follow whose repository was read: that is read again.
const IS_BEHIND: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(150));
/// The same where a directory does not know an account any more: all of them may be missing at once.
const IS_MISSING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

/// How long a job may take in all: a host that answers a byte at a time must not hold a worker. A reading has more time for
/// each record that it brings.
fn deadline(kind: JobKind, timing: &Timing) -> Deadline {
    Deadline::after(match kind {
        JobKind::Manifest | JobKind::Actor => timing.short_job,
        JobKind::Resync | JobKind::Verify | JobKind::Scrub => timing.long_job,
        // As many pages as the network has accounts.
        JobKind::Discover => timing.long_job * 2,
    })
}

/// Why a job is not done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The store failed: nobody can go on.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The writer is gone, and with it everything that needs it.
    #[error("the writer is gone")]
    NoWriter,
    /// The network is at fault: again later.
    #[error("{0}")]
    Later(String),
    /// Whom it asked does not know yet what others told: again soon, for as long as the job itself has patience.
    #[error("{0}")]
    Behind(String),
    /// Nothing was asked: the host has enough to do with other jobs.
    #[error("its host is busy with other jobs")]
    Busy,
    /// It will never be otherwise; what was found is kept.
    #[error("{}", .0.detail)]
    Never(Box<Reject>),
}

impl JobError {
    fn later(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Later(crate::source::reader::chain(error))
    }

    fn never(did: &types::Did, detail: impl ToString, raw: &[u8]) -> Self {
        Self::Never(Box::new(crate::validate::reject(Some(did.clone()), DropReason::WrongBytes, detail, raw)))
    }
}

/// The workers.
pub struct Jobs {
    context: Arc<Context>,
    workers: usize,
}

impl Jobs {
    pub fn new(context: Arc<Context>, workers: usize) -> Self {
        Self { context, workers }
    }

    /// Works until the tenure is over.
    pub async fn work(self, wake: Arc<Wake>, over: CancellationToken) -> Result<(), StoreError> {
        let store = &self.context.store;
        // Claims of an earlier life; nobody else works on jobs while this process is the writer.
        queue::release_claims(store).await?;
        let mut running: JoinSet<Result<(), StoreError>> = JoinSet::new();
        // What takes long leaves half of the workers to what somebody waits for.
        let long = Arc::new(Semaphore::new((self.workers / 2).max(1)));
        loop {
            let free = self.workers.saturating_sub(running.len());
            for job in queue::claim(store, &JobKind::SHORT, free as i64).await? {
                running.spawn(Box::pin(work_on(self.context.clone(), job)));
            }
            let free = self.workers.saturating_sub(running.len()).min(long.available_permits());
            for job in queue::claim(store, &JobKind::LONG, free as i64).await? {
                let place = long.clone().try_acquire_owned();
                let work = Box::pin(work_on(self.context.clone(), job));
                running.spawn(async move {
                    let _place = place;
                    work.await
                });
            }
            // A full house waits for somebody to finish.
            let due = if running.len() >= self.workers {
                None
            } else if long.available_permits() > 0 {
                queue::next_due(store, &JobKind::ALL).await?
            } else {
                queue::next_due(store, &JobKind::SHORT).await?
            };
            let pause = due.map_or(LOOK, |due| due.clamp(Duration::from_millis(20), LOOK));
            tokio::select! {
                () = over.cancelled() => return Ok(()),
                () = wake.jobs.notified() => {}
                Some(ended) = running.join_next() => ended.map_err(|crash| StoreError::Statement(Box::new(crash)))??,
                () = sleep(pause) => {}
            }
        }
    }
}

/// Does a job and settles its row.
async fn work_on(context: Arc<Context>, job: Job) -> Result<(), StoreError> {
    let deadline = deadline(job.kind, &context.timing);
    let result = tokio::select! {
        result = perform(&context, &job, &deadline) => result,
        allowed = deadline.passed() => Err(JobError::Later(format!("it is not done after {allowed:?}"))),
        error = keep_claim(&context, &job) => return Err(error),
    };
    let kind = job.kind.as_str();
    crash::point("before-job-settled");
    match result {
        Ok(()) => {
            measure::job(kind, "done");
            queue::finish(&context.store, &job).await
        }
        Err(JobError::Later(why)) => {
            measure::job(kind, "later");
            tracing::debug!(job.kind = kind, job.key = %job.key, job.attempts = job.attempts, reason = %why, "A job is put off");
            queue::retry(&context.store, &job, &why).await
        }
        Err(JobError::Behind(why)) => {
            measure::job(kind, "later");
            let (least, most) = match job.kind {
                JobKind::Actor => IS_MISSING,
                JobKind::Resync => IS_BEHIND,
                _ => FOLLOWS,
            };
            queue::wait(&context.store, &job, job.waited.clamp(least, most), &why).await
        }
        Err(JobError::Busy) => queue::put_back(&context.store, &job, BUSY).await,
        Err(JobError::Never(reject)) => {
            measure::job(kind, "never");
            tracing::warn!(job.kind = kind, job.key = %job.key, reason = %reject.detail, "A job will never be done");
            match context.keep(*reject).await {
                Err(JobError::Store(error)) => Err(error),
                // The row stays claimed and is freed by the next tenure.
                Err(_) => Ok(()),
                Ok(()) => queue::finish(&context.store, &job).await,
            }
        }
        Err(JobError::NoWriter) => Ok(()),
        Err(JobError::Store(error)) => Err(error),
    }
}

async fn perform(context: &Context, job: &Job, deadline: &Deadline) -> Result<(), JobError> {
    match job.kind {
        JobKind::Actor => actor::look(context, job).await,
        JobKind::Manifest => manifest::fetch(context, &job.key).await,
        JobKind::Resync => resync::read(context, job, deadline).await,
        JobKind::Discover => discover::list(context).await,
        JobKind::Verify => Box::pin(verify::check(context, job)).await,
        JobKind::Scrub => scrub::scrub(context, &job.key).await,
    }
}

async fn keep_claim(context: &Context, job: &Job) -> StoreError {
    let mut tick = interval(RENEW);
    tick.tick().await;
    loop {
        tick.tick().await;
        if let Err(error) = queue::renew_claim(&context.store, job).await {
            return error;
        }
    }
}
