use std::time::Duration;

use crowsnest_devnet::{Devnet, DevnetConfig};
use futures::StreamExt as _;
use ipld_core::ipld::Ipld;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// A devnet in a directory of its own.
pub(crate) struct Fixture {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) devnet: Devnet,
}

impl Fixture {
    /// With the demo's content.
    pub(crate) async fn full() -> Self {
        Self::start(true).await
    }

    /// With the holds alone: fast.
    pub(crate) async fn bare() -> Self {
        Self::start(false).await
    }

    async fn start(content: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = DevnetConfig { content, ..DevnetConfig::new(directory.path()) };
        Self { devnet: Devnet::start(config).await.unwrap(), directory }
    }

    /// Stops and starts again on the same directory.
    pub(crate) async fn restart(self) -> Self {
        self.devnet.shutdown().await;
        let config = DevnetConfig::new(self.directory.path());
        Self { devnet: Devnet::start(config).await.unwrap(), directory: self.directory }
    }
}

/// A client that follows no redirect.
pub(crate) fn client() -> reqwest::Client {
    // The second of two installations fails, and that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// GETs JSON, whatever the status.
pub(crate) async fn get(url: &str) -> (u16, Value) {
    let answer = client().get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// GETs bytes and expects 200.
pub(crate) async fn get_bytes(url: &str) -> Vec<u8> {
    let answer = client().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    answer.bytes().await.unwrap().to_vec()
}

/// POSTs JSON with a session's token, if there is one.
pub(crate) async fn post(url: &str, token: Option<&str>, body: Value) -> (u16, Value) {
    let request = client().post(url).json(&body);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

/// A subscription to one of the streams.
pub(crate) struct Stream(WebSocketStream<TcpStream>);

impl Stream {
    pub(crate) async fn open(url: &str) -> Self {
        let host = url.trim_start_matches("ws://").split('/').next().unwrap();
        let (socket, _) = client_async(url, TcpStream::connect(host).await.unwrap()).await.unwrap();
        Self(socket)
    }

    /// The next message, pings aside; `None` when the stream ended, or was silent for so long.
    pub(crate) async fn next_within(&mut self, patience: Duration) -> Option<Message> {
        loop {
            match tokio::time::timeout(patience, self.0.next()).await.ok()?? {
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(message) => return Some(message),
                Err(_) => return None,
            }
        }
    }

    /// Whether a ping is the next thing to come, and comes within that time.
    pub(crate) async fn is_pinged(&mut self, patience: Duration) -> bool {
        matches!(tokio::time::timeout(patience, self.0.next()).await, Ok(Some(Ok(Message::Ping(_)))))
    }

    pub(crate) async fn next(&mut self) -> Message {
        self.next_within(Duration::from_secs(10)).await.expect("the stream is silent")
    }

    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(self.next().await.to_text().unwrap()).unwrap()
    }

    pub(crate) async fn frame(&mut self) -> Frame {
        Frame::decode(&self.next().await.into_data())
    }

    /// Everything until nothing comes for a while.
    pub(crate) async fn drain(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next_within(Duration::from_millis(500)).await {
            messages.push(message);
        }
        messages
    }
}

/// A frame of `subscribeRepos`: two DAG-CBOR items, one behind the other.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) header: Ipld,
    pub(crate) payload: Ipld,
}

impl Frame {
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let mut rest = serde_ipld_dagcbor::de::Deserializer::from_slice(bytes);
        let mut item = || serde::Deserialize::deserialize(&mut rest).unwrap();
        let frame = Self { header: item(), payload: item() };
        rest.end().unwrap();
        frame
    }

    pub(crate) fn kind(&self) -> &str {
        text(&self.header, "t")
    }

    pub(crate) fn seq(&self) -> i128 {
        let Some(Ipld::Integer(seq)) = field(&self.payload, "seq") else { panic!("no seq in {self:?}") };
        *seq
    }
}

/// A field of a map.
pub(crate) fn field<'a>(map: &'a Ipld, name: &str) -> Option<&'a Ipld> {
    let Ipld::Map(map) = map else { panic!("{map:?} is no map") };
    map.get(name)
}

/// A field that is text.
pub(crate) fn text<'a>(map: &'a Ipld, name: &str) -> &'a str {
    match field(map, name) {
        Some(Ipld::String(text)) => text,
        other => panic!("{name} is {other:?}"),
    }
}
