//! How often somebody may be wrong: nobody finds a password out here, and no PDS is pestered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use moka::sync::Cache;

use crate::errors::{Code, OciError, Result};

/// The time in which attempts are counted together.
const WINDOW: Duration = Duration::from_secs(300);

/// Attempts that were not right, each counted before it is made: who tries many at once is not ahead.
pub(crate) struct Attempts {
    failed: Cache<String, Arc<Window>>,
    most: u32,
}

struct Window {
    began: Instant,
    count: AtomicU32,
}

/// An attempt that counts.
#[must_use]
pub(crate) struct Attempt(Arc<Window>);

impl Attempts {
    /// At most so many in [`WINDOW`].
    pub fn new(most: u32) -> Self {
        Self { failed: Cache::builder().max_capacity(100_000).time_to_live(WINDOW).build(), most }
    }

    /// Counts an attempt of somebody, or at somebody's account.
    pub fn begin(&self, who: &str) -> Result<Attempt> {
        let window = || Arc::new(Window { began: Instant::now(), count: AtomicU32::new(0) });
        let window = self.failed.get_with_by_ref(who, window);
        if window.count.fetch_add(1, Ordering::SeqCst) < self.most {
            return Ok(Attempt(window));
        }
        window.count.fetch_sub(1, Ordering::SeqCst);
        let left = WINDOW.saturating_sub(window.began.elapsed()).as_secs() + 1;
        let message = format!("too many failed attempts to sign in: try again in {left} s");
        Err(OciError::new(Code::TooManyRequests, message).with_retry_after(left))
    }
}

impl Attempt {
    /// It was right, or could not be judged.
    pub fn forgive(self) {
        self.0.count.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::Attempts;
    use crate::errors::Code;

    #[test]
    fn who_was_wrong_too_often_waits_and_others_do_not() {
        let attempts = Attempts::new(2);
        attempts.begin("alice").unwrap().forgive();
        let _wrong = attempts.begin("alice").unwrap();
        let right = attempts.begin("alice").unwrap();
        assert!(attempts.begin("alice").is_err_and(|error| error.code == Code::TooManyRequests));
        right.forgive();
        let _wrong = attempts.begin("alice").unwrap();
        assert!(attempts.begin("alice").is_err());
        assert!(attempts.begin("bob").is_ok());
    }
}
