use serde_json::json;

use crate::support::{Fixture, client, get, post};

#[tokio::test(flavor = "multi_thread")]
async fn a_script_publishes() {
    let fixture = Fixture::bare().await;
    let manifest = fixture.devnet.manifest();
    let pds = &manifest.pds[1];
    let xrpc = |method: &str| format!("{pds}/xrpc/com.atproto.{method}");
    let (status, account) =
        post(&xrpc("server.createAccount"), None, json!({"handle": "new.test", "password": "pw"})).await;
    assert_eq!(status, 200, "{account}");
    let did = account["did"].as_str().unwrap();
    let (status, session) =
        post(&xrpc("server.createSession"), None, json!({"identifier": "new.test", "password": "pw"})).await;
    assert_eq!((status, &session["did"]), (200, &account["did"]));
    let token = session["accessJwt"].as_str().unwrap();
    let (status, refused) =
        post(&xrpc("server.createSession"), None, json!({"identifier": did, "password": "no"})).await;
    assert_eq!((status, refused["error"].as_str()), (401, Some("AuthenticationRequired")));
    let (status, _) = post(&xrpc("server.refreshSession"), session["refreshJwt"].as_str(), json!({})).await;
    assert_eq!(status, 200);

    let blob =
        client().post(xrpc("repo.uploadBlob")).bearer_auth(token).header("content-type", "text/x-test").body("bytes");
    let blob: serde_json::Value = blob.send().await.unwrap().json().await.unwrap();
    let cid = blob["blob"]["ref"]["$link"].as_str().unwrap().to_owned();
    let record = json!({"repo": did, "collection": "io.atcr.tag", "rkey": "a", "record": {"blob": blob["blob"]}});
    let (status, created) = post(&xrpc("repo.createRecord"), Some(token), record.clone()).await;
    assert_eq!(status, 200, "{created}");
    let (status, again) = post(&xrpc("repo.createRecord"), Some(token), record.clone()).await;
    assert_eq!((status, again["error"].as_str()), (400, Some("InvalidRequest")));
    let (status, _) = post(&xrpc("repo.createRecord"), None, record.clone()).await;
    assert_eq!(status, 401);
    let mut other = record.clone();
    other["record"] = json!({"changed": true});
    let (status, put) = post(&xrpc("repo.putRecord"), Some(token), other).await;
    assert!(status == 200 && put["commit"]["rev"].as_str() > created["commit"]["rev"].as_str());

    let at = format!("repo={did}&collection=io.atcr.tag&rkey=a");
    let (status, found) = get(&format!("{}?{at}", xrpc("repo.getRecord"))).await;
    assert_eq!((status, &found["value"]), (200, &json!({"$type": "io.atcr.tag", "changed": true})));
    let key = json!({"repo": did, "collection": "io.atcr.tag", "rkey": "a"});
    for _ in 0..2 {
        assert_eq!(post(&xrpc("repo.deleteRecord"), Some(token), key.clone()).await.0, 200);
    }
    let (status, missing) = get(&format!("{}?{at}", xrpc("repo.getRecord"))).await;
    assert_eq!((status, missing["error"].as_str()), (400, Some("RecordNotFound")));

    let bytes = crate::support::get_bytes(&format!("{}?did={did}&cid={cid}", xrpc("sync.getBlob"))).await;
    assert_eq!(bytes, b"bytes");
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_and_statuses() {
    let fixture = Fixture::bare().await;
    let did = fixture.devnet.create_account("old.test", "x", 0).unwrap();
    let manifest = fixture.devnet.manifest();
    let resolve = async |handle: &str| {
        get(&format!(
            "{}/xrpc/com.atproto.identity.resolveHandle?handle={handle}",
            fixture.devnet.handle_resolver_url()
        ))
        .await
    };
    assert_eq!(resolve("old.test").await, (200, json!({"did": did})));
    fixture.devnet.set_handle(&did, "new.test").unwrap();
    assert_eq!(resolve("old.test").await.0, 400);
    assert_eq!(resolve("new.test").await.0, 200);
    let (_, document) = get(&format!("{}/{did}", manifest.plc)).await;
    assert_eq!(document["alsoKnownAs"], json!(["at://new.test"]));
    let well_known = client().get(format!("{}/.well-known/atproto-did", manifest.pds[0])).header("host", "new.test");
    assert_eq!(well_known.send().await.unwrap().text().await.unwrap(), did.as_str());

    let status = async || get(&format!("{}/xrpc/com.atproto.sync.getRepoStatus?did={did}", manifest.pds[0])).await.1;
    assert_eq!(status().await["active"], true);
    fixture.devnet.set_account_status(&did, Some("takendown")).unwrap();
    assert_eq!(status().await["status"], "takendown");
    let (code, refused) = get(&format!("{}/xrpc/com.atproto.sync.getLatestCommit?did={did}", manifest.pds[0])).await;
    assert_eq!((code, refused["error"].as_str()), (400, Some("RepoTakendown")));
    fixture.devnet.set_account_status(&did, Some("deleted")).unwrap();
    assert_eq!(get(&format!("{}/{did}", manifest.plc)).await.0, 410);
    assert_eq!(get(&format!("{}/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", manifest.plc)).await.0, 404);
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_lists_who_has_what() {
    let fixture = Fixture::full().await;
    let manifest = fixture.devnet.manifest();
    let mut dids = Vec::new();
    let mut cursor = String::new();
    loop {
        let url = format!(
            "{}/xrpc/com.atproto.sync.listReposByCollection?collection=io.atcr.tag&limit=3{cursor}",
            manifest.relay
        );
        let (_, page) = get(&url).await;
        dids.extend(page["repos"].as_array().unwrap().iter().map(|repo| repo["did"].as_str().unwrap().to_owned()));
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(dids.len(), 15);
    let (_, captains) =
        get(&format!("{}/xrpc/com.atproto.sync.listReposByCollection?collection=io.atcr.hold.captain", manifest.relay))
            .await;
    // Two holds and Mallory; the third hold was never crawled.
    assert_eq!(captains["repos"].as_array().unwrap().len(), 3);
    let (status, _) =
        get(&format!("{}/xrpc/com.atproto.sync.listReposByCollection?collection=io.atcr.tag", manifest.pds[0])).await;
    assert_eq!(status, 401);
    fixture.devnet.shutdown().await;
}
