use tokio_postgres::types::Type;
use types::{
    RecordId,
    records::{TagRecord, TagTarget},
};

use super::Rows;
use crate::apply::copy::{Table, row};

const TAG: Table = Table {
    name: "tag",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("repository", Type::TEXT),
        ("tag", Type::TEXT),
        ("manifest_rkey", Type::TEXT),
        ("manifest_digest", Type::TEXT),
        ("updated_at", Type::TIMESTAMPTZ),
    ],
};

pub(super) fn rows<'a>(id: &'a RecordId, tag: &'a TagRecord) -> Rows<'a> {
    let (manifest, digest) = match &tag.target {
        TagTarget::Manifest(rkey) => (Some(rkey.as_str()), None),
        TagTarget::Digest(digest) => (None, Some(digest.as_str())),
    };
    let repository = tag.repository.as_str();
    vec![(
        &TAG,
        row![id.did.as_str(), id.rkey.as_str(), repository, tag.tag.as_str(), manifest, digest, tag.updated_at],
    )]
}
