//! How often images are pulled: added up in memory, written twice a second, and no word of who pulls.

mod attribution;
mod clients;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header::USER_AGENT};
use service::client::Client;
use store::pulls::Pulled;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use types::{Did, Reference, RepositoryName};

use self::attribution::{Attribution, Seen};
use crate::writes::Writes;

pub(crate) use attribution::Family;

/// How often the counts are written: a process that is killed loses less than a second.
const WRITTEN_EVERY: Duration = Duration::from_millis(500);
/// The most (repository, tag) pairs that wait while Postgres is away; each exists in the index.
const MOST_WAITING: usize = 100_000;

/// Counts pulls.
pub(crate) struct Pulls {
    /// Clients are known by a hash whose key dies with the process.
    key: RandomState,
    attribution: Attribution,
    waiting: Mutex<BTreeMap<Pulled, i64>>,
}

/// A manifest that was served, or described.
pub(crate) struct Answered<'a> {
    pub owner: &'a Did,
    pub repository: &'a RepositoryName,
    pub reference: &'a Reference,
    pub family: &'a Family,
    pub head: bool,
}

impl Pulls {
    pub fn new() -> Self {
        Self { key: RandomState::new(), attribution: Attribution::new(), waiting: Mutex::default() }
    }

    /// Notes an answer, and counts it if it is a pull.
    pub fn note(&self, client: Client, headers: &HeaderMap, answered: &Answered<'_>) {
        let agent = headers.get(USER_AGENT).map(|agent| agent.as_bytes()).unwrap_or_default();
        if !clients::pulls(agent) {
            return;
        }
        let Answered { owner, repository, reference, family, head } = *answered;
        let who = self.key.hash_one((client, agent, owner, repository));
        let tag = match reference {
            Reference::Tag(tag) => Some(tag.as_str()),
            Reference::Digest(_) => None,
        };
        if let Some(tag) = self.attribution.pull(&Seen { who, tag, family, head }, Instant::now()) {
            self.count((owner.to_string(), repository.to_string(), tag), 1);
        }
    }

    fn count(&self, pulled: Pulled, pulls: i64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING || waiting.contains_key(&pulled) {
            *waiting.entry(pulled).or_default() += pulls;
        }
    }

    /// Writes the counts until the stop, and once more then.
    pub async fn keep(self: Arc<Self>, writes: Arc<Writes>, stop: CancellationToken) {
        let mut turns = interval(WRITTEN_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(turns.tick()).await.is_some() {
            self.write(&writes).await;
        }
        self.write(&writes).await;
    }

    async fn write(&self, writes: &Writes) {
        let counted = mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if counted.is_empty() {
            return;
        }
        let written = async { store::pulls::add(&writes.lock().await?.client, &counted).await };
        if let Err(error) = written.await {
            tracing::debug!(%error, "pulls wait to be counted");
            counted.into_iter().for_each(|(pulled, pulls)| self.count(pulled, pulls));
        }
    }
}
