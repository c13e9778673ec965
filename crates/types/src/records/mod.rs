//! The `io.atcr.*` records, every generation of a lexicon folded into one shape.
//!
//! Decoding is lenient where the network is (unknown fields, either of two generations, missing times) and strict where a
//! wrong value would be believed (names, digests, sizes). A record that does not decode is kept in the ledger as invalid.

mod crew;
mod fields;
mod hold;
mod manifest;
mod page;
mod profile;
mod scan;
mod star;
mod stats;
mod tag;

pub use crew::{Crew, CrewOf, Member};
pub use fields::DecodeError;
pub use hold::Hold;
pub use manifest::{BlobLink, BlobRef, ChildManifest, Manifest, Platform};
pub use page::Page;
pub use profile::Profile;
pub use scan::{Findings, Scan};
pub use star::Star;
pub use stats::HoldStats;
pub use tag::{TagRecord, TagTarget};

use crate::{Collection, RecordId};
use fields::Fields;

/// The version of this module's reading of records. A row that an older decoder wrote is projected anew when it is seen
/// again. Raise it with every change of what [`decode`] returns.
pub const DECODER: i32 = 2;

/// The most values that a record may hold, every entry of a list or map counted. Parsed, a value takes a hundred times the
/// bytes that it is written with; the largest index or README of the network has a few thousand.
pub const MAX_VALUES: usize = 100_000;

/// Whether some JSON holds no more than [`MAX_VALUES`] values, told without parsing it.
pub fn is_bounded(json: &[u8]) -> bool {
    // A value and what separates it from the next are two bytes.
    if json.len() <= 2 * MAX_VALUES {
        return true;
    }
    let (mut values, mut in_text, mut escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    values <= MAX_VALUES
}

/// A decoded record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// `io.atcr.manifest`
    Manifest(Box<Manifest>),
    /// `io.atcr.tag`
    Tag(TagRecord),
    /// `io.atcr.sailor.star`
    Star(Star),
    /// `io.atcr.sailor.profile`
    Profile(Profile),
    /// `io.atcr.repo.page`
    Page(Page),
    /// `io.atcr.hold.captain` or `io.atcr.hold`
    Hold(Hold),
    /// `io.atcr.hold.crew`
    Crew(Crew),
    /// `io.atcr.hold.layer`: kept in the ledger, projected nowhere.
    HoldLayer,
    /// `io.atcr.hold.stats`
    HoldStats(HoldStats),
    /// `io.atcr.hold.scan`
    Scan(Scan),
}

/// Why a record is kept but projected nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not what its lexicon asks for.
    #[error("undecodable: {0}")]
    Undecodable(#[from] DecodeError),
    /// It decodes, but speaks of what its repository has no say in.
    #[error("forged: {0}")]
    Forged(&'static str),
    /// It decodes, but the database cannot hold what it says.
    #[error("unstorable: {0}")]
    Unstorable(String),
}

/// Decodes a record's JSON by its collection, and applies the authority rules that the record alone decides.
///
/// # Errors
/// [`Refusal::Undecodable`] when a required field is missing or wrong; [`Refusal::Forged`] when the repository that it
/// lies in may not say it.
pub fn decode(id: &RecordId, raw: &[u8]) -> Result<Record, Refusal> {
    if !is_bounded(raw) {
        return Err(DecodeError::new("$", format!("more than {MAX_VALUES} values")).into());
    }
    let value: serde_json::Value =
        serde_json::from_slice(raw).map_err(|error| DecodeError::new("$", format!("not JSON: {error}")))?;
    let fields = Fields::root(&value, id.collection)?;
    Ok(match id.collection {
        Collection::Manifest => Record::Manifest(Box::new(Manifest::decode(&fields)?)),
        Collection::Tag => Record::Tag(TagRecord::decode(id, &fields)?),
        Collection::Star => Record::Star(Star::decode(&fields)?),
        Collection::Profile => Record::Profile(Profile::decode(&fields)),
        Collection::Page => Record::Page(Page::decode(id, &fields)?),
        Collection::LegacyHold => Record::Hold(Hold::decode_legacy(id, &fields)?),
        Collection::Captain => Record::Hold(Hold::decode_captain(id, &fields)?),
        Collection::Crew => Record::Crew(Crew::decode(id, &fields)?),
        Collection::HoldLayer => {
            fields.digest("digest")?;
            Record::HoldLayer
        }
        Collection::HoldStats => Record::HoldStats(HoldStats::decode(&fields)?),
        Collection::Scan => Record::Scan(Scan::decode(id, &fields)?),
    })
}

#[cfg(test)]
mod tests;
