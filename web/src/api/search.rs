use axum::{
    Json,
    extract::{Query as Parameter, State, rejection::QueryRejection},
    response::IntoResponse,
};
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use store::queries::{SearchAsked, SearchPage, Suggestion};

use crate::{
    error::WebError,
    pages::search::{PAGE_SIZE, cursor, query, sort},
    state::Web,
};

/// The most items that one answer holds.
const MOST: usize = 100;

/// `?q=&sort=&limit=&cursor=`; `cursor` is the `next` or the `previous` of another answer.
#[derive(Deserialize)]
#[serde(default)]
pub struct Parameters {
    q: String,
    sort: String,
    limit: usize,
    cursor: String,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { q: String::new(), sort: String::new(), limit: PAGE_SIZE, cursor: String::new() }
    }
}

/// `GET /api/v1/search`
pub async fn get(
    State(web): State<Web>,
    parameters: Result<Parameter<Parameters>, QueryRejection>,
) -> Result<Json<SearchPage>, WebError> {
    let Parameter(asked) = parameters.map_err(|error| WebError::BadRequest(error.body_text()))?;
    let sort = sort(&asked.sort)?;
    let asked = SearchAsked {
        query: query(&asked.q),
        sort,
        limit: asked.limit.clamp(1, MOST),
        cursor: cursor(&asked.cursor, sort)?,
    };
    Ok(Json(web.reader().search(&asked).await?))
}

/// `?q=`: what somebody has typed so far.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    q: String,
}

/// What may be meant.
#[derive(Serialize)]
struct Suggestions {
    items: Vec<Suggested>,
}

#[derive(Serialize)]
struct Suggested {
    #[serde(flatten)]
    suggestion: Suggestion,
    /// Its page.
    href: String,
}

/// `GET /api/v1/search/suggestions`
pub async fn suggestions(
    State(web): State<Web>,
    typed: Result<Parameter<Typed>, QueryRejection>,
) -> Result<impl IntoResponse, WebError> {
    let Parameter(typed) = typed.map_err(|error| WebError::BadRequest(error.body_text()))?;
    let found = web.reader().suggestions(&typed.q).await?;
    let items = found.into_iter().map(|suggestion| {
        let href = match suggestion.kind {
            "owner" => crate::address::user(&suggestion.owner),
            _ => crate::address::repository(&suggestion.owner, &suggestion.name),
        };
        Suggested { suggestion, href }
    });
    // Who types the same again within a few seconds sees the same.
    Ok(([(CACHE_CONTROL, "private, max-age=5")], Json(Suggestions { items: items.collect() })))
}
