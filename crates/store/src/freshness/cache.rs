use std::{borrow::Borrow, hash::Hash, sync::Arc};

use super::{Freshness, Key, Moment};

/// Values that were made from index rows, each with what it depends on. What has changed is never given out, whenever it was
/// put in: a value that was read before a change and put in after it is as old as its reading.
#[derive(Clone)]
pub struct Cache<K, V> {
    entries: moka::sync::Cache<K, Arc<Entry<V>>>,
    freshness: Arc<Freshness>,
}

struct Entry<V> {
    value: V,
    since: Moment,
    /// `None`: on everything.
    keys: Option<Vec<Key>>,
}

impl<V> Entry<V> {
    fn holds(&self, freshness: &Freshness) -> bool {
        match &self.keys {
            Some(keys) => freshness.holds(self.since, keys),
            None => freshness.stands(self.since),
        }
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of at most so much weight, by the weight of each entry.
    pub fn new(freshness: Arc<Freshness>, most: u64, weigh: impl Fn(&K, &V) -> u32 + Send + Sync + 'static) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(most)
            .weigher(move |key, entry: &Arc<Entry<V>>| weigh(key, &entry.value))
            .build();
        Self { entries, freshness }
    }

    /// A value that is still so.
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entry = self.entries.get(key)?;
        entry.holds(&self.freshness).then(|| entry.value.clone())
    }

    /// Now, to be taken before a value is read.
    pub fn moment(&self) -> Moment {
        self.freshness.moment()
    }

    /// Keeps a value that was read after a moment and depends on what is under some keys.
    pub fn put(&self, key: K, value: V, since: Moment, keys: Vec<Key>) {
        self.put_entry(key, Entry { value, since, keys: Some(keys) });
    }

    /// Keeps a value that was read after a moment until anything changes, whatever it is.
    pub fn put_until_any(&self, key: K, value: V, since: Moment) {
        self.put_entry(key, Entry { value, since, keys: None });
    }

    fn put_entry(&self, key: K, entry: Entry<V>) {
        if entry.holds(&self.freshness) {
            self.entries.insert(key, Arc::new(entry));
        }
    }
}
