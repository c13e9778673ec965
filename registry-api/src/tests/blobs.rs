use std::time::Duration;

use serde_json::json;
use types::{Did, Digest};

use super::{
    app::{App, Image, LAYER_SIZE},
    network::HoldMood,
};

/// An app with alice's image, and the path of its layer.
async fn app() -> (App, String) {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    let path = format!("/v2/alice.test/app/blobs/{}", image.layer);
    // What a look finds: whoever has no hold's service has no health.
    let client = app.client().await.client;
    store::observe::legacy_hold(&client, &app.network.hold(), "https://hold.test").await.unwrap();
    (app, path)
}

#[tokio::test]
async fn head_is_answered_here_and_get_elsewhere() {
    let (app, path) = app().await;
    let head = app.head(&path).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), LAYER_SIZE.to_string());
    assert_eq!(head.header("content-type"), "application/octet-stream");
    assert_eq!(head.header("accept-ranges"), "bytes");
    assert!(path.ends_with(head.header("docker-content-digest")));
    assert_eq!(app.network.asked("getBlob"), 0, "no hold is asked for a HEAD");

    for (mood, target) in [
        (HoldMood::Redirects, "/blobs/x?signature"),
        (HoldMood::Points, "/blobs/x?signature"),
        (HoldMood::SendsBytes, "/xrpc/"),
    ] {
        app.network.with(|state| state.hold = mood);
        let get = app.get(&path).await;
        assert_eq!((get.status.as_u16(), get.header("cache-control")), (307, "no-store"), "{mood:?}");
        assert!(get.header("location").starts_with(&format!("{}{}", app.network.url, &target[1..])), "{mood:?}");
        assert!(path.ends_with(get.header("docker-content-digest")));
    }
    assert_eq!(app.network.asked("did=did%3Aplc%3Aalice&cid=sha256%3A"), 3, "the hold is told whose image it is");
}

#[tokio::test]
async fn only_what_the_repository_s_manifests_refer_to() {
    let (app, _) = app().await;
    let alice: Did = "did:plc:alice".parse().unwrap();
    let image = app.image(&alice, "other", "v1").await;
    let none = Digest::sha256(b"none");
    for digest in [&image.layer, &none, &image.digest] {
        let message = app.get(&format!("/v2/alice.test/app/blobs/{digest}")).await.refusal(404, "BLOB_UNKNOWN");
        assert!(message.contains(digest.as_str()));
        assert_eq!(app.head(&format!("/v2/alice.test/app/blobs/{digest}")).await.status, 404);
    }
    let manifest = app.get(&format!("/v2/alice.test/other/blobs/{}", image.digest)).await;
    manifest.refusal(404, "BLOB_UNKNOWN");
    app.get(&format!("/v2/alice.test/nothing/blobs/{none}")).await.refusal(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn every_way_in_which_a_hold_fails_is_told() {
    let (app, path) = app().await;
    let hold = app.network.hold();
    for (mood, status, code, text) in [
        (HoldMood::Refuses(401), 401, "UNAUTHORIZED", "private"),
        (HoldMood::Refuses(403), 401, "UNAUTHORIZED", "private"),
        (HoldMood::Refuses(404), 404, "BLOB_UNKNOWN", "does not have sha256:"),
        (HoldMood::Refuses(418), 502, "UNKNOWN", "unusable"),
        (HoldMood::LeadsTo("http://169.254.169.254/latest/meta-data"), 502, "UNKNOWN", "nobody may be sent"),
        (HoldMood::LeadsTo("http://[fe80::1]/x"), 502, "UNKNOWN", "nobody may be sent"),
        (HoldMood::LeadsTo("http://user:secret@127.0.0.1/x"), 502, "UNKNOWN", "nobody may be sent"),
        (HoldMood::LeadsTo("file:///etc/passwd"), 502, "UNKNOWN", "nobody may be sent"),
        (HoldMood::Refuses(500), 503, "UNKNOWN", "since"),
        (HoldMood::Hangs, 503, "UNKNOWN", "since"),
    ] {
        app.network.with(|state| state.hold = mood);
        let answer = app.get(&path).await;
        let message = answer.refusal(status, code);
        assert!(message.contains(text) && message.contains(hold.as_str()), "{mood:?}: {message}");
        assert_eq!(app.head(&path).await.status, 200, "{mood:?}");
    }
}

#[tokio::test]
async fn a_hold_that_is_down_is_noted_until_it_is_up() {
    let (app, path) = app().await;
    let hold = app.network.hold();
    app.network.with(|state| state.hold = HoldMood::Refuses(500));
    app.get(&path).await.refusal(503, "UNKNOWN");
    let down = app.registry.reader.hold(&hold).await.unwrap().unwrap();
    assert_eq!(down.reachable, Some(false));
    tokio::time::sleep(Duration::from_millis(10)).await;
    let again = app.get(&path).await.refusal(503, "UNKNOWN");
    assert!(again.contains(&down.since.unwrap().format("since %Y-%m-%d %H:%M UTC").to_string()));
    assert_eq!(app.registry.reader.hold(&hold).await.unwrap().unwrap().since, down.since);
    app.network.with(|state| state.hold = HoldMood::Redirects);
    assert_eq!(app.get(&path).await.status, 307);
    assert_eq!(app.registry.reader.hold(&hold).await.unwrap().unwrap().reachable, Some(true));
}

#[tokio::test]
async fn an_old_hold_is_asked_the_old_way_and_told_nobody_s_name() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = Image::new("old");
    let mut record = image.record("app", &app.network.hold());
    record.as_object_mut().unwrap().remove("holdDid");
    record["holdEndpoint"] = json!(app.network.url);
    app.index(&alice, &image.path(), &record).await;
    app.keep(&image.bytes).await;
    let path = format!("/v2/alice.test/app/blobs/{}", image.layer);
    assert!(app.get(&path).await.header("location").contains("/blobs/old?signature=secret"));
    app.network.with(|state| state.hold = HoldMood::Refuses(403));
    app.get(&path).await.refusal(401, "UNAUTHORIZED");
    assert_eq!(app.network.asked("getBlob"), 0);
}

#[tokio::test]
async fn a_hold_s_successor_is_asked_in_its_place() {
    let (app, _) = app().await;
    let bob = app.account("bob").await;
    let image = Image::new("moved");
    let former: Did = "did:web:former.example".parse().unwrap();
    app.index(&bob, &image.path(), &image.record("app", &former)).await;
    app.keep(&image.bytes).await;
    let captain = json!({ "$type": "io.atcr.hold.captain", "owner": "did:plc:bob", "public": true, "allowAllCrew": false,
                          "enableBlueskyPosts": false, "deployedAt": "2026-01-10T12:00:00Z", "successor": app.network.hold() });
    app.index(&former, "io.atcr.hold.captain/self", &captain).await;
    let answer = app.get(&format!("/v2/bob.test/app/blobs/{}", image.layer)).await;
    assert!(answer.header("location").starts_with(app.network.url.as_str()), "{}", answer.status);
}

#[tokio::test]
async fn holds_that_succeed_each_other_for_ever_end() {
    let (app, _) = app().await;
    let bob = app.account("bob").await;
    let image = Image::new("moved");
    let holds: [Did; 2] = ["did:web:a.invalid", "did:web:b.invalid"].map(|did| did.parse().unwrap());
    app.index(&bob, &image.path(), &image.record("app", &holds[0])).await;
    app.keep(&image.bytes).await;
    for (hold, next) in [(0, 1), (1, 0)] {
        let captain = json!({ "$type": "io.atcr.hold.captain", "owner": "did:plc:bob", "public": true, "allowAllCrew": false,
                              "enableBlueskyPosts": false, "deployedAt": "2026-01-10T12:00:00Z", "successor": holds[next] });
        app.index(&holds[hold], "io.atcr.hold.captain/self", &captain).await;
    }
    let answer = app.get(&format!("/v2/bob.test/app/blobs/{}", image.layer)).await;
    assert!(matches!(answer.status.as_u16(), 502 | 503), "{}", answer.status);
}

#[tokio::test]
async fn a_hold_that_fails_again_and_again_is_left_alone_for_a_while() {
    let (app, path) = app().await;
    app.network.with(|state| state.hold = HoldMood::Refuses(500));
    for _ in 0..6 {
        let message = app.get(&path).await.refusal(503, "UNKNOWN");
        assert!(message.contains("since"), "{message}");
    }
    assert_eq!(app.network.asked("getBlob"), 3);
    app.network.with(|state| state.hold = HoldMood::Redirects);
    tokio::time::timeout(Duration::from_secs(20), async {
        while app.get(&path).await.status != 307 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it is asked again");
}
