use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use store::queries::SearchPage;

use crate::{
    error::WebError,
    pages::{offset, search::PAGE_SIZE},
    state::Web,
};

/// The most items that one answer holds.
const MOST: i64 = 100;

/// `?q=&limit=&cursor=`; `cursor` is the `next` of the answer before.
#[derive(Deserialize)]
#[serde(default)]
pub struct Parameters {
    q: String,
    limit: i64,
    cursor: String,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { q: String::new(), limit: PAGE_SIZE, cursor: String::new() }
    }
}

/// `GET /api/v1/search`
pub async fn get(
    State(web): State<Web>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<SearchPage>, WebError> {
    let Query(asked) = parameters.map_err(|error| WebError::BadRequest(error.body_text()))?;
    let begin = offset(&asked.cursor)?;
    Ok(Json(web.reader().search(&asked.q, asked.limit.clamp(1, MOST), begin).await?))
}
