//! Steps of a stream become batches: what waits is taken together, and nothing waits for more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::Utc;
use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{self, Receiver},
};
use types::{Arrival, Batch, Change, CursorMove, Form, Origin, Reject};

/// The most changes of a batch; one step may go over it.
const MOST_CHANGES: usize = 2_000;
/// The most bytes of records in a batch; one step may go over it.
const MOST_BYTES: usize = 8 << 20;
/// How many bytes of frames the steps may come from that wait for the writer; then the source waits.
const WAITING_BYTES: usize = 8 << 20;
/// The longest that a batch is gathered while more keeps coming.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// So many steps are gathered before it is looked whether the work that goes on meanwhile can go on.
const STEPS_A_TURN: usize = 64;

/// How many steps may wait for the writer; then the source waits.
pub const WAITING_STEPS: usize = 2_000;

/// How far an event, or a run of dropped ones, brings us.
#[derive(Debug, Default)]
pub struct Step {
    /// What it changes.
    pub changes: Vec<Change>,
    /// What of it is refused.
    pub rejects: Vec<Reject>,
    /// Where the source stands after it.
    pub cursor: Option<CursorMove>,
    /// The event as it came.
    pub arrival: Option<Arrival>,
    /// Its share of what may wait, given back when it is taken into a batch.
    pub room: Option<OwnedSemaphorePermit>,
}

impl Step {
    /// What an event came to, with the event itself for the archive.
    pub fn taken(
        changes: Vec<Change>,
        rejects: Vec<Reject>,
        cursor: Option<CursorMove>,
        (form, frame): (Form, &[u8]),
    ) -> Self {
        let position = cursor.as_ref().map(|cursor| cursor.to);
        // Copied: it is a part of what was read at once, which it would keep in memory with the strangers' frames in it.
        let frame = Bytes::copy_from_slice(frame);
        let arrival = Arrival { position, ..Arrival::new(form, frame, Utc::now().timestamp_micros()) };
        Self { changes, rejects, cursor, arrival: Some(arrival), room: None }
    }
}

/// Where a source leaves its steps. What waits is bounded in number and in bytes: a megabyte a step would fill the memory
/// while a long stream is caught up with.
#[derive(Clone, Debug)]
pub struct Steps {
    sender: mpsc::Sender<Step>,
    room: Arc<Semaphore>,
}

/// The writer is gone.
#[derive(Debug)]
pub struct Gone;

impl Steps {
    /// A way from a source to the writer.
    pub fn channel() -> (Self, Receiver<Step>) {
        let (sender, receiver) = mpsc::channel(WAITING_STEPS);
        (Self { sender, room: Arc::new(Semaphore::new(WAITING_BYTES)) }, receiver)
    }

    /// Leaves a step that comes from a frame of so many bytes, when there is room for it.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn send(&self, step: Step, bytes: usize) -> Result<(), Gone> {
        let share = u32::try_from(bytes.min(WAITING_BYTES)).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(share);
        // Who waits for room that a writer no longer gives has to hear of its end.
        let room = tokio::select! {
            room = room => room.map_err(|_| Gone)?,
            () = self.sender.closed() => return Err(Gone),
        };
        self.sender.send(Step { room: Some(room), ..step }).await.map_err(|_| Gone)
    }
}

/// The next batch: what waits is taken together, also while the writer is busy with the last one.
#[derive(Debug)]
pub struct Gathering {
    batch: Batch,
    bytes: usize,
}

impl Default for Gathering {
    fn default() -> Self {
        Self { batch: Batch::new(Origin::Stream), bytes: 0 }
    }
}

impl Gathering {
    /// Whether nothing was gathered yet.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    fn is_full(&self) -> bool {
        self.batch.changes.len() >= MOST_CHANGES || self.bytes >= MOST_BYTES
    }

    /// Takes a step, and those that wait behind it.
    pub fn gather(&mut self, first: Step, waiting: &mut Receiver<Step>) {
        self.gather_some(first, waiting, MOST_CHANGES);
    }

    fn gather_some(&mut self, first: Step, waiting: &mut Receiver<Step>, most: usize) {
        let began = Instant::now();
        self.bytes += absorb(&mut self.batch, first);
        for _ in 1..most {
            if self.is_full() || began.elapsed() >= LONGEST_WAIT {
                break;
            }
            match waiting.try_recv() {
                Ok(step) => self.bytes += absorb(&mut self.batch, step),
                Err(_) => break,
            }
        }
    }

    /// What was gathered, as a batch; the next begins.
    pub fn take(&mut self) -> Batch {
        std::mem::take(self).batch
    }

    /// Gathers until some other work is done: the database would wait for us, if that were done afterwards. A few steps at a time:
    /// nor does the work wait for long.
    pub async fn during<T>(&mut self, waiting: &mut Receiver<Step>, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(step) = waiting.recv(), if !self.is_full() => self.gather_some(step, waiting, STEPS_A_TURN),
            }
        }
    }
}

/// Adds a step, and tells the size of its records and of the event.
fn absorb(batch: &mut Batch, step: Step) -> usize {
    let Step { changes, rejects, cursor, arrival, room: _ } = step;
    let bytes = size(&changes) + arrival.as_ref().map_or(0, |arrival| arrival.raw.len());
    match arrival {
        Some(arrival) => batch.take(arrival, changes, rejects),
        None => {
            batch.changes.extend(changes);
            batch.rejects.extend(rejects);
        }
    }
    // The last one wins. After a failover that leaves the other source's cursor behind its data: duplicates, no loss.
    if cursor.is_some() {
        batch.cursor = cursor;
    }
    bytes
}

/// How many bytes of records changes hold.
fn size(changes: &[Change]) -> usize {
    changes.iter().map(|change| if let Change::Put(put) = change { put.raw.len() } else { 0 }).sum()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use types::{Change, CursorMove, Hint};

    use super::{Gathering, MOST_CHANGES, Step, Steps, WAITING_BYTES};

    fn step(to: i64) -> Step {
        let change = Change::Look { did: "did:plc:a".parse().unwrap(), hint: Hint::Identity };
        Step {
            changes: vec![change],
            rejects: Vec::new(),
            cursor: Some(CursorMove { source: "s".into(), to, safe_time: None }),
            arrival: None,
            room: None,
        }
    }

    #[tokio::test]
    async fn takes_what_waits_and_no_more_than_the_most() {
        let (sender, mut receiver) = mpsc::channel(5_000);
        let mut next = Gathering::default();
        next.gather(step(0), &mut receiver);
        let batch = next.take();
        assert_eq!((batch.changes.len(), batch.cursor.unwrap().to), (1, 0));
        for to in 1..=2_500 {
            sender.try_send(step(to)).unwrap();
        }
        next.gather(step(0), &mut receiver);
        let batch = next.take();
        assert_eq!((batch.changes.len(), batch.cursor.unwrap().to), (MOST_CHANGES, MOST_CHANGES as i64 - 1));
        let first = receiver.recv().await.unwrap();
        next.gather(first, &mut receiver);
        assert_eq!(next.take().cursor.unwrap().to, 2_500);
        assert!(next.is_empty());
    }

    #[tokio::test]
    async fn gathers_while_other_work_is_done_and_not_beyond_it() {
        let (sender, mut receiver) = mpsc::channel(5_000);
        let mut next = Gathering::default();
        let work = async {
            for to in 0..2_500 {
                sender.send(step(to)).await.unwrap();
                tokio::task::yield_now().await;
            }
            "done"
        };
        assert_eq!(next.during(&mut receiver, work).await, "done");
        assert_eq!(next.take().changes.len(), MOST_CHANGES);
        assert_eq!(receiver.len(), 2_500 - MOST_CHANGES);
        // Nothing comes any more: only the work is waited for.
        drop(sender);
        next.during(&mut mpsc::channel(1).1, tokio::task::yield_now()).await;
        assert!(next.is_empty());
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes() {
        let (steps, mut waiting) = Steps::channel();
        let mut next = Gathering::default();
        for to in 0..2 {
            steps.send(step(to), WAITING_BYTES / 2).await.unwrap();
        }
        let mut third = Box::pin(steps.send(step(2), 1));
        assert!(futures::poll!(&mut third).is_pending());
        let first = waiting.recv().await.unwrap();
        assert!(futures::poll!(&mut third).is_pending());
        next.gather(first, &mut waiting);
        third.await.unwrap();
        // One that is larger than all that may wait gets through alone.
        let large = steps.send(step(4), WAITING_BYTES * 2);
        let first = waiting.recv().await.unwrap();
        next.gather(first, &mut waiting);
        large.await.unwrap();
        let late = steps.send(step(5), 1);
        drop(waiting);
        assert!(late.await.is_err());
    }
}
