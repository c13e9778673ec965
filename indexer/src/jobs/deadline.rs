use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// How long a job may go on. What it achieves gives it more: a large repository is read to its end, a host that drips is left.
#[derive(Debug)]
pub struct Deadline {
    began: Instant,
    allowed: Mutex<Duration>,
}

impl Deadline {
    /// So long from now.
    pub fn after(allowed: Duration) -> Self {
        Self { began: Instant::now(), allowed: Mutex::new(allowed) }
    }

    /// So much longer.
    pub fn extend(&self, by: Duration) {
        let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        *allowed = allowed.saturating_add(by);
    }

    /// Waits until it has passed, and tells how long it was in the end.
    pub async fn passed(&self) -> Duration {
        loop {
            let allowed = *self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
            if self.began.elapsed() >= allowed {
                return allowed;
            }
            sleep_until(self.began + allowed).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Deadline;

    #[tokio::test]
    async fn what_is_achieved_puts_it_off() {
        let short = Duration::from_millis(30);
        let deadline = Deadline::after(short);
        let mut passed = Box::pin(deadline.passed());
        assert!(futures::poll!(&mut passed).is_pending());
        // Whoever waits for it already waits longer.
        deadline.extend(short);
        assert_eq!(passed.await, 2 * short);
        assert!(deadline.began.elapsed() >= 2 * short);
    }
}
