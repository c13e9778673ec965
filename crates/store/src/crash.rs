//! Places at which a test ends the process, as `kill -9` would; without the feature `crash-points` there are none.

/// Ends the process here if `CROWSNEST_CRASH_AT` is `name`, or `name:n` and this is the n-th time.
#[cfg(feature = "crash-points")]
pub fn point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let Ok(at) = std::env::var("CROWSNEST_CRASH_AT") else { return };
    let (wanted, times) = at.split_once(':').unwrap_or((&at, "1"));
    if wanted == name && (PASSED.fetch_add(1, Ordering::Relaxed) + 1).to_string() == times {
        tracing::warn!(point = name, "Ending the process at a crash point");
        std::process::abort();
    }
}

/// Does nothing.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub fn point(_name: &str) {}
