use leptos::prelude::*;
use types::{Collection, RecordId, Rkey};

use super::{repository::Repository, tags};
use crate::{
    app::Visit,
    components::provenance,
    error::WebError,
    text::{format, markdown},
};

/// The README, or else the tags.
pub async fn section(visit: &Visit, repository: &Repository) -> Result<AnyView, WebError> {
    if let Some(readme) = repository.view.readme.as_deref() {
        let source = repository.view.source.as_deref().and_then(markdown::Source::parse);
        let base = markdown::Base { source, pictures: repository.signer.clone() };
        let html = markdown::to_html(readme, &base);
        return Ok(view! { <article class="readme" dir="auto" inner_html=html></article> }.into_any());
    }
    let why = match long_readme(visit, repository).await? {
        Some(why) => why,
        None => "The owner has not written a README; these are the tags.".into_any(),
    };
    let tags = tags::section(visit, repository).await?;
    Ok(view! { <p class="muted no-readme">{why}</p> {tags} }.into_any())
}

/// What is said of a README that is longer than the index takes; `None` if that is not why there is none.
async fn long_readme(visit: &Visit, repository: &Repository) -> Result<Option<AnyView>, WebError> {
    let Some(rkey) = repository.view.page_rkey.as_deref() else { return Ok(None) };
    let rkey: Rkey = rkey.parse().map_err(store::StoreError::Row)?;
    let id = RecordId { did: repository.account.did.clone(), collection: Collection::Page, rkey };
    let Some(record) = visit.web.reader().record(&id).await? else { return Ok(None) };
    let raw = record.raw.as_deref().unwrap_or_default();
    let Some(length) = serde_json::from_slice(raw).ok().and_then(|record: serde_json::Value| {
        record.get("description")?.as_str().filter(|text| !text.trim().is_empty()).map(str::len)
    }) else {
        return Ok(None);
    };
    let there = repository.account.pds.as_deref().and_then(|pds| provenance::address_of(pds, &record.uri));
    let there = there.map(|url| view! { <a href=url rel="nofollow noopener">"Read it in its record"</a> ". " });
    let size = format::size(i64::try_from(length).unwrap_or(i64::MAX));
    Ok(Some(view! { "The README is too long to be shown here: " {size} ". " {there} "These are the tags." }.into_any()))
}
