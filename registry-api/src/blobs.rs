use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION},
    },
    response::{IntoResponse, Response},
};
use service::config::Blobs;
use store::{
    freshness::Key,
    queries::{Asked, ServedBlob},
};
use types::Digest;

use crate::{
    Registry,
    errors::{Code, OciError, Result},
    holds,
    located::Search,
    manifests,
    names::Name,
    owners, private,
    proxied::{self, Blob},
    routes::{Conditions, DIGEST},
};

/// `GET|HEAD <name>/blobs/<digest>`
/// ([pulling blobs](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-blobs)): only what a
/// manifest of the repository refers to, by its hashed bytes. HEAD is answered here: a URL presigned for GET refuses it.
pub(crate) async fn serve(
    registry: &Registry,
    conditions: &Conditions<'_>,
    name: &Name,
    digest: &Digest,
) -> Result<Response> {
    let key = format!("{name}@{digest}");
    if conditions.head
        && let Some(blob) = registry.referred.get(&key)
    {
        return described(&blob, digest);
    }
    // Before anything is read that an answer is remembered by.
    let since = registry.referred.moment();
    let account = owners::find(registry, conditions.client, &name.owner).await?;
    let blob = match registry.reader.served_blob(&account.did, &name.repository, digest).await? {
        Asked::Found(blob) => blob,
        Asked::NotInRepository => {
            return Err(OciError::new(Code::BlobUnknown, format!("no manifest of {name} refers to the blob {digest}")));
        }
        Asked::NoRepository => return Err(manifests::no_repository(name)),
    };
    if account.is_indexed {
        registry.referred.put(key, blob.clone(), since, vec![Key::of(&format!("did:{}", account.did))]);
    }
    if conditions.head {
        return described(&blob, digest);
    }
    let hold = holds::find(registry, blob.hold.as_deref(), blob.legacy_endpoint.as_deref()).await?;
    let Some(hold) = hold else {
        return Err(OciError::new(
            Code::BlobUnknown,
            format!("the record of {name} does not say which hold has {digest}"),
        ));
    };
    let asker = private::Asker { claims: conditions.claims.as_deref(), name };
    let search = Search { registry, hold: &hold, account: &account, digest, since, asker };
    if registry.config.blobs == Blobs::Proxy {
        let asked = Blob { hold: &hold, digest, size: u64::try_from(blob.size).unwrap_or_default() };
        return Box::pin(proxied::serve(registry, conditions, &asked, &search)).await;
    }
    let url = search.place().await?.url;
    let unusable = || OciError::new(Code::Upstream, "the hold's answer is no address");
    let headers = HeaderMap::from_iter([
        (LOCATION, HeaderValue::from_str(url.as_str()).map_err(|_| unusable())?),
        (DIGEST, digest_value(digest)?),
        // The address is good for minutes, and a private one for its reader alone.
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

fn described(blob: &ServedBlob, digest: &Digest) -> Result<Response> {
    let headers = HeaderMap::from_iter([
        (CONTENT_LENGTH, HeaderValue::from(blob.size.max(0))),
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        // Of who has the bytes: a store of presigned addresses serves ranges, and so do we.
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (DIGEST, digest_value(digest)?),
        (
            ETAG,
            HeaderValue::from_str(&format!("\"{digest}\""))
                .map_err(|_| OciError::new(Code::Internal, Code::Internal.row().2))?,
        ),
    ]);
    Ok(headers.into_response())
}

fn digest_value(digest: &Digest) -> Result<HeaderValue> {
    HeaderValue::from_str(digest.as_str()).map_err(|_| OciError::new(Code::Internal, Code::Internal.row().2))
}
