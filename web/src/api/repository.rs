use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use store::queries::{LayerView, ManifestView, PlatformView, RepositoryView, TagHistoryView, TagView};
use types::{Collection, Digest, RecordId, RepositoryName, Rkey, Tag};

use super::List;
use crate::{
    error::WebError,
    owner::{self, Account},
    pages::{
        offset,
        tags::{self, API_PAGE_SIZE},
    },
    state::Web,
};

/// `?filter=&sort=&cursor=`; `sort` is `oldest`, `name` or `-name`, or else the newest come first.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Parameters {
    filter: String,
    sort: String,
    cursor: String,
}

async fn find(web: &Web, owner: &str, name: &str) -> Result<(Account, RepositoryName, RepositoryView), WebError> {
    let account = owner::find(web.reader(), owner).await?;
    let unknown = || WebError::NoRepository { owner: owner.to_owned(), name: name.to_owned() };
    let name: RepositoryName = name.parse().map_err(|_| unknown())?;
    let view = web.reader().repository(&account.did, &name).await?.ok_or_else(unknown)?;
    Ok((account, name, view))
}

/// `GET /api/v1/repositories/{owner}/{repository}`
pub async fn get(
    State(web): State<Web>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<RepositoryView>, WebError> {
    Ok(Json(find(&web, &owner, &name).await?.2))
}

/// `GET /api/v1/repositories/{owner}/{repository}/tags`
pub async fn list_tags(
    State(web): State<Web>,
    Path((owner, name)): Path<(String, String)>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<List<TagView>>, WebError> {
    let Query(parameters) = parameters.map_err(|error| WebError::BadRequest(error.body_text()))?;
    let mut asked = tags::asked(&parameters.filter, &parameters.sort, &parameters.cursor)?;
    asked.limit = API_PAGE_SIZE;
    let (account, name, _) = find(&web, &owner, &name).await?;
    let page = web.reader().tags(&account.did, &name, &asked).await?;
    Ok(Json(List { items: page.items, next: page.next.map(|next| next.to_string()) }))
}

/// `GET /api/v1/repositories/{owner}/{repository}/tags/{tag}/history`
pub async fn history(
    State(web): State<Web>,
    Path((owner, name, tag)): Path<(String, String, String)>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<List<TagHistoryView>>, WebError> {
    let Query(asked) = parameters.map_err(|error| WebError::BadRequest(error.body_text()))?;
    let begin = offset(&asked.cursor)?;
    let (account, name, _) = find(&web, &owner, &name).await?;
    let tag: Tag = tag.parse().map_err(|error: types::NameError| WebError::BadRequest(error.to_string()))?;
    let items = web.reader().tag_history(&account.did, &name, &tag, i64::from(API_PAGE_SIZE), begin).await?;
    let size = i64::from(API_PAGE_SIZE);
    let full = i64::try_from(items.len()) == Ok(size);
    Ok(Json(List { items, next: full.then(|| (begin + size).to_string()) }))
}

/// A manifest with what it is made of.
#[derive(Serialize)]
pub struct Manifest {
    #[serde(flatten)]
    view: ManifestView,
    layers: Vec<LayerView>,
    platforms: Vec<PlatformView>,
    record: Option<Provenance>,
}

/// Where a manifest comes from.
#[derive(Serialize)]
pub struct Provenance {
    uri: String,
    rev: String,
    cid: Option<String>,
    /// `signed`, `cid-checked`, `unverifiable` or `mismatch`.
    verification: Option<String>,
}

/// `GET /api/v1/repositories/{owner}/{repository}/manifests/{digest}`
pub async fn manifest(
    State(web): State<Web>,
    Path((owner, name, digest)): Path<(String, String, String)>,
) -> Result<Json<Manifest>, WebError> {
    let (account, name, _) = find(&web, &owner, &name).await?;
    let digest: Digest = digest.parse().map_err(|error: types::DigestError| WebError::BadRequest(error.to_string()))?;
    let unknown = || WebError::NoManifest { owner, name: name.to_string(), digest: digest.to_string() };
    let view = web.reader().manifest(&account.did, &name, &digest).await?.ok_or_else(unknown)?;
    let layers = web.reader().layers(&account.did, &view.rkey, &view.digest).await?;
    let platforms = web.reader().platforms(&account.did, &view.rkey, &view.digest).await?;
    let rkey: Rkey = view.rkey.parse().map_err(store::StoreError::Row)?;
    let id = RecordId { did: account.did, collection: Collection::Manifest, rkey };
    let record = web.reader().record(&id).await?.map(|record| Provenance {
        uri: record.uri,
        rev: record.rev,
        cid: record.cid.map(|cid| cid.to_string()),
        verification: record.verification,
    });
    Ok(Json(Manifest { view, layers, platforms, record }))
}
