use axum::{
    Json,
    http::{HeaderMap, HeaderValue, header::LINK},
    response::{IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use store::queries::Asked;
use url::form_urlencoded;

use crate::{
    Registry,
    errors::{Code, OciError, Result},
    manifests,
    names::Name,
    owners, read_through,
    routes::Conditions,
};

/// The most tags in one answer; whoever asks for none in particular gets as many.
const MAX_TAGS: u64 = 10_000;

/// `GET <name>/tags/list?n=&last=`
/// ([listing tags](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#listing-tags)): ASCII order,
/// `last` excluded.
pub(crate) async fn serve(
    registry: &Registry,
    conditions: &Conditions<'_>,
    query: &str,
    name: &Name,
) -> Result<Response> {
    let page = Page::parse(query, MAX_TAGS, MAX_TAGS)?;
    let account = owners::find(registry, conditions.client, &name.owner).await?;
    // One more than asked for tells whether there is a next page.
    let limit = page.n.saturating_add(1);
    let mut tags = registry.reader.tag_names(&account.did, &name.repository, &page.last, limit).await?;
    if tags == Asked::NoRepository {
        read_through::run_whole(registry, conditions.client, &account, name).await?;
        tags = registry.reader.tag_names(&account.did, &name.repository, &page.last, limit).await?;
    }
    let Asked::Found(mut tags) = tags else { return Err(manifests::no_repository(name)) };
    let asked = usize::try_from(page.n).unwrap_or(usize::MAX);
    let more = tags.len() > asked;
    tags.truncate(asked);
    let mut headers = HeaderMap::new();
    if let Some(last) = tags.last().filter(|_| more) {
        // Of what a name may hold only a did:web's percent sign means something else in a path.
        let name = name.to_string().replace('%', "%25");
        headers.insert(LINK, link(&format!("/v2/{name}/tags/list"), page.n, last)?);
    }
    Ok((headers, Json(json!({ "name": name.to_string(), "tags": tags }))).into_response())
}

/// Which part of a list is wanted.
pub(crate) struct Page {
    /// The most entries.
    pub n: u64,
    /// The one that they come after; empty at the beginning.
    pub last: String,
}

impl Page {
    /// Reads `n` and `last`; without `n` so many are meant as `usual` says, and more than `most` are never given.
    pub fn parse(query: &str, usual: u64, most: u64) -> Result<Self> {
        let mut page = Self { n: usual, last: String::new() };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "n" => {
                    let invalid =
                        |_| OciError::new(Code::PageInvalid, "n is the number of entries that you want, 0 or more");
                    page.n = value.parse::<u64>().map_err(invalid)?.min(most);
                }
                // Postgres has no NUL, and no name has one either.
                "last" => page.last = value.replace('\0', ""),
                _ => {}
            }
        }
        Ok(page)
    }
}

/// Where the next page is ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288)), relative to this host.
pub(crate) fn link(path: &str, n: u64, last: &str) -> Result<HeaderValue> {
    let text = format!("<{path}?n={n}&last={}>; rel=\"next\"", utf8_percent_encode(last, NON_ALPHANUMERIC));
    HeaderValue::from_str(&text).map_err(|_| OciError::new(Code::Internal, Code::Internal.row().2))
}
