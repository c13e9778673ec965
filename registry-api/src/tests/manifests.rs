use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};
use types::{Digest, ManifestMediaType};

use super::{
    app::{App, Image, tag_path, tag_record},
    log::Log,
};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

#[tokio::test]
async fn the_bytes_come_as_they_were_hashed_with_their_headers() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    let by_digest = format!("/v2/alice.test/app/manifests/{}", image.digest);
    for (path, caching) in [
        (by_digest.as_str(), "public, max-age=31536000, immutable"),
        ("/v2/alice.test/app/manifests/v1", "no-cache"),
        ("/v2/did:plc:alice/app/manifests/v1", "no-cache"),
        ("/v2/did%3Aplc%3Aalice/app/manifests/v1", "no-cache"),
        ("/v2/did_plc_alice/app/manifests/v1", "no-cache"),
        ("/v2/Alice.Test/app/manifests/v1", "no-cache"),
    ] {
        let (get, head) = (app.get(path).await, app.head(path).await);
        assert_eq!((get.status.as_u16(), &get.body), (200, &image.bytes), "{path}");
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
        for answer in [get, head] {
            assert_eq!(answer.header("content-type"), OCI);
            assert_eq!(answer.header("content-length"), image.bytes.len().to_string());
            assert_eq!(answer.header("docker-content-digest"), image.digest.as_str());
            assert_eq!(answer.header("etag"), format!("\"{}\"", image.digest));
            assert_eq!(answer.header("cache-control"), caching);
        }
    }
}

/// What there is comes as it is: clients that cannot read it say so themselves.
#[tokio::test]
async fn accept_refuses_nothing() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    for reference in ["v1", image.digest.as_str()] {
        for method in [Method::HEAD, Method::GET] {
            let request = Request::builder().method(&method).uri(format!("/v2/alice.test/app/manifests/{reference}"));
            let answer = app.request(request.header("accept", "text/html").body(Body::empty()).unwrap()).await;
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, OCI), "{method} {reference}");
            assert_eq!(answer.header("docker-content-digest"), image.digest.as_str());
        }
    }
}

/// As docker sends them, and containerd: over several lines, in one, with weights.
#[tokio::test]
async fn accept_may_come_over_several_lines() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    let docker =
        ["application/vnd.docker.distribution.manifest.v2+json", OCI, "application/vnd.oci.image.index.v1+json"];
    let containerd = ["application/vnd.docker.distribution.manifest.list.v2+json, */*"];
    let weighted = ["application/vnd.oci.image.index.v1+json;q=0.5, application/json;q=0", "nonsense;;"];
    for lines in [&docker[..], &containerd, &weighted, &[]] {
        let mut request = Request::builder().uri("/v2/alice.test/app/manifests/v1");
        for line in lines {
            request = request.header("accept", *line);
        }
        let answer = app.request(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type"), &answer.body), (200, OCI, &image.bytes));
    }
}

#[tokio::test]
async fn a_sha512_digest_is_one() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    app.image(&alice, "app", "v1").await;
    let (digest, short) = (format!("sha512:{}", "a".repeat(128)), format!("sha512:{}", "a".repeat(64)));
    app.get(&format!("/v2/alice.test/app/manifests/{digest}")).await.refusal(404, "MANIFEST_UNKNOWN");
    app.get(&format!("/v2/alice.test/app/blobs/{digest}")).await.refusal(404, "BLOB_UNKNOWN");
    assert_eq!(app.get(&format!("/v2/alice.test/app/referrers/{digest}")).await.json()["manifests"], json!([]));
    for endpoint in ["manifests", "blobs", "referrers"] {
        app.get(&format!("/v2/alice.test/app/{endpoint}/{short}")).await.refusal(400, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn who_has_it_is_told_so() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    let path = "/v2/alice.test/app/manifests/v1";
    let etag = format!("\"{}\"", image.digest);
    for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".into()] {
        let answer = app.get_with(path, "if-none-match", &known).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header("etag"), etag);
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("docker-content-digest"), image.digest.as_str());
    }
    assert_eq!(app.get_with(path, "if-none-match", "\"sha256:0\"").await.status, 200);
}

#[tokio::test]
async fn a_moved_tag_is_seen_at_once() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let old = app.image(&alice, "app", "v1").await;
    let new = app.image(&alice, "app", "v2").await;
    app.index(&alice, &tag_path("app", "v1"), &tag_record(&alice, "app", "v1", &new)).await;
    let answer = app.get("/v2/alice.test/app/manifests/v1").await;
    assert_eq!(answer.header("docker-content-digest"), new.digest.as_str());
    app.delete(&alice, &tag_path("app", "v1")).await;
    let gone = app.get("/v2/alice.test/app/manifests/v1").await.refusal(404, "MANIFEST_UNKNOWN");
    assert_eq!(gone, "alice.test/app has no tag v1");
    assert_eq!(app.get(&format!("/v2/alice.test/app/manifests/{}", old.digest)).await.status, 200);
}

#[tokio::test]
async fn a_tag_whose_manifest_is_gone_is_called_that() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    app.image(&alice, "app", "v1").await;
    let image = app.image(&alice, "app", "v2").await;
    app.delete(&alice, &image.path()).await;
    let gone = app.get("/v2/alice.test/app/manifests/v2").await.refusal(404, "MANIFEST_UNKNOWN");
    assert_eq!(
        gone,
        "the tag v2 of alice.test/app points at a manifest that its owner has deleted, or never published"
    );
    assert_eq!(app.get("/v2/alice.test/app/manifests/v2").await.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn what_is_unknown_is_named() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    app.image(&alice, "app", "v1").await;
    let none = Digest::sha256(b"none");
    for (path, code, message) in [
        (
            "/v2/nobody.test/app/manifests/v1".to_owned(),
            "NAME_UNKNOWN",
            "no account has the handle nobody.test".to_owned(),
        ),
        (
            "/v2/did_plc_nobody/app/manifests/v1".into(),
            "NAME_UNKNOWN",
            "there is no account did:plc:nobody: did:plc:nobody does not exist".into(),
        ),
        ("/v2/alice.test/nothing/manifests/v1".into(), "NAME_UNKNOWN", "alice.test has no repository nothing".into()),
        ("/v2/alice.test/app/manifests/v9".into(), "MANIFEST_UNKNOWN", "alice.test/app has no tag v9".into()),
        (
            format!("/v2/alice.test/app/manifests/{none}"),
            "MANIFEST_UNKNOWN",
            format!("alice.test/app has no manifest {none}"),
        ),
    ] {
        assert_eq!(app.get(&path).await.refusal(404, code), message, "{path}");
        assert_eq!(app.head(&path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_hidden_account_is_not_there() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    app.see(&alice, "alice", false).await;
    for path in [
        "manifests/v1".to_owned(),
        format!("manifests/{}", image.digest),
        format!("blobs/{}", image.layer),
        "tags/list".into(),
        format!("referrers/{}", image.digest),
    ] {
        for owner in ["alice.test", "did_plc_alice"] {
            app.get(&format!("/v2/{owner}/app/{path}")).await.refusal(404, "NAME_UNKNOWN");
        }
    }
    app.see(&alice, "alice", true).await;
    assert_eq!(app.get("/v2/alice.test/app/manifests/v1").await.status, 200);
}

/// Serves one image whose record and bytes declare these media types.
async fn declared(app: &App, record: &str, bytes: Option<&str>) -> super::app::Answer {
    let alice = app.account("alice").await;
    let fields = bytes.map_or_else(|| json!({}), |own| json!({ "mediaType": own }));
    let image = Image::of(&format!("{record} {bytes:?}"), fields);
    let mut declaration = image.record("app", &app.network.hold());
    declaration["mediaType"] = Value::from(record);
    app.index(&alice, &image.path(), &declaration).await;
    app.keep(&image.bytes).await;
    app.get(&format!("/v2/alice.test/app/manifests/{}", image.digest)).await
}

#[tokio::test]
async fn only_the_four_media_types_are_ever_sent() {
    let app = App::start().await;
    for known in ManifestMediaType::ALL {
        for bytes in [None, Some(known.as_str())] {
            let answer = declared(&app, known.as_str(), bytes).await;
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, known.as_str()));
        }
    }
    let parameters = declared(&app, &format!("{OCI}; charset=utf-8"), None).await;
    assert_eq!(parameters.header("content-type"), OCI);
    for (record, bytes) in [
        ("text/html", None),
        ("text/html", Some(OCI)),
        (OCI, Some("text/html")),
        (OCI, Some(ManifestMediaType::OciIndex.as_str())),
    ] {
        let answer = declared(&app, record, bytes).await;
        assert!(answer.refusal(502, "MANIFEST_INVALID").contains("media type"), "{record} {bytes:?}");
    }
}

/// An image that is indexed, and whose bytes no job has fetched yet.
async fn unfetched(app: &App, text: &str) -> (Image, String) {
    let alice = app.account("alice").await;
    let image = Image::new(text);
    app.index(&alice, &image.path(), &image.record("app", &app.network.hold())).await;
    let path = format!("/v2/alice.test/app/manifests/{}", image.digest);
    (image, path)
}

#[tokio::test]
async fn bytes_that_are_not_there_yet_are_fetched_once() {
    let app = App::start().await;
    let (image, path) = unfetched(&app, "x").await;
    app.network.with(|state| state.blobs.insert(image.cid().to_string(), image.bytes.clone()));
    let answers = tokio::join!(app.get(&path), app.get(&path), app.head(&path));
    assert_eq!((&answers.0.body, &answers.1.body), (&image.bytes, &image.bytes));
    assert_eq!(answers.2.status, 200);
    assert_eq!(app.network.asked("getBlob"), 1);
    app.network.with(|state| state.pds_down = true);
    assert_eq!(app.get(&path).await.body, image.bytes, "the PDS is not needed any more");
}

#[tokio::test]
async fn tampered_bytes_are_logged_and_never_served_nor_kept() {
    let app = App::start().await;
    let (log, _listening) = Log::listen();
    let (image, path) = unfetched(&app, "x").await;
    app.network.with(|state| state.blobs.insert(image.cid().to_string(), b"{\"schemaVersion\":2}".to_vec()));
    assert!(app.get(&path).await.refusal(502, "UNKNOWN").contains("not served"));
    assert!(!app.is_kept(&image.digest).await);
    assert_eq!(app.head(&path).await.status, 502);
    let log = log.text();
    let digest = &image.digest;
    assert!(log.contains(&format!("the bytes published as {digest} are not that manifest")), "{log}");
    assert!(log.contains("http.status=502") && log.contains("do not hash to"), "{log}");
    assert_eq!(log.lines().count(), 1, "once, however often it is asked for: {log}");
}

/// The record links honestly to a blob which is not the manifest that it declares.
#[tokio::test]
async fn a_record_with_another_manifest_s_blob_serves_nothing() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let (image, other) = (Image::new("declared"), Image::new("linked"));
    let mut record = image.record("app", &app.network.hold());
    record["manifestBlob"]["ref"]["$link"] = json!(other.cid());
    app.index(&alice, &image.path(), &record).await;
    app.network.with(|state| state.blobs.insert(other.cid().to_string(), other.bytes.clone()));
    let answer = app.get(&format!("/v2/alice.test/app/manifests/{}", image.digest)).await;
    answer.refusal(502, "UNKNOWN");
    assert!(!app.is_kept(&image.digest).await && !app.is_kept(&other.digest).await);
}

#[tokio::test]
async fn a_pds_that_is_down_is_named() {
    let app = App::start().await;
    let (_, path) = unfetched(&app, "x").await;
    app.network.with(|state| state.pds_down = true);
    let answer = app.get(&path).await;
    assert!(answer.refusal(503, "UNKNOWN").contains(&format!("PDS {} does not answer", app.network.url.authority())));
    assert_eq!(answer.header("retry-after"), "5");
    // Remembered for seconds, so that a client that insists costs the PDS nothing.
    app.get(&path).await.refusal(503, "UNKNOWN");
    assert_eq!(app.network.asked("getBlob"), 1);
}

#[tokio::test]
async fn bytes_that_are_gone_are_unknown() {
    let app = App::start().await;
    let (_, path) = unfetched(&app, "x").await;
    app.network.with(|state| state.hold = super::network::HoldMood::Refuses(404));
    assert!(app.get(&path).await.refusal(404, "MANIFEST_UNKNOWN").contains("published nowhere"));
}
