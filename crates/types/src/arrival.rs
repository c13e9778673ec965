use std::{fmt, ops::Range, str::FromStr};

use bytes::Bytes;

use crate::{Did, DropReason, Tid};

/// An event in scope as it came, before decoding.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Whose, when that could be read.
    pub did: Option<Did>,
    /// When it came, in microseconds since 1970.
    pub received_at: i64,
    /// Where its source stands after it.
    pub position: Option<i64>,
    /// The repository's revision that it is known of, where the event itself does not tell.
    pub rev: Option<Tid>,
    /// How its bytes are to be read.
    pub form: Form,
    /// Its bytes.
    pub raw: Bytes,
    /// Which of the batch's changes were made of it.
    pub changes: Range<usize>,
    /// Why parts of it became no change.
    pub refused: Vec<DropReason>,
}

impl Arrival {
    /// An event that came at a moment, in microseconds since 1970. What it was made of is told by [`crate::Batch::take`].
    pub const fn new(form: Form, raw: Bytes, received_at: i64) -> Self {
        Self { did: None, received_at, position: None, rev: None, form, raw, changes: 0..0, refused: Vec::new() }
    }
}

/// In which form an event came: which decoder reads it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A text frame of a Jetstream of version 1, unpacked.
    JetstreamV1,
    /// A text frame of a Jetstream of version 2, unpacked.
    JetstreamV2,
    /// A binary frame of `com.atproto.sync.subscribeRepos`.
    Firehose,
    /// An item of `com.atproto.repo.listRecords`: JSON with `uri`, `cid` and `value`.
    Listed,
    /// A CAR that proves a record: `com.atproto.sync.getRecord`.
    Proof,
    /// A record's block: DAG-CBOR, as it lay in a CAR.
    Block,
    /// A record's JSON alone; nothing, where it is gone.
    Record,
}

impl Form {
    /// Every form, in the order of their numbers.
    const ALL: [Self; 7] =
        [Self::JetstreamV1, Self::JetstreamV2, Self::Firehose, Self::Listed, Self::Proof, Self::Block, Self::Record];

    /// The number under which the archive keeps it, from 1.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The form with a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.number() == number)
    }

    /// The name as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JetstreamV1 => "jetstream-v1",
            Self::JetstreamV2 => "jetstream-v2",
            Self::Firehose => "firehose",
            Self::Listed => "listed",
            Self::Proof => "proof",
            Self::Block => "block",
            Self::Record => "record",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Form {
    type Err = UnknownForm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|form| form.as_str() == name).ok_or(UnknownForm)
    }
}

/// A name that no [`Form`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is the name of no form of an event")]
pub struct UnknownForm;

#[cfg(test)]
mod tests {
    use super::Form;

    /// The numbers are on people's disks.
    #[test]
    fn numbers_and_names_stay() {
        let numbered: Vec<String> =
            (0..=8).map(|n| Form::from_number(n).map_or("-".into(), |form| form.to_string())).collect();
        let names = ["-", "jetstream-v1", "jetstream-v2", "firehose", "listed", "proof", "block", "record", "-"];
        assert_eq!(numbered, names);
        for name in &names[1..8] {
            assert_eq!(name.parse::<Form>().unwrap().as_str(), *name);
        }
    }
}
