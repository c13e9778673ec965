//! What the network told us, shared by generations. Any process may write here: each statement is idempotent.

mod actor;
mod bytes;
mod hold;

pub use actor::{ActorSeen, Status, actor, known_dids, stale_handles};
pub use bytes::{
    BlobRole, ImageConfig, ManifestBytes, Referenced, has_config, has_manifest, image_config, manifest_bytes,
};
pub use hold::hold_health;
