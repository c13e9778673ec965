use std::time::Duration;

use tokio::time::Instant;

/// Something that fails again and again until it works: it is logged when it begins and when it ends, not at every try.
#[derive(Debug, Default)]
pub struct Incident(Option<Instant>);

impl Incident {
    /// It failed; whether it did not fail before.
    pub fn begins(&mut self) -> bool {
        let new = self.0.is_none();
        self.0.get_or_insert_with(Instant::now);
        new
    }

    /// It works; for how long it did not.
    pub fn ends(&mut self) -> Option<Duration> {
        self.0.take().map(|since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::Incident;

    #[test]
    fn begins_once_and_ends_once() {
        let mut incident = Incident::default();
        assert_eq!(incident.ends(), None);
        assert!(incident.begins() && !incident.begins());
        assert!(incident.ends().is_some() && incident.ends().is_none());
        assert!(incident.begins());
    }
}
