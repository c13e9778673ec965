use std::{hash::Hash, time::Duration};

use moka::future::Cache;

use crate::errors::Result;

/// For how long an outcome is remembered: a client that asks again and again costs nobody more than this.
const MEMORY: Duration = Duration::from_secs(5);

/// Errands that leave the machine: of those with one key, one runs at a time, and its outcome is remembered for seconds.
pub(crate) struct Flights<K>(Cache<K, Result<()>>);

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Flights<K> {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(MEMORY).build())
    }

    /// Runs `errand`, or waits for the one that is under way, or tells how the last one ended.
    pub async fn run(&self, key: K, errand: impl Future<Output = Result<()>>) -> Result<()> {
        // Boxed: the cache moves the future through several calls, and an errand is large enough to overflow a stack.
        self.0.get_with(key, Box::pin(errand)).await
    }
}
