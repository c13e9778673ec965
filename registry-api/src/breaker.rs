//! A hold that fails again and again is left alone for a while: clients hear at once that it is down, and it gets up more
//! easily.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use moka::sync::Cache;

/// After so many failures in a row nobody is sent.
const FAILURES: u32 = 3;

/// The holds that were asked lately.
pub(crate) struct Breakers {
    holds: Cache<String, Arc<Mutex<State>>>,
    pause: Duration,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// When it may be asked again.
    until: Option<Instant>,
}

impl Breakers {
    /// A failing hold is asked once in every `pause`.
    pub fn new(pause: Duration) -> Self {
        Self { holds: Cache::builder().max_capacity(10_000).time_to_idle(Duration::from_secs(600)).build(), pause }
    }

    /// Whether a hold may be asked now. Of those who ask for one that is left alone, one is let through when its time is over.
    pub fn admits(&self, hold: &str) -> bool {
        let Some(state) = self.holds.get(hold) else { return true };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.until {
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                state.until = Some(Instant::now() + self.pause);
                true
            }
            None => true,
        }
    }

    /// Notes whether a hold that was asked gave an answer.
    pub fn note(&self, hold: &str, answered: bool) {
        if answered {
            self.holds.invalidate(hold);
            return;
        }
        let state = self.holds.get_with_by_ref(hold, Arc::default);
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures += 1;
        if state.failures >= FAILURES {
            state.until = Some(Instant::now() + self.pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Breakers, FAILURES};

    #[tokio::test]
    async fn after_failures_in_a_row_one_is_let_through_now_and_then() {
        let breakers = Breakers::new(Duration::from_millis(50));
        for _ in 0..FAILURES {
            assert!(breakers.admits("a"));
            breakers.note("a", false);
        }
        assert!(!breakers.admits("a"));
        assert!(breakers.admits("b"));
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(breakers.admits("a"));
        assert!(!breakers.admits("a"), "one at a time");
        breakers.note("a", true);
        assert!(breakers.admits("a") && breakers.admits("a"));
        breakers.note("a", false);
        assert!(breakers.admits("a"), "one failure is none");
    }
}
