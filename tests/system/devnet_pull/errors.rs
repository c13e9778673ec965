//! What is not there is said to be not there: which part, and in the asker's own format.

use anyhow::Result;
use reqwest::{Method, StatusCode};

use crate::harness::demo::Demo;
use crate::harness::http::{client, get, oci_error};
use crate::harness::passed;

#[tokio::test]
async fn clients_are_told_what_is_unknown() -> Result<()> {
    let demo = Demo::start().await?;
    for (path, code, named) in [
        ("/v2/nobody.test/hello/tags/list", "NAME_UNKNOWN", "nobody.test"),
        ("/v2/nobody.test/hello/manifests/latest", "NAME_UNKNOWN", "nobody.test"),
        ("/v2/alice.test/nothing/tags/list", "NAME_UNKNOWN", "nothing"),
        ("/v2/alice.test/hello/manifests/nosuchtag", "MANIFEST_UNKNOWN", "nosuchtag"),
    ] {
        let (status, found, message) = oci_error(get(&demo.crowsnest.url(path)).await?).await?;
        assert_eq!((status, found.as_str()), (StatusCode::NOT_FOUND, code), "{path}: {message}");
        assert!(message.contains(named), "{path}: {message}");
    }
    let path = "/v2/alice.test/hello/manifests/sha256:abc";
    let (status, code, _) = oci_error(get(&demo.crowsnest.url(path)).await?).await?;
    assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "DIGEST_INVALID"));
    passed()
}

#[tokio::test]
async fn people_are_told_what_is_unknown() -> Result<()> {
    let demo = Demo::start().await?;
    for (path, named) in [
        ("/r/nobody.test/hello", "nobody.test"),
        ("/r/alice.test/nothing", "nothing"),
        ("/u/nobody.test", "nobody.test"),
    ] {
        let response = get(&demo.crowsnest.url(path)).await?;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(response.text().await?.contains(named), "{path}");
    }
    passed()
}

#[tokio::test]
async fn a_push_is_refused_before_anything_is_asked() -> Result<()> {
    let demo = Demo::start().await?;
    for (method, path) in [
        (Method::POST, "/v2/alice.test/hello/blobs/uploads/"),
        (Method::PUT, "/v2/alice.test/hello/manifests/latest"),
        (Method::DELETE, "/v2/alice.test/hello/manifests/latest"),
        (Method::PATCH, "/v2/alice.test/hello/blobs/uploads/1"),
    ] {
        let response = client().request(method, demo.crowsnest.url(path)).send().await?;
        let (status, code, message) = oci_error(response).await?;
        assert_eq!((status, code.as_str()), (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"), "{path}: {message}");
    }
    passed()
}
