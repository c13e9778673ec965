use std::{hash::Hash, pin::Pin, time::Duration};

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

    /// Whether an errand is remembered.
    pub fn knows(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Runs `errand`, or waits for the one that is under way, or tells how the last one ended. Errands are boxed: they are
    /// rare and large, and every request's future would have room for one otherwise.
    pub async fn run(&self, key: K, errand: Pin<Box<dyn Future<Output = Result<()>> + Send + '_>>) -> Result<()> {
        self.0.get_with(key, errand).await
    }
}

/// Questions of which those with one key are asked once at a time; what came out is not remembered.
pub(crate) struct Together<K, T>(Cache<K, Result<T>>);

impl<K, T> Together<K, T>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(MEMORY).build())
    }

    /// Asks, or waits for who asks already.
    pub async fn run(&self, key: K, question: Pin<Box<dyn Future<Output = Result<T>> + Send + '_>>) -> Result<T> {
        let answer = self.0.get_with_by_ref(&key, question).await;
        self.0.invalidate(&key).await;
        answer
    }
}
