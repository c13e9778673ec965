//! “Where this comes from”: the record behind a page.

use leptos::prelude::*;
use store::queries::RecordView;

use super::words;
use crate::text::format;

/// The record's address, hash and revision, and how it was checked.
pub fn provenance(record: Option<&RecordView>, pds: Option<&str>, hashed: bool) -> Option<AnyView> {
    let record = record?;
    let cid = record.cid.map(|cid| cid.to_string());
    let checked = if hashed {
        "The manifest's bytes were fetched and hash to its digest."
    } else {
        "As the record declares it. The manifest's bytes are not here: they were not fetched yet, or what came did not hash to \
         the digest."
    };
    let view = view! {
        <details class="provenance">
            <summary>"Where this comes from"</summary>
            <dl>
                <dt>"Record"</dt>
                <dd><code>{format::shown(&record.uri)}</code> {words::copy(record.uri.clone(), "the record's address")}</dd>
                {cid.map(|cid| view! { <dt>"CID"</dt><dd><code>{cid}</code></dd> })}
                <dt>"Revision"</dt>
                <dd><code>{record.rev.clone()}</code></dd>
                {pds.map(|pds| view! { <dt>"Kept by"</dt><dd><code>{format::shown(pds)}</code></dd> })}
                <dt>"Checked"</dt>
                <dd>{checked}</dd>
            </dl>
        </details>
    };
    Some(view.into_any())
}
