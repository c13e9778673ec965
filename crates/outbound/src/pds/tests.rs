use std::collections::HashMap;

use axum::{
    Json, Router,
    extract::{Path, Query},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use types::{Cid, Collection, Did};

use super::{AccountState, PAGE_BYTES, Pds, PdsError};
use crate::{
    relay::list_repos_by_collection,
    testing::{outbound, serve},
};

fn refusal(status: u16, error: &str, message: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "error": error, "message": message }))).into_response()
}

fn entry(rkey: &str, cid: &str) -> serde_json::Value {
    let uri = format!("at://did:plc:alice/io.atcr.repo.page/{rkey}");
    json!({ "uri": uri, "cid": cid, "value": { "b": 1, "a": [] } })
}

/// A PDS with one account, `did:plc:alice`; the names of the others say what became of them.
async fn answer(Path(method): Path<String>, Query(query): Query<HashMap<String, String>>) -> Response {
    let param = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let blob = Cid::of_blob(b"blob").to_string();
    match (method.as_str(), if query.contains_key("did") { param("did") } else { param("repo") }) {
        ("com.atproto.sync.listReposByCollection", _) => {
            assert_eq!(param("collection"), "io.atcr.tag");
            Json(json!({ "repos": [{ "did": "did:plc:alice" }, { "did": "no" }, {}], "cursor": "2" })).into_response()
        }
        (_, "did:plc:down") => refusal(502, "UpstreamFailure", ""),
        (_, "did:plc:takendown") => refusal(400, "RepoTakendown", ""),
        (_, "did:plc:suspended") => refusal(400, "RepoSuspended", ""),
        (_, "did:plc:deactivated") => refusal(400, "RepoDeactivated", ""),
        (_, "did:plc:absent") => refusal(400, "InvalidRequest", "Could not find repo: did:plc:absent"),
        ("com.atproto.repo.getRecord" | "com.atproto.sync.getRecord", _) => match param("rkey") {
            "there" => Json(entry("there", &blob)).into_response(),
            "named" => refusal(400, "RecordNotFound", ""),
            "told" => refusal(400, "InvalidRequest", "Could not locate record: at://x"),
            "missing" => refusal(404, "NotFound", ""),
            _ => refusal(400, "InvalidRequest", "no such parameter"),
        },
        // Its records are large.
        ("com.atproto.repo.listRecords", "did:plc:large") if param("limit") != "10" => {
            vec![b' '; PAGE_BYTES as usize + 1].into_response()
        }
        ("com.atproto.repo.listRecords", "did:plc:large") => Json(json!({ "records": [] })).into_response(),
        ("com.atproto.repo.listRecords", _) => {
            assert_eq!((param("limit"), param("cursor")), ("100", "x&y"));
            Json(json!({ "records": [entry("team/app", &blob), { "uri": 7 }, entry("b", "nonsense")], "cursor": "b" }))
                .into_response()
        }
        ("com.atproto.sync.getLatestCommit", _) => {
            let cid = Cid::of_block(b"commit");
            Json(json!({ "cid": cid, "rev": "3jzfcijpj2z2a" })).into_response()
        }
        ("com.atproto.sync.getRepoStatus", did) => {
            Json(json!({ "did": did, "active": false, "status": "deactivated" })).into_response()
        }
        ("com.atproto.repo.describeRepo", did) => {
            Json(json!({ "did": did, "handle": "alice.test", "didDoc": {}, "collections": ["io.atcr.tag"] }))
                .into_response()
        }
        ("com.atproto.sync.getBlob", _) if param("cid") == Cid::of_blob(b"none").to_string() => {
            refusal(400, "InvalidRequest", "Blob not found")
        }
        ("com.atproto.sync.getBlob", _) => "blob".into_response(),
        ("com.atproto.sync.getRepo", _) => vec![0u8; 1000].into_response(),
        other => panic!("{other:?}"),
    }
}

async fn pds() -> Pds {
    Pds::new(outbound(), serve(Router::new().route("/xrpc/{method}", get(answer))).await)
}

fn did(name: &str) -> Did {
    format!("did:plc:{name}").parse().unwrap()
}

#[tokio::test]
async fn records() {
    let pds = pds().await;
    let get = async |rkey: &str| pds.get_record(&did("alice"), Collection::Page, &rkey.parse().unwrap()).await;
    let record = get("there").await.unwrap().unwrap();
    assert_eq!((record.rkey(), record.value()), ("there", r#"{"a":[],"b":1}"#));
    assert_eq!(record.cid, Some(Cid::of_blob(b"blob")));
    for missing in ["named", "told", "missing"] {
        assert!(get(missing).await.unwrap().is_none(), "{missing}");
        let car = pds.sync_get_record(&did("alice"), Collection::Page, &missing.parse().unwrap()).await;
        assert!(car.unwrap().is_none(), "{missing}");
    }
    assert!(matches!(get("other").await, Err(PdsError::Outbound(_))));
}

#[tokio::test]
async fn pages() {
    let pds = pds().await;
    let page = pds.list_records(&did("alice"), Collection::Page, Some("x&y"), 255).await.unwrap();
    assert_eq!(page.cursor.as_deref(), Some("b"));
    let read: Vec<_> = page.records.iter().map(|record| (record.rkey(), record.cid.is_some())).collect();
    assert_eq!(read, [("team/app", true), ("b", false)]);
    // What is too large as one page comes in smaller ones.
    assert!(pds.list_records(&did("large"), Collection::Page, None, 100).await.unwrap().records.is_empty());
    assert!(!pds.list_records(&did("large"), Collection::Page, None, 1).await.unwrap_err().is_transient());
    assert_eq!(page.records[1].came, entry("b", "nonsense").to_string());
    assert_eq!((page.records[1].value(), &*page.unreadable), (r#"{"a":[],"b":1}"#, &["{\"uri\":7}".into()][..]));
    let relay = list_repos_by_collection(&outbound(), &pds.base, Collection::Tag, None).await.unwrap();
    assert_eq!((relay.dids, relay.unreadable, relay.cursor.as_deref()), (vec![did("alice")], 2, Some("2")));
}

#[tokio::test]
async fn repositories() {
    let pds = pds().await;
    let commit = pds.get_latest_commit(&did("alice")).await.unwrap();
    assert_eq!((commit.cid, commit.rev.to_string()), (Cid::of_block(b"commit"), "3jzfcijpj2z2a".into()));
    let status = pds.get_repo_status(&did("alice")).await.unwrap();
    assert_eq!((status.active, status.status.as_deref(), status.rev), (false, Some("deactivated"), None));
    assert_eq!(pds.describe_repo(&did("alice")).await.unwrap().collections, ["io.atcr.tag"]);
    assert_eq!(pds.get_repo(&did("alice"), 1000).await.unwrap().len(), 1000);
    assert!(!pds.get_repo(&did("alice"), 999).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn blobs_are_hashed() {
    let pds = pds().await;
    let get = async |bytes: &[u8]| pds.get_blob(&did("alice"), &Cid::of_blob(bytes), 100).await;
    assert_eq!(get(b"blob").await.unwrap().unwrap(), "blob");
    assert!(get(b"none").await.unwrap().is_none());
    assert!(matches!(get(b"other").await, Err(PdsError::WrongHash { .. })));
}

#[tokio::test]
async fn accounts_that_are_not_served() {
    let pds = pds().await;
    for (name, expected) in [
        ("takendown", AccountState::Takendown),
        ("suspended", AccountState::Suspended),
        ("deactivated", AccountState::Deactivated),
        ("absent", AccountState::NotFound),
    ] {
        let error = pds.get_latest_commit(&did(name)).await.unwrap_err();
        assert!(matches!(error, PdsError::Account { state, .. } if state == expected), "{name}: {error}");
        let error = pds.get_record(&did(name), Collection::Tag, &"x".parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, PdsError::Account { .. }), "{name}: {error}");
    }
    assert!(pds.get_repo_status(&did("down")).await.unwrap_err().is_transient());
}
