use std::{net::SocketAddr, sync::Arc};

use futures::{SinkExt, StreamExt};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};
use url::Url;

use crate::{
    Blocked, OutboundError,
    net::SystemLookup,
    testing::{Names, outbound, outbound_of_loopback, outbound_with, serve_tls},
};

/// A server that echoes what it is sent, and refuses `/refused`.
async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(socket) = accept_hdr_async(tcp, admit).await else { return };
                let (sink, stream) = socket.split();
                stream.forward(sink).await.ok();
            });
        }
    });
    address
}

#[allow(clippy::result_large_err, reason = "tungstenite's callback has this signature")]
fn admit(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("crowsnest/"));
    if request.uri().path() == "/refused" {
        let mut refusal = ErrorResponse::new(Some(r#"{"error":"CursorTooOld","message":"gone"}"#.into()));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return Err(refusal);
    }
    Ok(response)
}

fn url(text: String) -> Url {
    text.parse().unwrap()
}

#[tokio::test]
async fn speaks_and_caps_messages() {
    let address = echo_server().await;
    let mut socket = outbound().websocket(&url(format!("ws://{address}/subscribe?cursor=1")), 1024).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
    socket.send(Message::binary(vec![0; 1025])).await.unwrap();
    assert!(socket.next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_refused_upgrade_keeps_its_reason() {
    let address = echo_server().await;
    let error = outbound().websocket(&url(format!("ws://{address}/refused")), 1024).await.err().unwrap();
    assert!(
        matches!(&error, OutboundError::Status { status: StatusCode::BAD_REQUEST, error: Some(name), .. }
        if name == "CursorTooOld"),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_checked_address_is_the_one_dialled() {
    let port = echo_server().await.port();
    let names = Names::of([("jetstream.example", "127.0.0.1")]);
    let relaxed = outbound_with(true, names.clone());
    relaxed.websocket(&url(format!("ws://jetstream.example:{port}/")), 1024).await.unwrap();
    assert_eq!(names.asked(), 1);
}

/// Under TLS, as far as the upgrade: the server's refusal arrives, so the bytes went through.
#[tokio::test]
async fn speaks_tls() {
    let port = serve_tls(axum::Router::new()).await.port().unwrap();
    let dialer = outbound_of_loopback(Names::of([("public.example", "127.0.0.1"), ("other.example", "127.0.0.1")]));
    let open = async |host: &str| dialer.websocket(&url(format!("wss://{host}:{port}/")), 1024).await.err().unwrap();
    for host in ["public.example", "127.0.0.1"] {
        assert_eq!(open(host).await.status(), Some(StatusCode::NOT_FOUND), "{host}");
    }
    assert!(matches!(open("other.example").await, OutboundError::Connect { .. }));
}

#[tokio::test]
async fn the_guard_holds_here_too() {
    let port = echo_server().await.port();
    let strict = outbound_with(false, Arc::new(SystemLookup));
    let refused = [
        format!("ws://127.0.0.1:{port}/"),
        format!("wss://127.0.0.1:{port}/"),
        format!("wss://[::ffff:127.0.0.1]:{port}/"),
        format!("wss://localhost:{port}/"),
        "wss://u:p@example.com/".into(),
        "wss://example.com:22/".into(),
        "https://example.com/".into(),
    ];
    for text in refused {
        let error = strict.websocket(&url(text.clone()), 1024).await.err().unwrap();
        assert!(matches!(error, OutboundError::Blocked { .. }), "{text}: {error}");
    }
    let error = outbound().websocket(&url("http://127.0.0.1/".into()), 1024).await.err().unwrap();
    assert!(matches!(error, OutboundError::Blocked { why: Blocked::Scheme(_), .. }));
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = outbound().websocket(&url(format!("ws://{address}/")), 1024).await.err().unwrap();
    assert!(matches!(error, OutboundError::Connect { .. }) && error.is_transient());
}
