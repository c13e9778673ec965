use std::collections::BTreeMap;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use store::queries::Referrer;
use types::{Digest, ManifestMediaType};
use url::form_urlencoded;

use crate::{Registry, errors::Result, names::Name, owners, routes::Conditions};

/// The most referrers that are told of.
const MAX_REFERRERS: u64 = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// `GET <name>/referrers/<digest>?artifactType=`
/// ([listing referrers](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#listing-referrers)): an
/// index of the manifests whose subject this is, empty if there are none.
pub(crate) async fn serve(
    registry: &Registry,
    conditions: &Conditions<'_>,
    query: &str,
    name: &Name,
    subject: &Digest,
) -> Result<Response> {
    let account = owners::find(registry, conditions.client, &name.owner).await?;
    let referrers = registry.reader.referrers(&account.did, &name.repository, subject, MAX_REFERRERS).await?;
    let wanted =
        form_urlencoded::parse(query.as_bytes()).find(|(key, value)| key == "artifactType" && !value.is_empty());
    let wanted = wanted.map(|(_, value)| value);
    let is_wanted = |found: &Descriptor| wanted.is_none() || found.artifact_type.as_deref() == wanted.as_deref();
    let manifests = referrers.into_iter().filter_map(describe).filter(is_wanted).collect();
    let media_type = ManifestMediaType::OciIndex.as_str();
    let body = serde_json::json!(Index { schema_version: 2, media_type, manifests }).to_string();
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
    if wanted.is_some() {
        let applied = HeaderName::from_static("oci-filters-applied");
        headers.insert(applied, HeaderValue::from_static("artifactType"));
    }
    Ok((headers, body).into_response())
}

/// `None` for what could not be pulled either: a media type that no manifest has.
fn describe(referrer: Referrer) -> Option<Descriptor> {
    #[derive(Deserialize)]
    struct Annotated {
        annotations: Option<BTreeMap<String, String>>,
    }
    let media_type: ManifestMediaType = referrer.media_type.parse().ok()?;
    let annotated: Option<Annotated> = serde_json::from_slice(&referrer.bytes).ok();
    Some(Descriptor {
        media_type: media_type.as_str(),
        digest: referrer.digest,
        size: i32::try_from(referrer.bytes.len()).ok()?,
        artifact_type: referrer.artifact_type.or(referrer.config_media_type),
        annotations: annotated.and_then(|annotated| annotated.annotations).unwrap_or_default(),
    })
}
