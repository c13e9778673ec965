//! What the network told us, shared by generations. Any process may write here: each statement is idempotent.

mod actor;
mod bytes;
mod changed;
mod hold;
mod hold_stream;

pub use actor::{
    ActorSeen, KnownActor, Status, actor, is_gone_for_good, known_actor, known_dids, legacy_hold, stale_handles,
};
pub use bytes::{config_of, has_config, has_manifest, image_config, manifest_bytes};
pub use changed::changed;
pub use hold::{hold_answered, hold_health, hold_is_private};
pub use hold_stream::{HoldDue, HoldLeft, hold_left, hold_read, holds_due};
pub use types::oci::{BlobRole, ImageConfig, ManifestBytes, Referenced};
