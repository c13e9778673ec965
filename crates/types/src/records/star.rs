use chrono::{DateTime, Utc};

use super::fields::{DecodeError, Fields};
use crate::{AtUri, Collection, Did, RepositoryName};

/// `io.atcr.sailor.star`: both generations name an owner and a repository, which need not exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Star {
    /// The repository's owner.
    pub owner: Did,
    /// The repository.
    pub repository: RepositoryName,
    /// When the star was given, by the giver's clock.
    pub created_at: Option<DateTime<Utc>>,
}

impl Star {
    pub(super) fn decode(fields: &Fields<'_>) -> Result<Self, DecodeError> {
        let (owner, repository) = subject(fields)?;
        Ok(Self { owner, repository, created_at: fields.time("createdAt") })
    }
}

/// New: an at-uri of a repository page. Old: an object of DID and name.
fn subject(fields: &Fields<'_>) -> Result<(Did, RepositoryName), DecodeError> {
    if let Ok(uri) = fields.text("subject") {
        let (did, collection, repository) =
            AtUri::parse_repo_page(uri).map_err(|error| fields.error("subject", error))?;
        if collection.as_str() != Collection::Page.as_str() {
            return Err(fields.error("subject", format!("{collection} is not a repository page")));
        }
        return Ok((did, repository));
    }
    let subject = fields.object("subject")?.ok_or_else(|| fields.error("subject", "missing"))?;
    Ok((subject.parse("did")?, subject.parse("repository")?))
}
