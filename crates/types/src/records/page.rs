use chrono::{DateTime, Utc};

use super::{Refusal, fields::Fields, manifest::BlobLink};
use crate::{RecordId, RepositoryName};

/// `io.atcr.repo.page`: what a repository's owner says about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The repository, from the body or else from the key.
    pub repository: RepositoryName,
    /// A README in Markdown; markup of a stranger until it is sanitised.
    pub description: Option<String>,
    /// An icon: png, jpeg or webp.
    pub avatar: Option<BlobLink>,
    /// The last change, by the owner's clock.
    pub updated_at: Option<DateTime<Utc>>,
}

impl Page {
    pub(super) fn decode(id: &RecordId, fields: &Fields<'_>) -> Result<Self, Refusal> {
        let repository = match fields.opt_parse("repository")? {
            Some(repository) => repository,
            None => id.rkey.as_str().parse().map_err(|error| fields.error("repository", error))?,
        };
        let avatar = fields.object("avatar")?.and_then(|avatar| BlobLink::decode(&avatar).ok());
        Ok(Self {
            repository,
            description: fields.opt_text("description").filter(|text| text.len() <= 100_000 && !text.trim().is_empty()),
            avatar: avatar.filter(|link| matches!(link.mime_type.as_str(), "image/png" | "image/jpeg" | "image/webp")),
            updated_at: fields.time("updatedAt").or_else(|| fields.time("createdAt")),
        })
    }
}
