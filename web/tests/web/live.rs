//! What is new, as it comes.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, BodyDataStream},
};
use crowsnest_web::WebConfig;
use futures::StreamExt as _;
use http::{HeaderMap, Request, StatusCode, header};
use store::{
    freshness::{self, Freshness},
    observe,
};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

use crate::seed::{ALICE, Seeded};

const PATIENCE: Duration = Duration::from_secs(20);

/// A process that hears of changes.
struct Told {
    router: Router,
    over: CancellationToken,
    _guard: DropGuard,
}

impl Told {
    async fn start(seeded: &Seeded) -> Self {
        let (freshness, over) = (Arc::new(Freshness::default()), CancellationToken::new());
        let mut told = freshness.told();
        tokio::spawn(freshness::follow(seeded.url().to_owned(), freshness.clone(), over.clone()));
        timeout(PATIENCE, told.changed()).await.unwrap().unwrap();
        let router = crowsnest_web::router(WebConfig { freshness, ..Seeded::config() }, seeded.reader.clone());
        Self { router, _guard: over.clone().drop_guard(), over }
    }

    async fn get(&self, path: &str, last: Option<&str>) -> (StatusCode, HeaderMap, Events) {
        let mut request = Request::get(path).header(header::ACCEPT_ENCODING, "gzip");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, Events { body: response.into_body().into_data_stream(), text: String::new() })
    }
}

/// A stream that is read event by event.
struct Events {
    body: BodyDataStream,
    text: String,
}

impl Events {
    /// The next event's id and data, `None` at the end.
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.text.clone().split_once("\n\n") {
                self.text = rest.to_owned();
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(name));
                    lines.map(str::trim_start).collect::<Vec<_>>().join("\n")
                };
                if field("event:") == "pushed" {
                    return Some((field("id:"), field("data:")));
                }
                continue;
            }
            let chunk = timeout(PATIENCE, self.body.next()).await.unwrap()?.unwrap();
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

/// A repository of alice's is pushed to now, and the writer tells of it.
async fn push(seeded: &Seeded, name: &str) {
    let now = "UPDATE repository SET updated_at = clock_timestamp() WHERE did = $1 AND name = $2";
    assert_eq!(seeded.client.execute(now, &[&ALICE, &name]).await.unwrap(), 1);
    let keys = [format!("repository:{ALICE}/{name}")];
    observe::changed(&seeded.client, seeded.reader.generation(), &keys).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_comes_once_and_goes_on_after_a_cut() {
    let seeded = Seeded::new().await;
    let told = Told::start(&seeded).await;
    let (status, headers, mut events) = told.get("/api/v1/events", None).await;
    assert_eq!((status, &headers[header::CONTENT_TYPE]), (StatusCode::OK, &"text/event-stream".parse().unwrap()));
    assert!(!headers.contains_key(header::CONTENT_ENCODING), "what is packed comes late");
    push(&seeded, "hello").await;
    let (id, data) = events.next().await.unwrap();
    let item: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!((&item["name"], &item["owner"]["handle"]), (&"hello".into(), &"alice.test".into()));
    // A star is a change too, and no push.
    observe::changed(&seeded.client, seeded.reader.generation(), &[format!("repository:{ALICE}/hello")]).await.unwrap();
    push(&seeded, "multi").await;
    let (_, data) = events.next().await.unwrap();
    assert!(data.contains("\"name\":\"multi\""), "{data}");
    drop(events);
    push(&seeded, "hello").await;
    // The header beats the address, which the browser sends again as it was.
    let (_, _, mut events) = told.get("/api/v1/events?after=1/did:plc:a/a", Some(&id)).await;
    let missed = [events.next().await.unwrap().1, events.next().await.unwrap().1];
    assert!(missed[0].contains("\"name\":\"multi\"") && missed[1].contains("\"name\":\"hello\""), "{missed:?}");
    push(&seeded, "multi").await;
    let (_, data) = events.next().await.unwrap();
    assert!(data.contains("\"name\":\"multi\""), "nothing twice: {data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_page_come_as_the_page_has_them() {
    let seeded = Seeded::new().await;
    let told = Told::start(&seeded).await;
    let (_, _, mut events) = told.get("/new/events?after=", None).await;
    push(&seeded, "hello").await;
    let (_, row) = events.next().await.unwrap();
    assert!(
        row.starts_with("<li class=\"row\"") && row.contains("href=\"/r/alice.test/hello\"") && row.ends_with("</li>"),
        "{row}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_are_bounded_and_let_go_when_the_process_stops() {
    let seeded = Seeded::new().await;
    let told = Told::start(&seeded).await;
    let (status, ..) = told.get("/api/v1/events?after=nonsense", None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let mut open = Vec::new();
    let refused = loop {
        let (status, headers, events) = told.get("/api/v1/events", None).await;
        match status {
            StatusCode::OK => open.push(events),
            refused => break (refused, headers),
        }
    };
    assert_eq!((open.len(), refused.0), (512, StatusCode::SERVICE_UNAVAILABLE));
    assert!(refused.1.contains_key(header::RETRY_AFTER));
    open.pop();
    assert_eq!(told.get("/api/v1/events", None).await.0, StatusCode::OK, "there is room again");
    told.over.cancel();
    assert_eq!(open.pop().unwrap().next().await, None, "the stream ends with the process");
}
