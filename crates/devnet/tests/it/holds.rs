use crowsnest_devnet::HOLD_UNCRAWLED;
use serde_json::{Value, json};
use types::Digest;

use crate::support::{Fixture, client, get, post};

fn get_blob(hold: &str, digest: &Digest) -> String {
    format!("{hold}/xrpc/com.atproto.sync.getBlob?did=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa&cid={digest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_hold_redirects_and_its_urls_cannot_be_bent() {
    let fixture = Fixture::bare().await;
    let hold = &fixture.devnet.manifest().holds[0];
    let digest = fixture.devnet.put_hold_blob(0, b"0123456789").unwrap();
    let answer = client().get(get_blob(hold, &digest)).send().await.unwrap();
    assert_eq!(answer.status(), 307);
    let url = answer.headers()["location"].to_str().unwrap().to_owned();
    let whole = client().get(&url).send().await.unwrap();
    assert_eq!((whole.status().as_u16(), whole.text().await.unwrap().as_str()), (200, "0123456789"));
    let part = client().get(&url).header("range", "bytes=4-").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()), (206, "bytes 4-9/10"));
    assert_eq!(part.text().await.unwrap(), "456789");

    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(client().get(&url).header("range", "bytes=10-")).await, 416);
    assert_eq!(status(client().head(&url)).await, 403);
    let other = fixture.devnet.put_hold_blob(0, b"other").unwrap();
    assert_eq!(status(client().get(url.replace(digest.hex(), other.hex()))).await, 403);
    assert_eq!(status(client().get(url.replace("X-Expires=1", "X-Expires=2"))).await, 403);
    assert_eq!(status(client().get(url.split('?').next().unwrap())).await, 403);
    assert_eq!(status(client().get(get_blob(hold, &Digest::sha256(b"unknown")))).await, 404);
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_public_hold_answers_json() {
    let fixture = Fixture::bare().await;
    let digest = fixture.devnet.put_hold_blob(1, b"layer").unwrap();
    let (status, answer) = get(&get_blob(&fixture.devnet.manifest().holds[1], &digest)).await;
    assert_eq!(status, 200);
    assert_eq!(crate::support::get_bytes(answer["url"].as_str().unwrap()).await, b"layer");
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_hold_wants_a_service_token() {
    let fixture = Fixture::full().await;
    let manifest = fixture.devnet.manifest();
    let (hold, did) = (&manifest.holds[2], fixture.devnet.hold_did(2).unwrap());
    let digest = fixture.devnet.put_hold_blob(2, b"secret").unwrap();
    let (status, refused) = get(&get_blob(hold, &digest)).await;
    assert_eq!((status, refused["error"].as_str()), (401, Some("AuthenticationRequired")));
    // The captain and the one member of the crew may, anyone else may not.
    for (handle, expected) in [("carol.test", 307), ("bob.test", 307), ("alice.test", 403)] {
        let account = manifest.accounts.iter().find(|account| account.handle == handle).unwrap();
        let credentials = json!({"identifier": handle, "password": account.password});
        let (_, session) =
            post(&format!("{}/xrpc/com.atproto.server.createSession", account.pds), None, credentials).await;
        let url = format!("{}/xrpc/com.atproto.server.getServiceAuth", account.pds);
        let auth = client().get(url).query(&[("aud", did.as_str()), ("lxm", "com.atproto.sync.getBlob")]);
        let auth: Value =
            auth.bearer_auth(session["accessJwt"].as_str().unwrap()).send().await.unwrap().json().await.unwrap();
        let answer =
            client().get(get_blob(hold, &digest)).bearer_auth(auth["token"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{handle}");
    }
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_are_actors_and_the_old_one_is_not() {
    let fixture = Fixture::bare().await;
    let holds = fixture.devnet.manifest().holds;
    for (index, hold) in holds[..3].iter().enumerate() {
        let did = fixture.devnet.hold_did(index).unwrap();
        let (status, document) = get(&format!("{hold}/.well-known/did.json")).await;
        assert_eq!((status, &document["id"]), (200, &json!(did)));
        let services = [("#atproto_pds", "AtprotoPersonalDataServer"), ("#atcr_hold", "AtcrHoldService")]
            .map(|(id, kind)| json!({"id": id, "type": kind, "serviceEndpoint": hold}));
        assert_eq!(document["service"], json!(services));
        let captain = client().get(format!("{hold}/xrpc/com.atproto.repo.getRecord"));
        let captain =
            captain.query(&[("repo", did.as_str()), ("collection", "io.atcr.hold.captain"), ("rkey", "self")]);
        let captain: Value = captain.send().await.unwrap().json().await.unwrap();
        assert_eq!(captain["value"]["public"], index != 2);
    }
    let digest = fixture.devnet.put_hold_blob(3, b"old").unwrap();
    let (status, answer) =
        post(&format!("{}/get-presigned-url", holds[3]), None, json!({"did": "", "digest": digest})).await;
    assert_eq!(status, 200);
    assert_eq!(crate::support::get_bytes(answer["url"].as_str().unwrap()).await, b"old");
    assert_eq!(crate::support::get_bytes(&format!("{}/blobs/{digest}?did=", holds[3])).await, b"old");
    fixture.devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_speak_of_what_they_keep() {
    let fixture = Fixture::full().await;
    let hold = &fixture.devnet.manifest().holds[HOLD_UNCRAWLED];
    let did = fixture.devnet.hold_did(HOLD_UNCRAWLED).unwrap();
    let list = async |collection: &str| {
        let request = client().get(format!("{hold}/xrpc/com.atproto.repo.listRecords")).query(&[("limit", "100")]);
        let request = request.query(&[("repo", did.as_str()), ("collection", collection)]);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["records"].as_array().unwrap().clone()
    };
    let scans = list("io.atcr.hold.scan").await;
    for status in ["ok", "failed", "skipped"] {
        assert!(scans.iter().any(|scan| scan["value"]["status"] == status), "{status}");
    }
    let report = scans.iter().find_map(|scan| scan["value"]["sbomBlob"]["ref"]["$link"].as_str()).unwrap();
    let report =
        client().get(format!("{hold}/xrpc/com.atproto.sync.getBlob")).query(&[("did", did.as_str()), ("cid", report)]);
    let report: Value = report.send().await.unwrap().json().await.unwrap();
    assert_eq!(report["spdxVersion"], "SPDX-2.3");
    let layers = list("io.atcr.hold.layer").await;
    for field in ["manifest", "userHandle"] {
        assert!(layers.iter().any(|layer| layer["value"].get(field).is_some()), "{field}");
    }
    assert!(!list("io.atcr.hold.stats").await.is_empty());
    fixture.devnet.shutdown().await;
}
