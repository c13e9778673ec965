//! “Where this comes from”: the record behind a page.

use chrono::{DateTime, Utc};
use leptos::prelude::*;
use store::queries::RecordView;
use url::Url;

use super::words;
use crate::text::format;

/// The record's address, hash and revision, and how it was checked; and when the bytes that it names were, if they were.
pub fn provenance(record: Option<&RecordView>, pds: Option<&str>, fetched: Option<DateTime<Utc>>) -> Option<AnyView> {
    let record = record?;
    let cid = record.cid.map(|cid| cid.to_string());
    let checked = match fetched {
        Some(time) => {
            view! { "The manifest's bytes were fetched " {words::age(time)} " and hash to its digest." }.into_any()
        }
        None => {
            "As the record declares it. The manifest's bytes are not here: they were not fetched yet, or what came did \
                 not hash to the digest."
                .into_any()
        }
    };
    let look = pds.and_then(|pds| address_of(pds, &record.uri)).map(|url| {
        view! { " " <a href=url rel="nofollow noopener">"Read it there"</a> }
    });
    let proof = record.verification.as_deref().and_then(proof);
    let view = view! {
        <details class="provenance">
            <summary>"Where this comes from"</summary>
            <dl>
                <dt>"Record"</dt>
                <dd><code>{format::shown(&record.uri)}</code> {words::copy(record.uri.clone(), "the record's address")}</dd>
                {cid.map(|cid| view! { <dt>"CID"</dt><dd><code>{cid}</code></dd> })}
                <dt>"Revision"</dt>
                <dd><code>{record.rev.clone()}</code></dd>
                {pds.map(|pds| view! { <dt>"Kept by"</dt><dd><code>{format::shown(pds)}</code>{look}</dd> })}
                <dt>"Checked"</dt>
                <dd>{checked}</dd>
                {proof.map(|proof| view! { <dt>"How checked"</dt><dd>{proof}</dd> })}
            </dl>
        </details>
    };
    Some(view.into_any())
}

/// Where a record (`at://did/collection/rkey`) can be read on its PDS.
pub fn address_of(pds: &str, uri: &str) -> Option<String> {
    let mut url = Url::parse(pds).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let mut parts = uri.strip_prefix("at://")?.splitn(3, '/');
    let (repo, collection, rkey) = (parts.next()?, parts.next()?, parts.next()?);
    url.set_path("/xrpc/com.atproto.repo.getRecord");
    url.query_pairs_mut()
        .clear()
        .append_pair("repo", repo)
        .append_pair("collection", collection)
        .append_pair("rkey", rkey);
    Some(url.into())
}

/// A verification in words.
fn proof(verification: &str) -> Option<&'static str> {
    Some(match verification {
        "signed" => "Signed: the record lies in a commit that its account signed.",
        "cid-checked" => "The record hashes to its CID.",
        "unverifiable" => "Unverifiable: the record came in a form that cannot be hashed. Nothing speaks against it.",
        "mismatch" => "Mismatch: what came does not hash to the record's CID, so it counts for nothing.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use types::Verification;

    #[test]
    fn records_are_read_where_they_are_kept() {
        let url = super::address_of("https://pds.example/", "at://did:plc:a/io.atcr.tag/x~y").unwrap();
        assert_eq!(
            url,
            "https://pds.example/xrpc/com.atproto.repo.getRecord?repo=did%3Aplc%3Aa&collection=io.atcr.tag&rkey=x%7Ey"
        );
        assert_eq!(super::address_of("javascript:alert(1)", "at://did:plc:a/io.atcr.tag/x"), None);
    }

    #[test]
    fn every_verification_has_words() {
        for verification in ["signed", "cid-checked", "unverifiable", "mismatch"] {
            assert!(verification.parse::<Verification>().is_ok() && super::proof(verification).is_some());
        }
        assert_eq!(super::proof("x"), None);
    }
}
