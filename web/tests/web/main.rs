//! Requests to the router over an index in a real Postgres.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod api;
mod holds;
mod hostile;
mod kept;
mod light;
mod lists;
mod live;
mod manners;
mod pages;
mod pictures;
mod repository;
mod search;
mod seed;
mod transport;

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header::LOCATION};
use http_body_util::BodyExt as _;
use seed::Seeded;
use tower::ServiceExt as _;

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    /// Its length as it was sent.
    bytes: usize,
}

impl Answer {
    fn location(&self) -> &str {
        self.headers[LOCATION].to_str().unwrap()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Nothing in the page may run or look but by our own files.
    fn assert_clean(&self, path: &str) {
        let html = &self.body;
        assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{path}: {html}");
        for script in html.match_indices("<script").map(|(at, _)| &html[at..]) {
            assert!(script.starts_with("<script type=\"module\" src=\"/assets/"), "{path}: {script}");
        }
        for bad in [" style=", "<style", " onclick", " onload", "data-hk", "javascript:"] {
            // As text it may be there, but then its own tag is escaped.
            for (at, _) in html.match_indices(bad) {
                let tag = html[..at].rfind('<').unwrap_or_default();
                assert!(html[tag..at].contains('>'), "{path}: {bad} in {}", &html[tag..at + 40]);
            }
        }
    }
}

async fn get(seeded: &Seeded, path: &str) -> Answer {
    send(seeded, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn send(seeded: &Seeded, request: Request<Body>) -> Answer {
    let response = seeded.router().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, headers, bytes: body.len(), body: String::from_utf8_lossy(&body).into_owned() }
}

/// The text of a page without its tags, as people read it.
fn text(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
