//! What is worth a line in the log: others' faults, whoever asks for them and how often.

use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use moka::sync::Cache;

/// For how long the same is not told again.
const AGAIN: Duration = Duration::from_secs(60);
/// How many different ones are told in that time: whoever makes up names makes up no lines.
const MOST: u32 = 30;

static TOLD: LazyLock<Cache<String, ()>> =
    LazyLock::new(|| Cache::builder().max_capacity(1000).time_to_live(AGAIN).build());
static LATELY: Mutex<Option<(Instant, u32)>> = Mutex::new(None);

/// Whether this was not told within a minute, and not too much else either. From now on it was.
pub(crate) fn is_news(incident: &str) -> bool {
    TOLD.entry_by_ref(incident).or_insert(()).is_fresh() && has_room(&LATELY, Instant::now())
}

fn has_room(lately: &Mutex<Option<(Instant, u32)>>, now: Instant) -> bool {
    let mut lately = lately.lock().unwrap_or_else(PoisonError::into_inner);
    let (began, count) = lately.filter(|(began, _)| now.duration_since(*began) < AGAIN).unwrap_or((now, 0));
    *lately = Some((began, count + 1));
    count < MOST
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Instant};

    use super::{AGAIN, MOST, has_room, is_news};

    #[test]
    fn an_incident_is_told_once() {
        assert!(is_news("the hold of a test does not answer"));
        assert!(!is_news("the hold of a test does not answer"));
        assert!(is_news("another hold of a test does not answer"));
    }

    #[test]
    fn of_many_some_are_told() {
        let (lately, now) = (Mutex::new(None), Instant::now());
        let told = (0..1000).filter(|_| has_room(&lately, now)).count();
        assert_eq!(told, MOST as usize);
        assert!(has_room(&lately, now + AGAIN));
    }
}
