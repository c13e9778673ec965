//! The nouns of crowsnest, parsed once into types that cannot be wrong. No I/O.
//!
//! In data-flow order: [`names`] (who and what), [`Cid`] and [`Digest`] (content addresses), [`records`] (what people
//! publish, every generation folded into one shape), [`oci`] (what the bytes behind them say), [`permission`] (who may read
//! a hold's blobs), [`Change`] (what the store is asked to do), [`search`] (what a query asks for).

mod arrival;
mod change;
mod cid;
mod digest;
mod media_type;
pub mod names;
pub mod oci;
pub mod permission;
pub mod records;
pub mod search;

pub use arrival::{Arrival, Form, UnknownForm};
pub use change::{
    Batch, Change, CursorMove, DropReason, Hint, Origin, Put, RecordId, Reject, UnknownVerification, Verification,
};
pub use cid::{Cid, CidError, record_block, record_cid};
pub use digest::{Digest, DigestCheck, DigestError};
pub use media_type::{ManifestKind, ManifestMediaType};
pub use names::{AtUri, Collection, Did, Handle, NameError, Nsid, OciName, Reference, RepositoryName, Rkey, Tag, Tid};
