//! Steps of a stream become batches: what waits is taken together, and nothing waits for more.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::Utc;
use tokio::sync::mpsc::Receiver;
use types::{Arrival, Batch, Change, CursorMove, Origin, Reject};

/// The most changes of a batch; one step may go over it.
const MOST_CHANGES: usize = 2_000;
/// The most bytes of records in a batch; one step may go over it.
const MOST_BYTES: usize = 16 << 20;
/// The longest that a batch is gathered while more keeps coming.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// How many steps may wait for the writer; then the source waits.
pub const WAITING_STEPS: usize = 1_000;

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
}

impl Step {
    /// What an event came to, with the event itself for the archive.
    pub fn taken(changes: Vec<Change>, rejects: Vec<Reject>, cursor: Option<CursorMove>, raw: Bytes) -> Self {
        let did = changes.first().map(|change| change.did().clone());
        let arrival = Arrival {
            did: did.or_else(|| rejects.first().and_then(|reject| reject.did.clone())),
            received_at: Utc::now().timestamp_micros(),
            position: cursor.as_ref().map(|cursor| cursor.to),
            raw,
            changes: 0..changes.len(),
            refused: rejects.iter().map(|reject| reject.reason).collect(),
        };
        Self { changes, rejects, cursor, arrival: Some(arrival) }
    }
}

/// Makes a batch of a step and those that wait behind it.
pub fn gather(first: Step, waiting: &mut Receiver<Step>) -> Batch {
    let began = Instant::now();
    let mut batch = Batch::new(Origin::Stream);
    let mut bytes = absorb(&mut batch, first);
    while batch.changes.len() < MOST_CHANGES && bytes < MOST_BYTES && began.elapsed() < LONGEST_WAIT {
        match waiting.try_recv() {
            Ok(step) => bytes += absorb(&mut batch, step),
            Err(_) => break,
        }
    }
    batch
}

/// Adds a step, and tells the size of its records.
fn absorb(batch: &mut Batch, step: Step) -> usize {
    let records = step.changes.iter().map(|change| if let Change::Put(put) = change { put.raw.len() } else { 0 });
    let bytes = records.sum();
    if let Some(mut arrival) = step.arrival {
        let first = batch.changes.len();
        arrival.changes = first..first + step.changes.len();
        batch.arrivals.push(arrival);
    }
    batch.changes.extend(step.changes);
    batch.rejects.extend(step.rejects);
    // The last one wins. After a failover that leaves the other source's cursor behind its data: duplicates, no loss.
    if step.cursor.is_some() {
        batch.cursor = step.cursor;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use types::{Change, CursorMove, Hint};

    use super::{MOST_CHANGES, Step, gather};

    fn step(to: i64) -> Step {
        let change = Change::Look { did: "did:plc:a".parse().unwrap(), hint: Hint::Identity };
        Step {
            changes: vec![change],
            rejects: Vec::new(),
            cursor: Some(CursorMove { source: "s".into(), to, safe_time: None }),
            arrival: None,
        }
    }

    #[tokio::test]
    async fn takes_what_waits_and_no_more_than_the_most() {
        let (sender, mut receiver) = mpsc::channel(5_000);
        let batch = gather(step(0), &mut receiver);
        assert_eq!((batch.changes.len(), batch.cursor.unwrap().to), (1, 0));
        for to in 1..=2_500 {
            sender.try_send(step(to)).unwrap();
        }
        let batch = gather(step(0), &mut receiver);
        assert_eq!((batch.changes.len(), batch.cursor.unwrap().to), (MOST_CHANGES, MOST_CHANGES as i64 - 1));
        let first = receiver.recv().await.unwrap();
        assert_eq!(gather(first, &mut receiver).cursor.unwrap().to, 2_500);
    }
}
