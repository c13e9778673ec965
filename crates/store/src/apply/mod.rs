//! Changes become rows: one writer, one transaction a batch.
//!
//! A batch goes through [`ledger`] (which changes are news), the projections (one file a noun), [`repository`] and
//! [`fingerprint`] (what is derived from them), [`follow_up`] (jobs, change log, rejects, inbox, cursor).

mod copy;
mod decide;
pub(crate) mod fingerprint;
mod follow_up;
mod holds;
mod ledger;

mod projection;
mod repository;
mod snapshot;
mod writer;

pub use decide::Verdict;
pub(crate) use holds::MAX_SUCCESSORS;
pub use writer::{Applied, Writer};
