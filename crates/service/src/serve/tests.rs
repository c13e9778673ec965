use std::{net::SocketAddr, time::Duration};

use axum::{Extension, Router, body::Body, routing::get};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Caps, serve};
use crate::client::Client;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(caps: Caps) -> Self {
        let endless = || async { Body::from_stream(futures_stream(|| Ok::<_, std::io::Error>(vec![0u8; 1 << 16]))) };
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        };
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/who", get(|Extension(client): Extension<Client>| async move { format!("{client:?}") }))
            .route("/slow", get(slow))
            .route("/endless", get(endless));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serving = tokio::spawn(serve(listener, router, caps, stop.clone()));
        Self { address, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        // It may be refused before all of it is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        rest(&mut stream).await
    }
}

fn futures_stream<T: Send + 'static>(
    item: impl Fn() -> T + Send + 'static,
) -> impl futures::Stream<Item = T> + Send + 'static {
    futures::stream::repeat_with(item)
}

/// All that comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(LONG, stream.read_to_end(&mut answer)).await.expect("the connection is closed");
    drop(read);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn requests_carry_their_client() {
    let caps = Caps { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Caps::default() };
    let server = Server::start(caps).await;
    let request = "GET /who HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: 203.0.113.7\r\n\r\n";
    assert!(server.ask(request).await.contains("203.0.113.7"));
}

#[tokio::test]
async fn a_head_that_is_too_large_or_has_too_many_lines_is_refused() {
    let server = Server::start(Caps::default()).await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(2000));
    let far = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(200_000));
    for (request, status, message) in [
        (long.as_str(), "431", "too many headers, or too long ones"),
        (many.as_str(), "431", "too many headers, or too long ones"),
        (far.as_str(), "431", "too many headers, or too long ones"),
        ("nonsense\r\n\r\n", "400", "no HTTP request"),
    ] {
        let answer = server.ask(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(body["errors"][0]["message"].as_str().unwrap().contains(message), "{body}");
    }
    assert!(server.ask("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ends_with("hello"));
}

#[tokio::test]
async fn who_sends_a_head_in_drips_or_none_at_all_is_closed() {
    let server = Server::start(Caps { head: Duration::from_millis(200), ..Caps::default() }).await;
    for begin in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\nx: "] {
        let mut stream = server.connect().await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        let dripping = async {
            while !begin.is_empty() && stream.write_all(b"y").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            rest(&mut stream).await
        };
        timeout(LONG, dripping).await.expect("it is closed");
    }
    // So is a connection on which nothing more is asked.
    let answer = server.ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn who_does_not_take_the_answer_is_cut_off() {
    let server = Server::start(Caps { write: Duration::from_millis(300), connections: 1, ..Caps::default() }).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // The one place is free again.
    let freed = async {
        while !server.ask("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ends_with("hello") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, freed).await.expect("there is a place again");
    drop(idle);
}

#[tokio::test]
async fn who_has_no_place_is_told_to_come_back() {
    const REQUEST: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let server = Server::start(Caps { connections: 1, ..Caps::default() }).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0; 15]).await.unwrap();
    let answer = server.ask(REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5\r\n"), "{answer}");
    assert!(answer.contains("as many connections as it takes"), "{answer}");
    drop(first);
    let freed = async {
        while !server.ask(REQUEST).await.ends_with("hello") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, freed).await.expect("there is a place again");
}

#[tokio::test]
async fn a_stop_ends_what_waits_and_finishes_what_is_under_way() {
    let server = Server::start(Caps::default()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut head = [0; 15];
    idle.read_exact(&mut head).await.unwrap();
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // It has been read when the server answers others that came later.
    server.ask("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    server.stop.cancel();
    assert!(rest(&mut busy).await.ends_with("done"));
    rest(&mut idle).await;
    timeout(LONG, server.serving).await.expect("it ends").unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[test]
fn one_client_does_not_take_all_places() {
    let caps = Caps { connections: 8, trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Caps::default() };
    let guests = super::Guests::default();
    let admit = |ip: &str| guests.admit(SocketAddr::new(ip.parse().unwrap(), 1), &caps);
    let one = [admit("203.0.113.1"), admit("203.0.113.1")];
    assert!(one.iter().all(Option::is_some) && admit("203.0.113.1").is_none());
    assert!(admit("203.0.113.2").is_some());
    let v6 = [admit("2001:db8::1"), admit("2001:db8::2")];
    assert!(v6.iter().all(Option::is_some) && admit("2001:db8::3").is_none());
    for free in ["10.0.0.1", "127.0.0.1"] {
        let many = [admit(free), admit(free), admit(free)];
        assert!(many.iter().all(Option::is_some), "{free}");
    }
    drop(one);
    assert!(admit("203.0.113.1").is_some());
}
