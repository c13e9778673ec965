use chrono::{DateTime, Utc};

use super::{Refusal, fields::Fields};
use crate::{Did, RecordId};

/// A hold's declaration of itself: `io.atcr.hold.captain` in the hold's own repository, or `io.atcr.hold` (legacy) in its
/// owner's. A captain beats a legacy record of the same hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// The hold; a legacy endpoint is read as its `did:web`.
    pub hold: Did,
    /// Who runs it.
    pub owner: Did,
    /// Whether this is the captain record, so that the hold itself is speaking.
    pub captain: bool,
    /// Where a legacy hold answers.
    pub endpoint: Option<String>,
    /// Blobs may be read without authentication.
    pub public: bool,
    /// Anyone may join the crew.
    pub allow_all_crew: bool,
    /// Where it runs, in its owner's words.
    pub region: Option<String>,
    /// The hold that took over.
    pub successor: Option<Did>,
    /// When it was set up.
    pub deployed_at: Option<DateTime<Utc>>,
}

impl Hold {
    /// Captain records count only from the hold itself, and the repository that one lies in *is* the hold.
    pub(super) fn decode_captain(id: &RecordId, fields: &Fields<'_>) -> Result<Self, Refusal> {
        if id.rkey.as_str() != "self" {
            return Err(Refusal::Forged("a captain record has the key self"));
        }
        Ok(Self {
            hold: id.did.clone(),
            owner: fields.parse("owner")?,
            captain: true,
            endpoint: None,
            public: fields.flag("public"),
            allow_all_crew: fields.flag("allowAllCrew"),
            region: fields.opt_text("region"),
            successor: fields.opt_parse("successor")?,
            deployed_at: fields.time("deployedAt"),
        })
    }

    /// Legacy records count only from the repository of the owner whom they name.
    pub(super) fn decode_legacy(id: &RecordId, fields: &Fields<'_>) -> Result<Self, Refusal> {
        let owner: Did = fields.parse("owner")?;
        if owner != id.did {
            return Err(Refusal::Forged("a legacy hold record may only name its own repository as owner"));
        }
        let endpoint = fields.text("endpoint")?;
        let hold =
            Did::web_of_endpoint(endpoint).ok_or_else(|| fields.error("endpoint", "not an http(s) URL with a host"))?;
        Ok(Self {
            hold,
            owner,
            captain: false,
            endpoint: fields.opt_text("endpoint"),
            public: fields.flag("public"),
            allow_all_crew: false,
            region: None,
            successor: None,
            deployed_at: fields.time("createdAt"),
        })
    }
}
