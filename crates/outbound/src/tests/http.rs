use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse, Redirect},
    routing::{get, post},
};
use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::{
    Blocked, Limits, Outbound, OutboundError,
    net::SystemLookup,
    testing::{Names, outbound, outbound_of_loopback, outbound_with, serve, serve_tls},
};

async fn failure(outbound: &Outbound, url: &str) -> OutboundError {
    outbound.get(&url.parse().unwrap(), Limits::SMALL).await.unwrap_err()
}

fn why(error: &OutboundError) -> &Blocked {
    match error {
        OutboundError::Blocked { why, .. } => why,
        other => panic!("not blocked: {other}"),
    }
}

#[tokio::test]
async fn says_who_asks() {
    let echo = get(|headers: HeaderMap| async move { headers["user-agent"].to_str().unwrap().to_owned() });
    let url = serve(Router::new().route("/", echo)).await;
    let answer = outbound().get(&url, Limits::SMALL).await.unwrap();
    assert!(answer.body.starts_with(b"crowsnest/") && answer.body.ends_with(b"(+https://crowsnest.test/about)"));
}

#[tokio::test]
async fn names_of_this_machine_are_refused() {
    let strict = outbound_with(false, Arc::new(SystemLookup));
    for url in ["https://localhost:8443/", "https://LOCALHOST/", "wss://localhost/"] {
        let error = strict.vet(&url.parse().unwrap()).await.unwrap_err();
        assert!(matches!(why(&error), Blocked::NoPublicAddress(_)), "{url}: {error}");
    }
    let error = failure(&strict, "https://localhost:8443/secret?token=1").await;
    assert!(matches!(why(&error), Blocked::NoPublicAddress(_)));
    assert!(!error.to_string().contains("token") && !error.is_transient());
    let dotted = outbound_with(false, Names::of([("localhost.", "127.0.0.1 ::1")]));
    assert!(matches!(why(&failure(&dotted, "https://LocalHost./").await), Blocked::NoPublicAddress(_)));
    assert!(matches!(why(&failure(&strict, "https://127.0.0.1:8443/").await), Blocked::Address(_)));
    assert!(matches!(why(&failure(&strict, "http://example.com/").await), Blocked::Scheme(_)));
    assert!(matches!(why(&failure(&strict, "wss://example.com/").await), Blocked::Scheme(_)));
}

/// The name is looked up once, and the connection goes to what was found then: a second answer, which might differ, is
/// never asked for.
#[tokio::test]
async fn the_checked_address_is_the_one_dialled() {
    let names = Names::of([("pds.example", "127.0.0.1"), ("inside.example", "10.0.0.1 127.0.0.1 ::1")]);
    let url = serve(Router::new().route("/", get(|| async { "here" }))).await;
    let named = format!("http://pds.example:{}/", url.port().unwrap());
    let relaxed = outbound_with(true, names.clone());
    assert_eq!(relaxed.get(&named.parse().unwrap(), Limits::SMALL).await.unwrap().body, "here");
    assert_eq!(names.asked(), 1);
    let strict = outbound_with(false, names.clone());
    let error = failure(&strict, "https://inside.example/").await;
    assert_eq!(why(&error), &Blocked::NoPublicAddress("inside.example".into()));
    assert_eq!(names.asked(), 2);
    assert!(matches!(failure(&strict, "https://nowhere.example/").await, OutboundError::Dns { .. }));
}

/// Each hop is judged anew, by what its name resolves to.
#[tokio::test]
async fn redirects_into_a_private_network_are_refused() {
    const TARGETS: [&str; 8] = [
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.2/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://inside.example/",
        "http://public.example/",
        "https://user@public.example/",
        "//0x7f000002/",
    ];
    let names = Names::of([("public.example", "127.0.0.1"), ("inside.example", "10.0.0.1")]);
    let dialer = outbound_of_loopback(names);
    let redirect = |Path(index): Path<usize>| async move { Redirect::temporary(TARGETS[index]) };
    let app = Router::new().route("/to/{index}", get(redirect)).route("/ok", get(|| async { Redirect::to("/end") }));
    let url = serve_tls(app.route("/end", get(|| async { "end" }))).await;
    let public = format!("https://public.example:{}", url.port().unwrap());
    let fetched = dialer.get(&format!("{public}/ok").parse().unwrap(), Limits::SMALL).await.unwrap();
    assert_eq!(fetched.body, "end");
    for (index, target) in TARGETS.into_iter().enumerate() {
        let error = failure(&dialer, &format!("{public}/to/{index}")).await;
        assert!(matches!(error, OutboundError::Blocked { .. }), "{target}: {error}");
    }
}

#[tokio::test]
async fn certificates_are_verified() {
    let url = serve_tls(Router::new().route("/", get(|| async { "ok" }))).await;
    let names = Names::of([("public.example", "127.0.0.1"), ("other.example", "127.0.0.1")]);
    let dialer = outbound_of_loopback(names);
    for (host, trusted) in [("public.example", true), ("127.0.0.1", true), ("other.example", false)] {
        let url = format!("https://{host}:{}/", url.port().unwrap()).parse().unwrap();
        match dialer.get(&url, Limits::SMALL).await {
            Ok(_) => assert!(trusted, "{host}"),
            Err(error) => assert!(!trusted && matches!(error, OutboundError::Connect { .. }), "{host}: {error}"),
        }
    }
}

#[tokio::test]
async fn redirects_are_counted() {
    let app = Router::new()
        .route("/loop", get(|| async { Redirect::temporary("/loop") }))
        .route("/1", get(|| async { Redirect::permanent("/2") }))
        .route("/2", get(|| async { Redirect::to("3") }))
        .route("/3", get(|| async { "end" }))
        .route("/lost", get(|| async { StatusCode::FOUND }));
    let url = serve(app).await;
    let at = |path: &str| url.join(path).unwrap();
    assert!(matches!(failure(&outbound(), at("/loop").as_str()).await, OutboundError::TooManyRedirects { .. }));
    assert!(matches!(failure(&outbound(), at("/lost").as_str()).await, OutboundError::Malformed { .. }));
    let end = outbound().get(&at("/1"), Limits::SMALL).await.unwrap();
    assert_eq!((end.body, end.url), (Bytes::from("end"), at("/3")));
    let answer = outbound().stream(&at("/1"), HeaderMap::new(), Limits::SMALL.without_redirects()).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.headers[LOCATION]), (308, &"/2".parse().unwrap()));
}

#[tokio::test]
async fn secrets_stay_with_their_origin() {
    let echo = get(|headers: HeaderMap| async move { headers.contains_key("authorization").to_string() });
    let other = serve(Router::new().route("/", echo.clone())).await;
    let away = other.to_string();
    let app = Router::new()
        .route("/same", get(|| async { Redirect::temporary("/") }))
        .route("/away", get(move || async move { Redirect::temporary(&away) }))
        .route("/", echo);
    let url = serve(app).await;
    for (path, expected) in [("/", "true"), ("/same", "true"), ("/away", "false")] {
        let headers = HeaderMap::from_iter([("authorization".parse().unwrap(), "Bearer x".parse().unwrap())]);
        let answer = outbound().stream(&url.join(path).unwrap(), headers, Limits::SMALL).await.unwrap();
        assert_eq!(answer.bytes().await.unwrap(), expected, "{path}");
    }
}

#[tokio::test]
async fn bodies_are_capped() {
    let endless = || async { Body::from_stream(stream::repeat(Ok::<_, Infallible>(Bytes::from_static(&[0; 4096])))) };
    let app = Router::new().route("/endless", get(endless)).route("/long", get(|| async { vec![0u8; 70_000] }));
    let url = serve(app).await;
    let limits = Limits::SMALL.with_max_bytes(65_536);
    for path in ["/endless", "/long"] {
        let url = url.join(path).unwrap();
        let error = outbound().get(&url, limits).await.unwrap_err();
        assert!(matches!(error, OutboundError::TooLarge { limit: 65_536, .. }), "{path}: {error}");
        let streamed = outbound().stream(&url, HeaderMap::new(), limits).await.unwrap();
        let pieces: Vec<_> = streamed.into_stream().collect().await;
        let total: usize = pieces.iter().flatten().map(|piece| piece.len()).sum();
        assert!(total <= 65_536 && matches!(pieces.last(), Some(Err(OutboundError::TooLarge { .. }))), "{path}");
    }
    let exact = outbound().get(&url.join("/long").unwrap(), limits.with_max_bytes(70_000)).await.unwrap();
    assert_eq!(exact.body.len(), 70_000);
}

#[tokio::test]
async fn slow_answers_end() {
    let drip = || async {
        let pieces = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b".")), ()))
        });
        Body::from_stream(pieces)
    };
    let hang = || async { std::future::pending::<()>().await };
    let url = serve(Router::new().route("/drip", get(drip)).route("/hang", get(hang))).await;
    let limits = Limits::SMALL.with_timeout(Duration::from_millis(200));
    for path in ["/drip", "/hang"] {
        let error = outbound().get(&url.join(path).unwrap(), limits).await.unwrap_err();
        assert!(matches!(error, OutboundError::Timeout { .. }) && error.is_transient(), "{path}: {error}");
    }
    assert!(outbound().stream(&url.join("/hang").unwrap(), HeaderMap::new(), limits).await.is_err());
}

#[tokio::test]
async fn refusals_carry_their_reason() {
    let xrpc = r#"{"error":"RecordNotFound","message":"Could not locate record"}"#;
    let app = Router::new()
        .route("/xrpc", get(move || async move { (StatusCode::BAD_REQUEST, xrpc) }))
        .route("/html", get(|| async { (StatusCode::BAD_GATEWAY, "<h1>".repeat(10_000)) }));
    let url = serve(app).await;
    match failure(&outbound(), url.join("/xrpc").unwrap().as_str()).await {
        OutboundError::Status { status: StatusCode::BAD_REQUEST, error, message, .. } => {
            assert_eq!((error.as_deref(), message.as_str()), (Some("RecordNotFound"), "Could not locate record"));
        }
        other => panic!("{other}"),
    }
    let error = failure(&outbound(), url.join("/html").unwrap().as_str()).await;
    assert!(error.is_transient());
    assert!(matches!(error, OutboundError::Status { error: None, message, .. } if message.len() <= 300));
}

/// What others send ends in logs: it must not pose as lines of ours, nor steer a terminal.
#[tokio::test]
async fn remote_texts_lose_their_control_characters() {
    let xrpc = r#"{"error":"Bad\n2026 INFO","message":"a\r\nb\u001b[2J\u0085"}"#;
    let app = Router::new()
        .route("/xrpc", get(move || async move { (StatusCode::BAD_REQUEST, xrpc) }))
        .route("/text", get(|| async { (StatusCode::BAD_REQUEST, "a\r\nb\u{1b}[2J") }));
    let url = serve(app).await;
    let named = failure(&outbound(), url.join("/xrpc").unwrap().as_str()).await;
    assert!(named.to_string().ends_with(" Bad2026 INFO"), "{named:?}");
    let text = failure(&outbound(), url.join("/text").unwrap().as_str()).await;
    for error in [named, text] {
        assert!(matches!(&error, OutboundError::Status { message, .. } if message == "ab[2J"), "{error:?}");
    }
    let malformed = OutboundError::malformed(&url, "unknown variant `a\nb`");
    assert!(malformed.to_string().ends_with("unknown variant `ab`"));
}

#[tokio::test]
async fn nobody_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = failure(&outbound(), &url).await;
    assert!(matches!(error, OutboundError::Connect { .. }) && error.is_transient(), "{error}");
}

#[tokio::test]
async fn posts_are_not_redirected() {
    async fn echo(State(()): State<()>, body: Bytes) -> impl IntoResponse {
        body
    }
    let app = Router::new()
        .route("/echo", post(echo))
        .route("/away", post(|| async { Redirect::temporary("/echo") }))
        .with_state(());
    let url = serve(app).await;
    let document = serde_json::json!({ "a": 1 });
    let answer = outbound().post_json(&url.join("/echo").unwrap(), &document, Limits::SMALL).await.unwrap();
    assert_eq!(answer.json::<serde_json::Value>().unwrap(), document);
    let error = outbound().post_json(&url.join("/away").unwrap(), &document, Limits::SMALL).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::TEMPORARY_REDIRECT));
}
