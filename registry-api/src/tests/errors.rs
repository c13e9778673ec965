use axum::{http::HeaderValue, response::IntoResponse as _};
use http_body_util::BodyExt as _;

use crate::errors::{Code, OciError};

#[test]
fn the_table() {
    let rows = Code::ALL.map(|code| {
        let (name, status, text) = code.row();
        format!("{code:?}: {name} {} {text}", status.as_u16())
    });
    insta::assert_snapshot!(rows.join("\n"));
}

#[tokio::test]
async fn an_error_as_it_is_sent() {
    let cause = std::io::Error::other("password=secret");
    let error = OciError::new(Code::Unavailable, "something is down").because(&cause);
    let response = error.with_challenge(HeaderValue::from_static("Bearer")).into_response();
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let expected = serde_json::json!({ "code": "UNKNOWN", "message": "something is down", "detail": null });
    assert_eq!(body, serde_json::json!({ "errors": [expected] }));
}
