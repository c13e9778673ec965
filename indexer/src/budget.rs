//! The bytes of others that this process holds at once, besides those of the main stream ([`crate::batch`]): readings, holds'
//! streams and proofs share one allowance, so that nobody fills the memory, however large or slow what he sends.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The whole allowance: the largest proof, a page for each of the other readings, and room for holds. It counts bytes as they
/// came; what is made of them takes two or three times as much.
pub const WHOLE: usize = 112 << 20;
/// A semaphore has too few permits for single bytes.
const UNIT: usize = 1 << 10;

/// An allowance of bytes.
#[derive(Clone, Debug)]
pub struct Budget {
    room: Arc<Semaphore>,
    units: usize,
}

/// A part of the allowance, given back when it is dropped.
#[derive(Debug)]
pub struct Room(Option<OwnedSemaphorePermit>);

impl Budget {
    /// An allowance of so many bytes.
    pub fn new(bytes: usize) -> Self {
        let units = bytes.div_ceil(UNIT);
        Self { room: Arc::new(Semaphore::new(units)), units }
    }

    /// Waits for room; what is larger than the whole gets through alone. Whoever has room already must not wait for more.
    pub async fn take(&self, bytes: usize) -> Room {
        // Nobody closes the semaphore.
        Room(self.room.clone().acquire_many_owned(self.units(bytes)).await.ok())
    }

    /// Room, if there is some at once.
    pub fn try_take(&self, bytes: usize) -> Option<Room> {
        self.room.clone().try_acquire_many_owned(self.units(bytes)).ok().map(|permit| Room(Some(permit)))
    }

    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT).min(self.units)).unwrap_or(u32::MAX)
    }
}

impl Room {
    /// Gives back what is not needed for so many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        if let Some(permit) = &mut self.0 {
            drop(permit.split(permit.num_permits().saturating_sub(bytes.div_ceil(UNIT))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[tokio::test]
    async fn room_is_given_back() {
        let budget = Budget::new(10 << 10);
        let mut some = budget.take(6 << 10).await;
        assert!(budget.try_take(5 << 10).is_none());
        let mut more = Box::pin(budget.take(5 << 10));
        assert!(futures::poll!(&mut more).is_pending());
        some.shrink(5 << 10);
        more.await;
        drop(some);
        // What is larger than the whole gets through alone.
        let all = budget.take(1 << 30).await;
        assert!(budget.try_take(1).is_none());
        drop(all);
        budget.try_take(10 << 10).unwrap();
    }
}
