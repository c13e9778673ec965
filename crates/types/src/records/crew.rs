use chrono::{DateTime, Utc};

use super::{Refusal, fields::Fields};
use crate::{AtUri, Collection, Did, Handle, RecordId};

/// `io.atcr.hold.crew`, both generations under one NSID: a membership of a hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Crew {
    /// The hold. In version 1 records it is known by the address of its legacy declaration.
    pub hold: CrewOf,
    /// Who is admitted.
    pub member: Member,
    /// `owner`, `write`, `read`, …, as declared.
    pub role: Option<String>,
    /// `blob:read`, `blob:write`, `crew:admin`. A version 1 role is read as the permissions that it stood for.
    pub permissions: Vec<String>,
    /// When the membership began.
    pub added_at: Option<DateTime<Utc>>,
    /// When it ends; version 1 only.
    pub expires_at: Option<DateTime<Utc>>,
}

/// How a membership names its hold.
#[derive(Clone, Debug, PartialEq)]
pub enum CrewOf {
    /// Version 2: the repository that the record lies in.
    Hold(Did),
    /// Version 1: a legacy hold record of the same repository.
    Declaration(AtUri),
}

/// Who is admitted by a crew record.
#[derive(Clone, Debug, PartialEq)]
pub enum Member {
    /// One account.
    Did(Did),
    /// Everyone whose resolved handle matches: `*`, `*.example.com`, `prefix.*`, `*.middle.*`; version 1 only.
    Pattern(String),
}

impl Member {
    /// Whether this admits an account whose *resolved* handle is `handle`. A pattern admits nobody without one, not even `*`.
    pub fn admits(&self, did: &Did, handle: Option<&Handle>) -> bool {
        match self {
            Self::Did(member) => member == did,
            Self::Pattern(pattern) => {
                handle.is_some_and(|handle| matches(&pattern.to_ascii_lowercase(), handle.as_str()))
            }
        }
    }
}

/// `*`, `*.example.com`, `prefix.*`, `*.middle.*`: a star stands for one or more whole parts of the handle.
fn matches(pattern: &str, handle: &str) -> bool {
    match (pattern.strip_prefix("*."), pattern.strip_suffix(".*")) {
        _ if pattern == "*" => true,
        (Some(rest), Some(_)) => rest.strip_suffix(".*").is_some_and(|middle| {
            let parts = format!(".{middle}.");
            !middle.is_empty() && !middle.contains('*') && handle.contains(&parts)
        }),
        (Some(domain), None) => {
            !domain.contains('*') && handle.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        }
        (None, Some(prefix)) => {
            !prefix.contains('*') && handle.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
        }
        (None, None) => !pattern.contains('*') && pattern == handle,
    }
}

impl Crew {
    /// Whether the membership has not ended by a moment.
    pub fn is_in_force(&self, at: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|end| at < end)
    }

    pub(super) fn decode(id: &RecordId, fields: &Fields<'_>) -> Result<Self, Refusal> {
        if fields.has("hold") { Self::decode_v1(id, fields) } else { Self::decode_v2(id, fields) }
    }

    fn decode_v1(id: &RecordId, fields: &Fields<'_>) -> Result<Self, Refusal> {
        let declaration: AtUri = fields.parse("hold")?;
        if declaration.did != id.did {
            return Err(Refusal::Forged("crew of a legacy hold is declared by the hold's owner alone"));
        }
        if declaration.collection.as_str() != Collection::LegacyHold.as_str() {
            return Err(fields.error("hold", format!("{declaration} is not a hold record")).into());
        }
        let member = match (fields.opt_parse("member")?, fields.opt_text("memberPattern")) {
            (Some(did), None) => Member::Did(did),
            (None, Some(pattern)) => Member::Pattern(pattern),
            _ => return Err(fields.error("member", "exactly one of member and memberPattern is asked for").into()),
        };
        let role = fields.opt_text("role");
        Ok(Self {
            hold: CrewOf::Declaration(declaration),
            member,
            permissions: permissions_of(role.as_deref()),
            role,
            added_at: fields.time("createdAt"),
            expires_at: fields.time("expiresAt"),
        })
    }

    fn decode_v2(id: &RecordId, fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            hold: CrewOf::Hold(id.did.clone()),
            member: Member::Did(fields.parse("member")?),
            role: fields.opt_text("role"),
            permissions: fields.texts("permissions"),
            added_at: fields.time("addedAt"),
            expires_at: None,
        })
    }
}

fn permissions_of(role: Option<&str>) -> Vec<String> {
    let names: &[&str] = match role {
        Some("owner") => &["blob:read", "blob:write", "crew:admin"],
        Some("write") => &["blob:read", "blob:write"],
        Some("read") => &["blob:read"],
        _ => &[],
    };
    names.iter().map(ToString::to_string).collect()
}
