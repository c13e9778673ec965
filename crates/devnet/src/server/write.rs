//! `com.atproto.repo.*`: what an account writes.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, header},
    routing::post,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Did, Nsid, Rkey, Tid};

use super::{
    Site, token,
    xrpc::{Input, XrpcError, XrpcResult},
};
use crate::{
    network::Written,
    repo::{Action, Write},
};

const MAX_BLOB: usize = 50 << 20;

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .route("/xrpc/com.atproto.repo.createRecord", post(create_record))
        .route("/xrpc/com.atproto.repo.putRecord", post(put_record))
        .route("/xrpc/com.atproto.repo.deleteRecord", post(delete_record))
        .route("/xrpc/com.atproto.repo.applyWrites", post(apply_writes))
        .route("/xrpc/com.atproto.repo.uploadBlob", post(upload_blob))
        .layer(DefaultBodyLimit::max(MAX_BLOB))
}

#[derive(Deserialize)]
struct RecordInput {
    repo: String,
    collection: Nsid,
    rkey: Option<Rkey>,
    record: Value,
}

#[derive(Deserialize)]
struct DeleteInput {
    repo: String,
    collection: Nsid,
    rkey: Rkey,
}

#[derive(Deserialize)]
struct WritesInput {
    repo: String,
    writes: Vec<WriteInput>,
}

#[derive(Deserialize)]
struct WriteInput {
    #[serde(rename = "$type")]
    kind: String,
    collection: Nsid,
    rkey: Option<Rkey>,
    value: Option<Value>,
}

impl Site {
    /// The account that is signed in and named as `repo`, if it may write.
    fn writer(&self, headers: &HeaderMap, repo: &str) -> XrpcResult<Did> {
        let did = self.signed_in(headers)?;
        let state = self.network.state();
        let account = self.active(&state, repo)?;
        (account.did == did).then_some(did).ok_or_else(|| XrpcError::forbidden("not your repository"))
    }

    fn exists(&self, did: &Did, collection: &Nsid, rkey: &Rkey) -> bool {
        let path = format!("{collection}/{rkey}");
        self.network.state().account(did).is_some_and(|account| account.repo.get(&path).is_some())
    }
}

/// A record must say what it is; a PDS adds it where it is missing.
fn typed(mut record: Value, collection: &Nsid) -> XrpcResult<Value> {
    let Some(fields) = record.as_object_mut() else {
        return Err(XrpcError::bad("InvalidRecord", "a record is an object"));
    };
    let found = fields.entry("$type").or_insert_with(|| json!(collection));
    if *found != json!(collection) {
        return Err(XrpcError::invalid(format!("Invalid $type: expected {collection}, got {found}")));
    }
    Ok(record)
}

fn new_key() -> String {
    let micros = u64::try_from(chrono::Utc::now().timestamp_micros()).unwrap_or_default();
    Tid::from_micros(micros, 0).to_string()
}

fn written(did: &Did, path: &str, done: &Written) -> Json<Value> {
    Json(json!({
        "uri": format!("at://{did}/{path}"), "cid": done.cids.first(),
        "commit": {"cid": done.commit, "rev": done.rev}, "validationStatus": "unknown",
    }))
}

async fn create_record(State(site): State<Site>, headers: HeaderMap, Input(input): Input<RecordInput>) -> XrpcResult {
    let did = site.writer(&headers, &input.repo)?;
    let rkey = input.rkey.map_or_else(new_key, String::from);
    let write = Write::create(input.collection.as_str(), rkey, typed(input.record, &input.collection)?);
    let path = write.path();
    Ok(written(&did, &path, &site.network.write(&did, vec![write], None)?))
}

async fn put_record(State(site): State<Site>, headers: HeaderMap, Input(input): Input<RecordInput>) -> XrpcResult {
    let did = site.writer(&headers, &input.repo)?;
    let rkey = input.rkey.ok_or_else(|| XrpcError::invalid("rkey is missing"))?;
    let action = if site.exists(&did, &input.collection, &rkey) { Action::Update } else { Action::Create };
    let record = typed(input.record, &input.collection)?;
    let write = Write { action, ..Write::create(input.collection.as_str(), rkey.as_str(), record) };
    let path = write.path();
    Ok(written(&did, &path, &site.network.write(&did, vec![write], None)?))
}

/// Deleting what is not there succeeds and commits nothing.
async fn delete_record(State(site): State<Site>, headers: HeaderMap, Input(input): Input<DeleteInput>) -> XrpcResult {
    let did = site.writer(&headers, &input.repo)?;
    if !site.exists(&did, &input.collection, &input.rkey) {
        return Ok(Json(json!({})));
    }
    let write = Write::delete(input.collection.as_str(), input.rkey.as_str());
    let done = site.network.write(&did, vec![write], None)?;
    Ok(Json(json!({"commit": {"cid": done.commit, "rev": done.rev}})))
}

async fn apply_writes(State(site): State<Site>, headers: HeaderMap, Input(input): Input<WritesInput>) -> XrpcResult {
    let did = site.writer(&headers, &input.repo)?;
    let writes = input.writes.into_iter().map(WriteInput::parse).collect::<XrpcResult<Vec<_>>>()?;
    let paths: Vec<String> = writes.iter().map(Write::path).collect();
    let done = site.network.write(&did, writes, None)?;
    let results = paths.iter().zip(&done.cids).map(|(path, cid)| match cid {
        Some(cid) => json!({"uri": format!("at://{did}/{path}"), "cid": cid, "validationStatus": "unknown"}),
        None => json!({}),
    });
    Ok(Json(json!({"commit": {"cid": done.commit, "rev": done.rev}, "results": results.collect::<Value>()})))
}

impl WriteInput {
    fn parse(self) -> XrpcResult<Write> {
        let rkey = self.rkey.map(String::from);
        let key = || rkey.clone().ok_or_else(|| XrpcError::invalid("rkey is missing"));
        let record = || {
            let value = self.value.clone().ok_or_else(|| XrpcError::invalid("value is missing"))?;
            typed(value, &self.collection)
        };
        let collection = self.collection.as_str();
        match self.kind.trim_start_matches("com.atproto.repo.applyWrites#") {
            "create" => Ok(Write::create(collection, rkey.clone().unwrap_or_else(new_key), record()?)),
            "update" => Ok(Write::update(collection, key()?, record()?)),
            "delete" => Ok(Write::delete(collection, key()?)),
            other => Err(XrpcError::invalid(format!("unknown write {other}"))),
        }
    }
}

async fn upload_blob(State(site): State<Site>, headers: HeaderMap, body: Bytes) -> XrpcResult {
    let did = token::verify_session(&site.network.keys, &headers, token::Scope::Access)?;
    let mime = headers.get(header::CONTENT_TYPE).and_then(|mime| mime.to_str().ok());
    let mime = mime.filter(|mime| *mime != "*/*").unwrap_or("application/octet-stream");
    Ok(Json(json!({"blob": site.network.put_blob(&did, mime, &body)?})))
}
