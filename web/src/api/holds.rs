use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use store::queries::{CrewView, HoldItem, HoldView, Reliance};

use super::List;
use crate::{
    error::WebError,
    owner,
    pages::{
        holds::{CREW_SIZE, PAGE_SIZE},
        offset,
    },
    state::Web,
};

/// `?cursor=`: the `next` of the answer before.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Parameters {
    cursor: String,
}

/// A hold, with what relies on it.
#[derive(Serialize)]
pub struct Hold {
    #[serde(flatten)]
    hold: HoldView,
    repositories: i64,
    #[serde(flatten)]
    reliance: Reliance,
    crew: Vec<CrewView>,
}

/// `GET /api/v1/holds`
pub async fn list(
    State(web): State<Web>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<List<HoldItem>>, WebError> {
    let Query(asked) = parameters.map_err(|error| WebError::BadRequest(error.body_text()))?;
    let begin = offset(&asked.cursor)?;
    let items = web.reader().holds(PAGE_SIZE, begin).await?;
    let full = i64::try_from(items.len()) == Ok(PAGE_SIZE);
    Ok(Json(List { items, next: full.then(|| (begin + PAGE_SIZE).to_string()) }))
}

/// `GET /api/v1/holds/{did}`
pub async fn get(State(web): State<Web>, Path(asked): Path<String>) -> Result<Json<Hold>, WebError> {
    let unknown = || WebError::NoHold { did: asked.chars().take(200).collect() };
    let did = owner::did(&asked).ok_or_else(unknown)?;
    let hold = web.reader().hold(&did).await?.ok_or_else(unknown)?;
    let (repositories, reliance) = web.reader().reliance(&did).await?;
    let crew = web.reader().crew(&did, CREW_SIZE).await?;
    Ok(Json(Hold { hold, repositories, reliance, crew }))
}
