use std::sync::Arc;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use service::client::Client;
use store::{
    freshness::Key,
    queries::{Asked, ServedManifest},
};
use types::{Did, ManifestMediaType, Reference, RepositoryName};

use crate::{
    Registry, contents,
    errors::{Code, OciError, Result},
    names::Name,
    owners::{self, Account},
    pulls::{Answered, Family},
    read_through,
    routes::{Conditions, DIGEST},
};

/// `GET|HEAD <name>/manifests/<reference>`
/// ([pulling manifests](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests)).
pub(crate) async fn serve(
    registry: &Registry,
    conditions: &Conditions<'_>,
    name: &Name,
    reference: &Reference,
) -> Result<Response> {
    let key = format!("{name}@{reference}");
    if let Some(ready) = registry.ready.get(&key) {
        return Ok(answer(registry, conditions, reference, &ready));
    }
    let since = registry.ready.moment();
    let account = owners::find(registry, conditions.client, &name.owner).await?;
    let manifest = find(registry, conditions.client, &account, name, reference).await?;
    let keys = [format!("did:{}", account.did), format!("manifest:{}", manifest.digest)];
    let ready = Arc::new(Ready::of(account.did.clone(), manifest, name, reference)?);
    if account.is_indexed {
        registry.ready.put(key, ready.clone(), since, keys.iter().map(|key| Key::of(key)).collect());
    }
    Ok(answer(registry, conditions, reference, &ready))
}

fn answer(registry: &Registry, conditions: &Conditions<'_>, reference: &Reference, ready: &Ready) -> Response {
    let answer = ready.answer(conditions);
    if answer.status() == StatusCode::OK {
        let Ready { owner, repository, family, .. } = ready;
        let answered = Answered { owner, repository, reference, family, head: conditions.head };
        registry.pulls.note(conditions.client, conditions.headers, &answered);
    }
    answer
}

/// A manifest as it is served, whoever asks.
pub(crate) struct Ready {
    owner: Did,
    repository: RepositoryName,
    family: Family,
    digest: String,
    /// Those of a 304.
    headers: HeaderMap,
    media_type: ManifestMediaType,
    bytes: Bytes,
}

impl Ready {
    fn of(owner: Did, manifest: ServedManifest, name: &Name, reference: &Reference) -> Result<Self> {
        let media_type = media_type(&manifest, name)?;
        let internal = || OciError::new(Code::Internal, Code::Internal.row().2);
        let bytes = manifest.bytes.ok_or_else(internal)?.into();
        let (family, headers) = (Family::of(&manifest.digest, &bytes), headers(&manifest.digest, reference)?);
        let repository = name.repository.clone();
        Ok(Self { owner, repository, family, digest: manifest.digest, headers, media_type, bytes })
    }

    /// About how much memory it takes.
    pub fn size(&self) -> usize {
        self.bytes.len() + 1024
    }

    fn answer(&self, conditions: &Conditions<'_>) -> Response {
        let mut headers = self.headers.clone();
        if is_known(conditions.headers, &self.digest) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type.as_str()));
        headers.insert(CONTENT_LENGTH, self.bytes.len().into());
        let body = if conditions.head { Body::empty() } else { Body::from(self.bytes.clone()) };
        (headers, body).into_response()
    }
}

/// Finds a manifest with its bytes: in the index, else on the network by way of the index.
async fn find(
    registry: &Registry,
    client: Client,
    account: &Account,
    name: &Name,
    reference: &Reference,
) -> Result<ServedManifest> {
    let mut found = look_up(registry, account, name, reference).await?;
    if !matches!(found, Asked::Found(_)) {
        read_through::run(registry, client, account, name, reference).await?;
        found = look_up(registry, account, name, reference).await?;
    }
    let manifest = match found {
        Asked::Found(manifest) => manifest,
        Asked::NotInRepository => return Err(not_in_repository(registry, account, name, reference).await?),
        Asked::NoRepository => return Err(no_repository(name)),
    };
    if manifest.bytes.is_some() {
        return Ok(manifest);
    }
    contents::fetch(registry, client, account, &manifest).await?;
    match look_up(registry, account, name, reference).await? {
        Asked::Found(manifest) if manifest.bytes.is_some() => Ok(manifest),
        // It moved or went away meanwhile.
        _ => Err(OciError::new(Code::Unavailable, format!("{name} is changing: try again"))),
    }
}

/// What the index knows.
pub(crate) async fn look_up(
    registry: &Registry,
    account: &Account,
    name: &Name,
    reference: &Reference,
) -> Result<Asked<ServedManifest>> {
    let (reader, repository) = (&registry.reader, &name.repository);
    let digest = match reference {
        Reference::Digest(digest) => digest.clone(),
        Reference::Tag(tag) => match reader.tag_digest(&account.did, repository, tag).await? {
            Asked::Found(digest) => digest,
            Asked::NotInRepository => return Ok(Asked::NotInRepository),
            Asked::NoRepository => return Ok(Asked::NoRepository),
        },
    };
    Ok(reader.served_manifest(&account.did, repository, &digest).await?)
}

async fn not_in_repository(
    registry: &Registry,
    account: &Account,
    name: &Name,
    reference: &Reference,
) -> Result<OciError> {
    let message = match reference {
        Reference::Tag(tag) if registry.reader.has_tag(&account.did, &name.repository, tag).await? => {
            format!("the tag {tag} of {name} points at a manifest that its owner has deleted, or never published")
        }
        Reference::Tag(tag) => format!("{name} has no tag {tag}"),
        Reference::Digest(digest) => format!("{name} has no manifest {digest}"),
    };
    Ok(OciError::new(Code::ManifestUnknown, message))
}

/// The owner is there, the repository is not.
pub(crate) fn no_repository(name: &Name) -> OciError {
    OciError::new(Code::NameUnknown, format!("{} has no repository {}", name.owner, name.repository))
}

/// The media type to serve: the record's, if it is on the allow-list and the bytes do not say otherwise. Some writers leave
/// it out of the bytes.
fn media_type(manifest: &ServedManifest, name: &Name) -> Result<ManifestMediaType> {
    let invalid = |why: String| {
        let message = format!("{name}@{} cannot be served: its record {why}", manifest.digest);
        OciError::new(Code::ManifestInvalid, message)
    };
    let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(100).collect::<String>();
    let declared: ManifestMediaType = manifest.media_type.parse().map_err(|_| {
        invalid(format!("declares the media type {:?}, which no manifest has", cut(&manifest.media_type)))
    })?;
    match manifest.own_media_type.as_deref() {
        Some(own) if own.parse() != Ok(declared) => {
            Err(invalid(format!("declares the media type {declared}, its bytes {:?}", cut(own))))
        }
        _ => Ok(declared),
    }
}

/// What goes with a manifest whether or not its bytes do. A digest names the same bytes for ever; a tag may move.
fn headers(digest: &str, reference: &Reference) -> Result<HeaderMap> {
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|error| OciError::new(Code::Internal, Code::Internal.row().2).because(&error))
    };
    let caching = match reference {
        Reference::Digest(_) => "public, max-age=31536000, immutable",
        Reference::Tag(_) => "no-cache",
    };
    Ok(HeaderMap::from_iter([
        (DIGEST, value(digest)?),
        (ETAG, value(&format!("\"{digest}\""))?),
        (CACHE_CONTROL, HeaderValue::from_static(caching)),
    ]))
}

/// Whether the client has these bytes ([RFC 9110, 13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)).
pub(crate) fn is_known(headers: &HeaderMap, digest: &str) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == digest
    })
}
