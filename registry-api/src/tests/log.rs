//! What is logged.

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};

/// What this thread logs, one a line.
#[derive(Clone)]
pub struct Log {
    text: Arc<Mutex<String>>,
    /// The least that is heard.
    level: Level,
}

impl Log {
    /// Listens to warnings until the guard is dropped.
    pub fn listen() -> (Self, DefaultGuard) {
        Self::at(Level::WARN)
    }

    /// Listens to everything, libraries too.
    pub fn listen_to_all() -> (Self, DefaultGuard) {
        Self::at(Level::TRACE)
    }

    fn at(level: Level) -> (Self, DefaultGuard) {
        let log = Self { text: Arc::default(), level };
        let guard = tracing::subscriber::set_default(log.clone());
        (log, guard)
    }

    pub fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = self.text.lock().unwrap();
        event.record(&mut Fields(&mut text));
        text.push('\n');
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}
