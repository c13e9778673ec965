//! Blobs that pass through the registry.

use axum::{
    body::{Body, Bytes},
    http::{Request, Response},
};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use service::config::Blobs;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

use super::{
    app::{Answer, App, Image},
    log::Log,
    network::{HoldMood, StoreMood},
};
use crate::router;

const LARGE: usize = 3_000_000;

/// An app that passes blobs on, and the path of a layer with so many bytes.
async fn app(size: usize) -> (App, String, Vec<u8>) {
    let app = App::start_as(|config| config.blobs = Blobs::Proxy).await;
    let alice = app.account("alice").await;
    let layer: Vec<u8> = (0..size).map(|n| (n * n / 251) as u8).collect();
    let image = Image::holding(&layer);
    app.index(&alice, &image.path(), &image.record("app", &app.network.hold())).await;
    app.keep(&image.bytes).await;
    app.network.with(|state| state.layer.clone_from(&layer));
    (app, format!("/v2/alice.test/app/blobs/{}", image.layer), layer)
}

/// The answer as it is sent, its body unread.
async fn unread(app: &App, path: &str) -> Response<Body> {
    router(app.registry.clone()).oneshot(Request::builder().uri(path).body(Body::empty()).unwrap()).await.unwrap()
}

/// What comes of a body before it breaks, and whether it does.
async fn read(body: Body) -> (Vec<u8>, bool) {
    let mut stream = body.into_data_stream();
    let mut read = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => read.extend_from_slice(&chunk),
            Err(_) => return (read, true),
        }
    }
    (read, false)
}

#[tokio::test]
async fn the_bytes_come_from_here_with_their_headers() {
    for size in [LARGE, 1000, 0] {
        let (app, path, layer) = app(size).await;
        for mood in [HoldMood::Redirects, HoldMood::Points] {
            app.network.with(|state| state.hold = mood);
            let answer = app.get_with(&path, "accept-encoding", "gzip").await;
            assert!(answer.status == 200 && answer.body == layer, "{size} {mood:?}: {}", answer.status);
            assert_eq!(answer.header("content-length"), size.to_string());
            assert_eq!(answer.header("content-type"), "application/octet-stream");
            assert_eq!((answer.header("accept-ranges"), answer.header("content-encoding")), ("bytes", ""));
            let etag = answer.header("etag").to_owned();
            assert_eq!(etag, format!("\"{}\"", answer.header("docker-content-digest")));
            assert!(path.ends_with(answer.header("docker-content-digest")));
            let known = app.get_with(&path, "if-none-match", &etag).await;
            assert_eq!((known.status.as_u16(), known.body.len(), known.header("etag")), (304, 0, etag.as_str()));
        }
        let head = app.head(&path).await;
        assert_eq!((head.status.as_u16(), head.header("content-length")), (200, size.to_string().as_str()));
    }
}

#[tokio::test]
async fn a_sha512_digest_is_checked_by_its_own_algorithm() {
    // https://csrc.nist.gov/csrc/media/projects/cryptographic-standards-and-guidelines/documents/examples/sha512.pdf
    let abc = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
               2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
    let app = App::start_as(|config| config.blobs = Blobs::Proxy).await;
    let alice = app.account("alice").await;
    let layers = serde_json::json!([{ "mediaType": "application/octet-stream", "size": 3, "digest": abc }]);
    let image = Image::of("", serde_json::json!({ "layers": layers }));
    app.index(&alice, &image.path(), &image.record("app", &app.network.hold())).await;
    app.keep(&image.bytes).await;
    let path = format!("/v2/alice.test/app/blobs/{abc}");
    app.network.with(|state| state.layer = b"abd".to_vec());
    app.get(&path).await.refusal(502, "UNKNOWN");
    let app_of_another = app.another().await;
    app.network.with(|state| state.layer = b"abc".to_vec());
    let answer = App::request_to(&app_of_another, Request::builder().uri(&path).body(Body::empty()).unwrap()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_slice(), answer.header("docker-content-digest")),
        (200, &b"abc"[..], abc)
    );
}

#[tokio::test]
async fn an_answer_is_kept_by_others_only_if_the_hold_is_public() {
    let (app, path, _) = app(1000).await;
    assert_eq!(app.get(&path).await.header("cache-control"), "private, no-store");
    app.declare_hold(true, "here").await;
    assert_eq!(app.get(&path).await.header("cache-control"), "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn ranges_of_the_large_and_of_the_small_whatever_the_store_can() {
    for size in [LARGE, 1000] {
        let (app, path, layer) = app(size).await;
        for mood in [StoreMood::Honest, StoreMood::IgnoresRange] {
            app.network.with(|state| state.store = mood);
            for (range, from, to) in [
                ("bytes=0-".to_owned(), 0, size),
                ("bytes=0-9".into(), 0, 10),
                ("bytes=700-".into(), 700, size),
                (format!("bytes=500-{}", size * 2), 500, size),
                ("bytes=-10".into(), size - 10, size),
            ] {
                let answer = app.get_with(&path, "range", &range).await;
                assert_eq!(answer.status, 206, "{range} of {size}, {mood:?}");
                assert!(answer.body == layer[from..to], "{range} of {size}, {mood:?}");
                assert_eq!(answer.header("content-range"), format!("bytes {from}-{}/{size}", to - 1));
                assert_eq!(answer.header("content-length"), (to - from).to_string());
            }
            let none = app.get_with(&path, "range", &format!("bytes={size}-")).await;
            assert!(none.refusal(416, "RANGE_INVALID").contains(&size.to_string()));
            assert_eq!(none.header("content-range"), format!("bytes */{size}"));
            assert_eq!(app.get_with(&path, "range", "bytes=0-1,4-5").await.status, 200);
        }
    }
}

#[tokio::test]
async fn what_is_large_is_asked_for_in_part_and_what_may_be_checked_as_a_whole() {
    let (app, path, _) = app(LARGE).await;
    app.get_with(&path, "range", "bytes=700-").await;
    app.get_with(&path, "range", "bytes=0-").await;
    let request = Request::builder().uri(&path).header("range", "bytes=700-").header("if-range", "\"sha256:other\"");
    assert_eq!(app.request(request.body(Body::empty()).unwrap()).await.status, 200);
    let asked = app
        .network
        .with(|state| state.log.iter().filter(|line| line.starts_with("/store")).cloned().collect::<Vec<_>>());
    assert_eq!(asked, ["/store bytes=700-2999999", "/store whole", "/store whole"]);
}

#[tokio::test]
async fn other_bytes_are_refused_or_never_arrive_whole() {
    let (log, _listening) = Log::listen();
    let (app, path, _) = self::app(1000).await;
    app.network.with(|state| state.store = StoreMood::LastByteWrong);
    let message = app.get(&path).await.refusal(502, "UNKNOWN");
    assert!(message.contains("other bytes") && message.contains(app.network.hold().as_str()), "{message}");
    drop(app);

    let (app, path, layer) = self::app(LARGE).await;
    app.network.with(|state| state.store = StoreMood::LastByteWrong);
    let answer = unread(&app, &path).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["content-length"].to_str().unwrap()), (200, "3000000"));
    let (read, broken) = read(answer.into_body()).await;
    assert!(broken && read.len() < LARGE && layer.starts_with(&read), "{} bytes, broken: {broken}", read.len());
    let asked = app.network.asked("/store");
    for _ in 0..2 {
        assert!(app.get(&path).await.refusal(502, "UNKNOWN").contains("other bytes"));
    }
    assert_eq!(app.network.asked("/store"), asked, "nobody is asked for the same again at once");
    let told = log.text();
    assert_eq!(told.matches("other bytes").count(), 2, "once a blob: {told}");
}

#[tokio::test]
async fn a_client_on_the_wire_sees_that_the_transfer_broke() {
    let (app, path, _) = app(LARGE).await;
    app.network.with(|state| state.store = StoreMood::LastByteWrong);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(axum::serve(listener, router(app.registry.clone())).into_future());
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    client.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is as good as an early end.
    let _ = client.read_to_end(&mut answer).await;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert!(String::from_utf8_lossy(&answer[..head]).contains("content-length: 3000000"));
    assert!(answer.len() - head < LARGE, "the connection was closed {} bytes early", LARGE + head - answer.len());
    serving.abort();
}

#[tokio::test]
async fn another_number_of_bytes_is_not_the_blob() {
    for size in [LARGE, 1000] {
        let (app, path, layer) = app(size).await;
        for wrong in [size / 2, size + 1] {
            app.network.with(|state| state.store = StoreMood::Cuts(wrong));
            let message = app.get(&path).await.refusal(502, "UNKNOWN");
            assert!(message.contains(&format!("{wrong} bytes in place of {size}")), "{message}");
        }
        app.network.with(|state| state.store = StoreMood::CutsInPieces(size / 2));
        let answer = unread(&app, &path).await;
        if size == LARGE {
            let (read, broken) = read(answer.into_body()).await;
            assert!(broken && read.len() < size && layer.starts_with(&read));
        } else {
            assert_eq!(answer.status(), 502);
        }
        app.network.with(|state| state.store = StoreMood::BreaksAfter(size / 2));
        let answer = unread(&app, &path).await;
        match answer.status().as_u16() {
            200 => assert!(read(answer.into_body()).await.1),
            status => assert_eq!(status, 503),
        }
        app.network.with(|state| state.store = StoreMood::Honest);
        assert!(app.get(&path).await.body == layer, "a transfer that broke is no verdict on the hold");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_told() {
    let (app, path, _) = app(1000).await;
    for (mood, status, code, text) in [
        (StoreMood::Refuses(404), 404, "BLOB_UNKNOWN", "does not have sha256:"),
        (StoreMood::Refuses(403), 502, "UNKNOWN", "HTTP 403"),
        (StoreMood::Refuses(500), 503, "UNKNOWN", "cannot be reached"),
        (StoreMood::Refuses(429), 503, "UNKNOWN", "cannot be reached"),
        (StoreMood::Hangs, 503, "UNKNOWN", "cannot be reached"),
    ] {
        app.network.with(|state| state.store = mood);
        let message = app.get(&path).await.refusal(status, code);
        assert!(message.contains(text) && message.contains(app.network.hold().as_str()), "{mood:?}: {message}");
    }
    for target in ["http://169.254.169.254/latest/meta-data", "http://user:secret@127.0.0.1/"] {
        app.network.with(|state| state.hold = HoldMood::LeadsTo(target));
        app.get(&path).await.refusal(502, "UNKNOWN");
    }
}

#[tokio::test]
async fn an_address_that_went_stale_is_asked_for_again() {
    let (app, path, layer) = app(1000).await;
    let _beating = app.beat().await;
    app.declare_hold(true, "here").await;
    let remembered = async {
        loop {
            let asked = app.network.asked("getBlob");
            assert!(app.get(&path).await.body == layer);
            if app.network.asked("getBlob") == asked {
                return asked;
            }
        }
    };
    let asked = tokio::time::timeout(std::time::Duration::from_secs(20), remembered).await.unwrap();
    app.network.with(|state| state.store = StoreMood::RefusesOnce(403));
    assert!(app.get(&path).await.body == layer);
    assert_eq!(app.network.asked("getBlob"), asked + 1);
}

#[tokio::test]
async fn only_so_many_pass_at_once() {
    let (app, path, layer) = app(LARGE).await;
    let mut passing = Vec::new();
    for _ in 0..app.registry.config.blobs_at_once {
        passing.push(unread(&app, &path).await);
    }
    let full: Answer = app.get(&path).await;
    assert!(full.refusal(503, "UNKNOWN").contains("too many blobs"));
    assert_eq!(full.header("retry-after"), "5");
    drop(passing.pop());
    let body: Bytes = unread(&app, &path).await.into_body().collect().await.unwrap().to_bytes();
    assert!(body == layer);
}
