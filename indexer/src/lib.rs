//! The indexer: from a socket to the store.
//!
//! In data-flow order: `source` (frames become an `event`), `validate` (an event becomes changes, or a reason why not),
//! `batch` (changes become batches), `tenure` (the one writer applies them), `jobs` (what has to be fetched from the
//! network afterwards, and backfill), `holds` (which are followed at their own streams). [`run()`] is all of it. Beside it,
//! [`backfill`] and [`mod@reconcile`] have work done and wait for it.

mod batch;
mod budget;
mod config;
mod error;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod holds;
mod intake;
mod jobs;
mod known;
mod measure;
pub mod reconcile;
mod run;
mod source;
mod status;
mod tenure;
mod validate;
mod work;

#[cfg(test)]
mod tests;

pub use batch::{Gathering, Step, WAITING_STEPS};
pub use config::{IndexerConfig, Timing, Verify};
pub use error::IndexerError;
pub use intake::Intake;
pub use measure::METRICS;
pub use run::{check, run};
pub use status::{IndexerStatus, SourceState};
pub use work::{backfill, queue_backfill};
