use axum::{
    Json,
    extract::{Path, State},
};
use store::queries::{RepositoryItem, UserView};

use super::List;
use crate::{error::WebError, owner, state::Web};

/// Rows in one answer.
const LIST_SIZE: i64 = 200;

/// `GET /api/v1/users/{owner}`
pub async fn get(State(web): State<Web>, Path(owner): Path<String>) -> Result<Json<UserView>, WebError> {
    let account = owner::find(web.reader(), &owner).await?;
    let repositories = web.reader().repositories_of(&account.did, None, LIST_SIZE).await?;
    let starred = web.reader().starred_count(&account.did).await?;
    Ok(Json(UserView { owner: account.owner, repositories, starred }))
}

/// `GET /api/v1/users/{owner}/stars`
pub async fn stars(State(web): State<Web>, Path(owner): Path<String>) -> Result<Json<List<RepositoryItem>>, WebError> {
    let account = owner::find(web.reader(), &owner).await?;
    let items = web.reader().starred_by(&account.did, None, LIST_SIZE).await?;
    Ok(Json(List { items: items.into_iter().map(|(_, item)| item).collect(), next: None }))
}
