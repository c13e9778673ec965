//! Holds speak for themselves: each is followed at its own stream while it is up, whether or not a relay crawls it. One small
//! task a hold, so many at once; where there are more, they take turns, and each goes on where it was.

mod stream;

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
};

use store::{StoreError, observe};
use tokio::{task::JoinSet, time::sleep};
use types::Did;

use crate::{Timing, jobs::Context, measure};
use stream::{Follower, Readings};

/// How many holds are followed at once, and how many more are looked for to see whether places are wanted.
const PLACES: usize = 64;
const QUEUE: usize = 16;

/// Follows every hold that is due, until the store fails or the tenure ends.
pub async fn watch(context: Arc<Context>, timing: Timing) -> Result<(), StoreError> {
    let waiting = Arc::new(AtomicUsize::new(0));
    let readings = Readings::default();
    let mut followed: BTreeSet<Did> = BTreeSet::new();
    let mut following = JoinSet::new();
    loop {
        let free = PLACES.saturating_sub(followed.len());
        let names: Vec<&str> = followed.iter().map(Did::as_str).collect();
        let due = observe::holds_due(&context.store, &names, (free + QUEUE) as i64).await?;
        waiting.store(due.len().saturating_sub(free), Ordering::Relaxed);
        for hold in due.into_iter().take(free) {
            followed.insert(hold.did.clone());
            let (waiting, readings) = (waiting.clone(), readings.clone());
            let follower = Follower { context: context.clone(), timing, waiting, readings };
            following.spawn(async move { (hold.did.clone(), follower.follow(hold).await) });
        }
        measure::holds_followed(followed.len());
        tokio::select! {
            Some(ended) = following.join_next() => {
                let (did, result) = ended.map_err(|crash| StoreError::Statement(Box::new(crash)))?;
                followed.remove(&did);
                result?;
            }
            () = sleep(timing.hold_look) => {}
        }
    }
}
