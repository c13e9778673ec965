use std::{
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};

use super::IdentityError;

/// How long answers live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ages {
    /// Up to here an answer is given without a second thought.
    pub fresh: Duration,
    /// Beyond this it is never given.
    pub most: Duration,
    /// The same for an answer that says "nothing".
    pub nothing: Duration,
    /// How long a background look-up may take before another one starts.
    pub retry: Duration,
}

impl Ages {
    pub const USUAL: Self = Self {
        fresh: Duration::from_secs(10 * 60),
        most: Duration::from_secs(24 * 60 * 60),
        nothing: Duration::from_secs(5),
        retry: Duration::from_secs(60),
    };
}

/// The most answers that are remembered, of each kind.
const CAPACITY: u64 = 100_000;

/// Remembered answers. Callers who miss at once wait for one look-up; a stale answer is given while one look-up in the
/// background replaces it.
#[derive(Clone)]
pub(super) struct Answers<K, V> {
    cache: Cache<K, Arc<Answer<V>>>,
    ages: Ages,
    /// Counts what was forgotten: a look-up that was under way meanwhile may have seen the old state.
    epoch: Arc<AtomicU64>,
}

struct Answer<V> {
    value: V,
    look_again: Mutex<Instant>,
}

struct Lifetime<V> {
    ages: Ages,
    is_nothing: fn(&V) -> bool,
}

impl<K, V> Expiry<K, Arc<Answer<V>>> for Lifetime<V> {
    fn expire_after_create(&self, _: &K, answer: &Arc<Answer<V>>, _: Instant) -> Option<Duration> {
        Some(if (self.is_nothing)(&answer.value) { self.ages.nothing } else { self.ages.most })
    }

    fn expire_after_update(
        &self,
        key: &K,
        answer: &Arc<Answer<V>>,
        at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, answer, at)
    }
}

impl<K, V> Answers<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `is_nothing` tells the answers that are forgotten soon.
    pub fn new(ages: Ages, is_nothing: fn(&V) -> bool) -> Self {
        let lifetime = Lifetime { ages, is_nothing };
        let cache = Cache::builder().max_capacity(CAPACITY).expire_after(lifetime).build();
        Self { cache, ages, epoch: Arc::default() }
    }

    /// The answer for a key, by `lookup` if none is remembered. A failure is not remembered.
    pub async fn get<F>(&self, key: &K, lookup: impl FnOnce() -> F + Send) -> Result<V, IdentityError>
    where
        F: Future<Output = Result<V, IdentityError>> + Send + 'static,
    {
        if let Some(answer) = self.cache.get(key).await {
            if self.claim_second_look(&answer) {
                tokio::spawn(self.clone().look_again(key.clone(), lookup()));
            }
            return Ok(answer.value.clone());
        }
        // Boxed: a look-up is rare and large, and every future that may need one would have room for it.
        let fetch = Box::pin(self.look(lookup()));
        let answer =
            self.cache.try_get_with_by_ref(key, fetch).await.map_err(|error: Arc<IdentityError>| (*error).clone())?;
        Ok(answer.value.clone())
    }

    /// The answer as it is now, whatever is remembered; remembered from here on.
    pub async fn renew(
        &self,
        key: &K,
        lookup: impl Future<Output = Result<V, IdentityError>>,
    ) -> Result<V, IdentityError> {
        self.forget(key).await;
        let answer = Box::pin(self.look(lookup)).await?;
        self.cache.insert(key.clone(), answer.clone()).await;
        Ok(answer.value.clone())
    }

    /// Forgets a key.
    pub async fn forget(&self, key: &K) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.cache.invalidate(key).await;
    }

    /// Looks up. If anything was forgotten meanwhile, the answer is stale from the start.
    async fn look(
        &self,
        lookup: impl Future<Output = Result<V, IdentityError>>,
    ) -> Result<Arc<Answer<V>>, IdentityError> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let value = lookup.await?;
        let fresh = if self.epoch.load(Ordering::Acquire) == epoch { self.ages.fresh } else { Duration::ZERO };
        Ok(Arc::new(Answer { value, look_again: Mutex::new(Instant::now() + fresh) }))
    }

    /// Whether the answer is stale and nobody is replacing it yet.
    fn claim_second_look(&self, answer: &Answer<V>) -> bool {
        let mut look_again = answer.look_again.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let due = now >= *look_again;
        if due {
            *look_again = now + self.ages.retry;
        }
        due
    }

    async fn look_again(self, key: K, lookup: impl Future<Output = Result<V, IdentityError>>) {
        match self.look(lookup).await {
            Ok(answer) => self.cache.insert(key, answer).await,
            // Old and unreachable is better than nothing, for a day; old and denied is not.
            Err(error) if error.is_transient() => tracing::debug!(error = %error, "a stale identity stays for now"),
            Err(_) => self.forget(&key).await,
        }
    }
}
