use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use store::{
    freshness::{self, Cache, Freshness, Key},
    observe,
};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use types::Collection;

use crate::harness::{ALICE, Index, id, manifest, put};

/// How long a change may go unnoticed.
const UNNOTICED: Duration = Duration::from_secs(1);

/// A process that caches, and the writer's heartbeat.
struct Process {
    freshness: Arc<Freshness>,
    beats: Arc<AtomicBool>,
    _over: DropGuard,
}

impl Process {
    async fn start(index: &Index) -> Self {
        let (freshness, over) = (Arc::new(Freshness::default()), CancellationToken::new());
        let beats = Arc::new(AtomicBool::new(true));
        tokio::spawn(freshness::follow(index.database.url().into(), freshness.clone(), over.clone()));
        let client = store::connect(index.database.url(), None).await.unwrap().client;
        let (going, ended) = (beats.clone(), over.clone());
        tokio::spawn(async move {
            while !ended.is_cancelled() {
                if going.load(Ordering::SeqCst) {
                    freshness::beat(&client).await.unwrap();
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        let process = Self { freshness, beats, _over: over.drop_guard() };
        process.until("it is told of changes", |freshness| freshness.is_told()).await;
        process
    }

    fn cache(&self) -> Cache<String, i64> {
        Cache::new(self.freshness.clone(), 100, |_, _| 1)
    }

    async fn until(&self, what: &str, holds: impl Fn(&Freshness) -> bool) -> Duration {
        let began = Instant::now();
        while !holds(&self.freshness) {
            assert!(began.elapsed() < Duration::from_secs(20), "never came: {what}");
            sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }
}

fn alice() -> Vec<Key> {
    vec![Key::of(&format!("did:{ALICE}"))]
}

#[tokio::test]
async fn a_change_is_noticed_by_every_process_and_nothing_else_is_forgotten() {
    let mut index = Index::new().await;
    let (one, two) = (Process::start(&index).await, Process::start(&index).await);
    let caches = [one.cache(), two.cache()];
    for cache in &caches {
        let since = cache.moment();
        cache.put("alice".into(), 1, since, alice());
        cache.put("bob".into(), 2, since, vec![Key::of("did:did:plc:bob")]);
        assert_eq!((cache.get("alice"), cache.get("bob")), (Some(1), Some(2)));
    }
    index.apply(vec![put(1, id(ALICE, Collection::Manifest, "a"), &manifest("app", 1))]).await;
    for (process, cache) in [&one, &two].into_iter().zip(&caches) {
        let took = process.until("the change is noticed", |_| cache.get("alice").is_none()).await;
        assert!(took < UNNOTICED, "{took:?}");
        assert_eq!(cache.get("bob"), Some(2));
    }
}

#[tokio::test]
async fn what_was_read_before_a_change_is_not_kept_after_it() {
    let index = Index::new().await;
    let process = Process::start(&index).await;
    let cache = process.cache();
    // The reader pauses between its SELECT and the insertion.
    let since = cache.moment();
    let other = cache.moment();
    observe::changed(&index.client, 1, &[format!("did:{ALICE}")]).await.unwrap();
    process.until("the change is noticed", |freshness| !freshness.holds(since, &alice())).await;
    cache.put("alice".into(), 1, since, alice());
    assert_eq!(cache.get("alice"), None);
    cache.put("bob".into(), 2, other, vec![Key::of("did:did:plc:bob")]);
    assert_eq!(cache.get("bob"), Some(2));
    cache.put("alice".into(), 3, cache.moment(), alice());
    assert_eq!(cache.get("alice"), Some(3));
}

#[tokio::test]
async fn while_nothing_is_heard_nothing_is_believed() {
    let index = Index::new().await;
    let process = Process::start(&index).await;
    let cache = process.cache();
    cache.put("alice".into(), 1, cache.moment(), alice());
    process.beats.store(false, Ordering::SeqCst);
    let took = process.until("silence", |_| cache.get("alice").is_none()).await;
    assert!(took < UNNOTICED, "{took:?}");
    process.beats.store(true, Ordering::SeqCst);
    process.until("the heart beats again", |_| cache.get("alice") == Some(1)).await;
}

#[tokio::test]
async fn what_happened_while_the_connection_was_cut_counts() {
    let index = Index::new().await;
    let process = Process::start(&index).await;
    let cache = process.cache();
    cache.put("alice".into(), 1, cache.moment(), alice());
    let listens = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(index.count(listens).await, 1);
    observe::changed(&index.client, 1, &[format!("did:{ALICE}")]).await.unwrap();
    let took = process.until("it is not believed", |_| cache.get("alice").is_none()).await;
    assert!(took < UNNOTICED, "{took:?}");
    // Listening again, it does not come back.
    process.until("it is told of changes", |freshness| freshness.is_told()).await;
    assert_eq!(cache.get("alice"), None);
}
