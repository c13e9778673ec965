use axum::body::Body;
use http::{Request, header};

use crate::{get, seed::Seeded, send};

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_policies() {
    let seeded = Seeded::new().await;
    for path in [
        "/",
        "/nowhere",
        "/api/v1/status",
        "/api/v1/nothing",
        "/r/alice.test/hello",
        "/alice.test/hello",
        "/favicon.ico",
        "/holds",
        "/api/v1/events?after=x",
    ] {
        let answer = get(&seeded, path).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(answer.headers[header::REFERRER_POLICY], "strict-origin-when-cross-origin", "{path}");
        assert_eq!(answer.headers["cross-origin-opener-policy"], "same-origin", "{path}");
        assert!(!answer.headers.contains_key(header::SET_COOKIE), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_found_immutable_and_small() {
    let seeded = Seeded::new().await;
    let home = get(&seeded, "/").await.body;
    let paths: Vec<&str> = home.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    let mut total = 0;
    for path in paths {
        let asset = get(&seeded, path).await;
        assert_eq!(
            (asset.status.as_u16(), asset.headers[header::CACHE_CONTROL].to_str().unwrap()),
            (200, "public, max-age=31536000, immutable")
        );
        for (accepted, packed) in [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("zstd", "")] {
            let request = Request::get(path).header(header::ACCEPT_ENCODING, accepted).body(Body::empty()).unwrap();
            let answer = send(&seeded, request).await;
            let coding = answer.headers.get(header::CONTENT_ENCODING).map_or("", |coding| coding.to_str().unwrap());
            assert_eq!(coding, packed, "{path}");
            assert_eq!(answer.headers[header::VARY], "accept-encoding", "{path}");
            total += if packed == "gzip" { answer.bytes } else { 0 };
        }
        for elsewhere in ["http://", "https://", "@import", "url("] {
            assert!(
                !asset.body.replace("http://www.w3.org/2000/svg", "").contains(elsewhere),
                "{path} names {elsewhere}"
            );
        }
    }
    assert!(0 < total && total < 25_000, "{total} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_compressed_and_answer_head() {
    let seeded = Seeded::new().await;
    let request = Request::get("/").header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
    assert_eq!(send(&seeded, request).await.headers[header::CONTENT_ENCODING], "gzip");
    let request = Request::head("/r/alice.test/hello").body(Body::empty()).unwrap();
    let answer = send(&seeded, request).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    let request = Request::post("/r/alice.test/hello").body(Body::empty()).unwrap();
    assert_eq!(send(&seeded, request).await.status.as_u16(), 405);
}
