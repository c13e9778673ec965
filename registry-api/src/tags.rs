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
    owners,
};

/// The most tags in one answer; whoever asks for none in particular gets as many.
const MAX_TAGS: u64 = 10_000;

/// `GET <name>/tags/list?n=&last=`
/// ([listing tags](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#listing-tags)): ASCII order,
/// `last` excluded.
pub(crate) async fn serve(registry: &Registry, query: &str, name: &Name) -> Result<Response> {
    let page = Page::parse(query)?;
    let account = owners::find(registry, &name.owner).await?;
    // One more than asked for tells whether there is a next page.
    let limit = page.n.saturating_add(1);
    let tags = registry.reader.tag_names(&account.did, &name.repository, &page.last, limit).await?;
    let Asked::Found(mut tags) = tags else { return Err(manifests::no_repository(name)) };
    let asked = usize::try_from(page.n).unwrap_or(usize::MAX);
    let more = tags.len() > asked;
    tags.truncate(asked);
    let mut headers = HeaderMap::new();
    if let Some(last) = tags.last().filter(|_| more) {
        headers.insert(LINK, link(name, page.n, last)?);
    }
    Ok((headers, Json(json!({ "name": name.to_string(), "tags": tags }))).into_response())
}

struct Page {
    n: u64,
    last: String,
}

impl Page {
    fn parse(query: &str) -> Result<Self> {
        let mut page = Self { n: MAX_TAGS, last: String::new() };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "n" => {
                    let invalid =
                        |_| OciError::new(Code::PageInvalid, "n is the number of tags that you want, 0 or more");
                    page.n = value.parse::<u64>().map_err(invalid)?.min(MAX_TAGS);
                }
                // Postgres has no NUL, and no tag has one either.
                "last" => page.last = value.replace('\0', ""),
                _ => {}
            }
        }
        Ok(page)
    }
}

/// Where the next page is ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288)), relative to this host.
fn link(name: &Name, n: u64, last: &str) -> Result<HeaderValue> {
    // Of what a name may hold only a did:web's percent sign means something else in a path.
    let name = name.to_string().replace('%', "%25");
    let text =
        format!("</v2/{name}/tags/list?n={n}&last={}>; rel=\"next\"", utf8_percent_encode(last, NON_ALPHANUMERIC));
    HeaderValue::from_str(&text).map_err(|_| OciError::new(Code::Internal, Code::Internal.row().2))
}
