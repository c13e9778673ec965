//! Changes become rows: one writer, one transaction a batch.
//!
//! A batch goes through [`ledger`] (which changes are news), the projections (one file a noun), [`repository`] and
//! [`fingerprint`] (what is derived from them), [`follow_up`] (jobs, change log, rejects, inbox, cursor); [`part`] puts these
//! in order, [`quota`] bounds what one account may leave, and [`silence`] is how a standby sees that a writer is none.

mod actors;
mod copy;
mod decide;
mod entries;
pub(crate) mod fingerprint;
mod follow_up;
mod holds;
mod late;
mod ledger;
mod lent;
mod part;
mod projection;
mod purge;
mod quota;
mod repository;
mod silence;
mod snapshot;
mod transaction;
mod writer;

pub use decide::Verdict;
pub(crate) use holds::MAX_SUCCESSORS;
pub use quota::Caps;
pub(crate) use silence::is_held;
pub(crate) use transaction::Transaction;
pub(crate) use writer::WRITER_LOCK;
pub use writer::{Applied, Writer};
