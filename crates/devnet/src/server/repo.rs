//! `com.atproto.repo.*`: single records, to read.

use axum::{Json, Router, extract::State, routing::get};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Site, identity,
    xrpc::{Params, XrpcError, XrpcResult},
};

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .route("/xrpc/com.atproto.repo.describeRepo", get(describe_repo))
        .route("/xrpc/com.atproto.repo.getRecord", get(get_record))
        .route("/xrpc/com.atproto.repo.listRecords", get(list_records))
}

#[derive(Deserialize)]
struct Repo {
    repo: String,
}

#[derive(Deserialize)]
struct RecordPath {
    repo: String,
    collection: String,
    rkey: String,
    cid: Option<String>,
}

#[derive(Deserialize)]
struct List {
    repo: String,
    collection: String,
    limit: Option<usize>,
    cursor: Option<String>,
    #[serde(default)]
    reverse: bool,
}

async fn describe_repo(State(site): State<Site>, Params(Repo { repo }): Params<Repo>) -> XrpcResult {
    let state = site.network.state();
    let account = site.active(&state, &repo)?;
    Ok(Json(json!({
        "handle": account.handle, "did": account.did, "handleIsCorrect": true,
        "didDoc": identity::did_document(&site, account)?, "collections": account.repo.collections(),
    })))
}

async fn get_record(State(site): State<Site>, Params(at): Params<RecordPath>) -> XrpcResult {
    let state = site.network.state();
    let account = site.active(&state, &at.repo)?;
    let uri = format!("at://{}/{}/{}", account.did, at.collection, at.rkey);
    let record = account.repo.get(&format!("{}/{}", at.collection, at.rkey));
    let (cid, record) = record
        .map(|record| (record.block.cid.to_string(), record))
        .filter(|(cid, _)| at.cid.as_ref().is_none_or(|wanted| wanted == cid))
        .ok_or_else(|| XrpcError::bad("RecordNotFound", format!("Could not locate record: {uri}")))?;
    Ok(Json(json!({"uri": uri, "cid": cid, "value": *record.value})))
}

/// Newest key first, unless `reverse`; the cursor is the last key of the page before.
async fn list_records(State(site): State<Site>, Params(list): Params<List>) -> XrpcResult {
    let limit = list.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(XrpcError::invalid("limit must be between 1 and 100"));
    }
    let state = site.network.state();
    let account = site.active(&state, &list.repo)?;
    let after = |rkey: &str| match list.cursor.as_deref() {
        Some(cursor) if list.reverse => rkey > cursor,
        Some(cursor) => rkey < cursor,
        None => true,
    };
    let all = account.repo.list(&list.collection).filter(|(rkey, _)| after(rkey));
    let page: Vec<_> = if list.reverse { all.take(limit).collect() } else { all.rev().take(limit).collect() };
    let records = page.iter().map(|(rkey, record)| {
        let uri = format!("at://{}/{}/{rkey}", account.did, list.collection);
        json!({"uri": uri, "cid": record.block.cid.to_string(), "value": *record.value})
    });
    let mut answer = json!({"records": records.collect::<Value>()});
    // As the reference PDS does, a full page has a cursor even if nothing follows.
    if page.len() == limit {
        answer["cursor"] = json!(page.last().map(|(rkey, _)| rkey));
    }
    Ok(Json(answer))
}
