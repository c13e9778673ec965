use tokio_postgres::types::Type;
use types::{
    RecordId,
    records::{Page, Profile},
};

use crate::{
    StoreError,
    apply::copy::{Copies, Table},
};

const PAGE: Table = Table {
    name: "page",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("repository", Type::TEXT),
        ("description", Type::TEXT),
        ("summary", Type::TEXT),
        ("avatar_cid", Type::TEXT),
        ("avatar_type", Type::TEXT),
        ("updated_at", Type::TIMESTAMPTZ),
    ],
};

const PROFILE: Table = Table {
    name: "profile",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("default_hold", Type::TEXT),
        ("oci_client", Type::TEXT),
        ("registry_domain", Type::TEXT),
    ],
};

pub(super) fn rows(copies: &mut Copies, id: &RecordId, page: &Page) -> Result<(), StoreError> {
    copies.push(
        &PAGE,
        &[
            &id.did.as_str(),
            &id.rkey.as_str(),
            &page.repository.as_str(),
            &page.description.as_deref(),
            &page.summary.as_deref(),
            &page.avatar.as_ref().map(|avatar| avatar.cid.to_string()),
            &page.avatar.as_ref().map(|avatar| avatar.mime_type.as_str()),
            &page.updated_at,
        ],
    )
}

pub(super) fn profile_rows(copies: &mut Copies, id: &RecordId, profile: &Profile) -> Result<(), StoreError> {
    copies.push(
        &PROFILE,
        &[
            &id.did.as_str(),
            &id.rkey.as_str(),
            &profile.default_hold.as_ref().map(|hold| hold.as_str()),
            &profile.oci_client.as_deref(),
            &profile.registry_domain.as_deref(),
        ],
    )
}
