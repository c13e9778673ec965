use axum::{
    Json,
    http::{HeaderMap, header::LINK},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    Registry,
    errors::Result,
    tags::{Page, link},
};

/// How many names are given when nobody says how many, and at most.
const USUAL: u64 = 100;
const MOST: u64 = 1000;

/// `GET _catalog?n=&last=`
/// ([catalog](https://distribution.github.io/distribution/spec/api/#catalog)): what can be pulled of accounts with a verified
/// handle, by handle and then by name; `last` excluded.
pub(crate) async fn serve(registry: &Registry, query: &str) -> Result<Response> {
    let page = Page::parse(query, USUAL, MOST)?;
    let (handle, name) = page.last.split_once('/').unwrap_or((&page.last, ""));
    // One more than asked for tells whether there is a next page.
    let mut names = registry.reader.catalog(handle, name, page.n + 1).await?;
    let asked = usize::try_from(page.n).unwrap_or(usize::MAX);
    let more = names.len() > asked;
    names.truncate(asked);
    let mut headers = HeaderMap::new();
    if let Some(last) = names.last().filter(|_| more) {
        headers.insert(LINK, link("/v2/_catalog", page.n, last)?);
    }
    Ok((headers, Json(json!({ "repositories": names }))).into_response())
}
