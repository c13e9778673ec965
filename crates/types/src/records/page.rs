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
    /// The description's first paragraph as plain text, at most 300 characters.
    pub summary: Option<String>,
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
        let description =
            fields.opt_text("description").filter(|text| text.len() <= 100_000 && !text.trim().is_empty());
        Ok(Self {
            repository,
            summary: description.as_deref().and_then(summary),
            description,
            avatar: avatar.filter(|link| matches!(link.mime_type.as_str(), "image/png" | "image/jpeg" | "image/webp")),
            updated_at: fields.time("updatedAt").or_else(|| fields.time("createdAt")),
        })
    }
}

/// The first line that is prose: no heading, image, badge, quote, rule, table, list or code.
fn summary(markdown: &str) -> Option<String> {
    let mut in_code = false;
    let prose = markdown.lines().map(str::trim).find(|line| {
        if line.starts_with("```") || line.starts_with("~~~") {
            in_code = !in_code;
            return false;
        }
        !in_code
            && line.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '"' | '`' | '*' | '_'))
            && !line.starts_with("* ")
            && !line.starts_with("***")
            && !line.starts_with("___")
    })?;
    let plain: String = prose.chars().filter(|c| !matches!(c, '*' | '_' | '`') && !c.is_control()).take(300).collect();
    Some(plain.trim().to_owned()).filter(|plain| !plain.is_empty())
}
