use chrono::{DateTime, Utc};

use super::{
    Refusal,
    fields::{DecodeError, Fields},
};
use crate::{AtUri, Collection, Digest, RecordId, RepositoryName, Rkey, Tag};

/// `io.atcr.tag`: a name for a manifest. Repository and tag come from the body, never from the rkey.
#[derive(Clone, Debug, PartialEq)]
pub struct TagRecord {
    /// The repository that the tag is in.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What it points at.
    pub target: TagTarget,
    /// When it was moved last, by the pusher's clock (`updatedAt`, in old records `createdAt`).
    pub updated_at: Option<DateTime<Utc>>,
}

/// What a tag points at: a record of its own repository (preferred), or in old records a bare digest.
#[derive(Clone, Debug, PartialEq)]
pub enum TagTarget {
    /// The key of a manifest record of the tag's own DID.
    Manifest(Rkey),
    /// A manifest's digest.
    Digest(Digest),
}

impl TagRecord {
    pub(super) fn decode(id: &RecordId, fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            repository: fields.parse("repository")?,
            tag: fields.parse("tag")?,
            target: target(id, fields)?,
            updated_at: fields.time("updatedAt").or_else(|| fields.time("createdAt")),
        })
    }
}

fn target(id: &RecordId, fields: &Fields<'_>) -> Result<TagTarget, Refusal> {
    if let Some(uri) = fields.opt_parse::<AtUri>("manifest")? {
        if uri.did != id.did {
            return Err(Refusal::Forged("a tag may only point into its own repository"));
        }
        if uri.collection.as_str() != Collection::Manifest.as_str() {
            return Err(DecodeError::new("manifest", format!("{uri} is not a manifest record")).into());
        }
        return Ok(TagTarget::Manifest(uri.rkey));
    }
    match fields.opt_parse("manifestDigest")? {
        Some(digest) => Ok(TagTarget::Digest(digest)),
        None => Err(fields.error("manifest", "neither manifest nor manifestDigest is there").into()),
    }
}
