//! An event stream on loopback: what was sent is sent again to whoever asks for it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use futures::{SinkExt as _, StreamExt as _};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};
use url::Url;

/// A position and a message.
type Entry = (i64, Message);

#[derive(Clone)]
pub struct Stream {
    pub url: Url,
    shared: Arc<Shared>,
}

struct Shared {
    log: Mutex<Vec<Entry>>,
    /// The query of each connection.
    queries: Mutex<Vec<String>>,
    /// (entries, cuts): connections wait for it to change.
    state: watch::Sender<(usize, usize)>,
    /// Whether connections are left open without a word.
    mute: AtomicBool,
    /// Whether a cut leaves half of a frame behind.
    halves: AtomicBool,
    /// How far before their cursors connections begin.
    jump_back: AtomicI64,
    /// Whether a cursor that is a time is refused.
    refuses_times: AtomicBool,
}

impl Stream {
    pub async fn jetstream() -> Self {
        Self::start("/subscribe", false).await
    }

    pub async fn firehose() -> Self {
        Self::start("/xrpc/com.atproto.sync.subscribeRepos", false).await
    }

    /// A Jetstream that accepts connections and never says anything.
    pub async fn mute() -> Self {
        Self::start("/subscribe", true).await
    }

    /// One whose connections somebody else accepts.
    pub fn served_elsewhere() -> Self {
        Self { url: "ws://elsewhere.test".parse().unwrap(), shared: Shared::new(false) }
    }

    /// Serves a connection.
    pub async fn adopt(self, tcp: TcpStream) {
        self.shared.serve(tcp).await;
    }

    /// A Jetstream of version 2 that no longer has what follows any time.
    pub async fn without_times() -> Self {
        let stream = Self::start("/xrpc/network.bsky.jetstream.subscribeEvents", false).await;
        stream.shared.refuses_times.store(true, Ordering::Relaxed);
        stream
    }

    async fn start(path: &str, mute: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}{path}", listener.local_addr().unwrap()).parse().unwrap();
        let shared = Shared::new(mute);
        let serving = shared.clone();
        // Ends with the test's runtime.
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(tcp));
            }
        });
        Self { url, shared }
    }

    /// Sends a line; it stays in the log.
    pub fn line(&self, line: &serde_json::Value) {
        self.message(line["time_us"].as_i64().unwrap(), Message::text(line.to_string()));
    }

    pub fn message(&self, position: i64, message: Message) {
        self.shared.log.lock().unwrap().push((position, message));
        self.shared.state.send_modify(|state| state.0 += 1);
    }

    /// Breaks every connection.
    pub fn cut(&self) {
        self.shared.state.send_modify(|state| state.1 += 1);
    }

    /// Breaks every connection in the middle of a frame.
    pub fn cut_mid_frame(&self) {
        self.shared.halves.store(true, Ordering::Relaxed);
        self.cut();
    }

    /// Says nothing any more, or speaks again; what is sent meanwhile stays in the log.
    pub fn set_mute(&self, mute: bool) {
        self.shared.mute.store(mute, Ordering::Relaxed);
    }

    /// Lets connections begin so much before their cursor, in microseconds.
    pub fn jump_back(&self, micros: i64) {
        self.shared.jump_back.store(micros, Ordering::Relaxed);
    }

    /// Where each connection asked to begin, so far.
    pub fn cursors(&self) -> Vec<Option<i64>> {
        let queries = self.shared.queries.lock().unwrap();
        queries.iter().map(|query| cursor(query)).collect()
    }
}

fn cursor(query: &str) -> Option<i64> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == "cursor").map(|(_, value)| value.parse().unwrap())
}

impl Shared {
    fn new(mute: bool) -> Arc<Self> {
        Arc::new(Self {
            log: Mutex::default(),
            queries: Mutex::default(),
            state: watch::channel((0, 0)).0,
            mute: mute.into(),
            halves: AtomicBool::default(),
            jump_back: AtomicI64::default(),
            refuses_times: AtomicBool::default(),
        })
    }

    async fn serve(self: Arc<Self>, tcp: TcpStream) {
        let mut query = String::new();
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            query = request.uri().query().unwrap_or_default().to_owned();
            self.queries.lock().unwrap().push(query.clone());
            if self.refuses_times.load(Ordering::Relaxed)
                && cursor(&query).is_some_and(|at| at >= 1_000_000_000_000_000)
            {
                let refusal = r#"{"error":"CursorTooOld","message":"the oldest event is 7"}"#;
                return Err(Response::builder().status(400).body(Some(refusal.to_owned())).unwrap());
            }
            Ok(response)
        };
        let Ok(mut socket) = accept_hdr_async(tcp, note).await else { return };
        let mut state = self.state.subscribe();
        let begun_at_cut = state.borrow_and_update().1;
        let back = self.jump_back.load(Ordering::Relaxed);
        let (live, from) = (cursor(&query).is_none(), cursor(&query).unwrap_or_default().saturating_sub(back));
        let mut next = if live { self.log.lock().unwrap().len() } else { 0 };
        loop {
            let entries: Vec<Entry> = self.log.lock().unwrap().iter().skip(next).cloned().collect();
            next += entries.len();
            for (_, message) in entries.into_iter().filter(|(position, _)| live || *position >= from) {
                if !self.mute.load(Ordering::Relaxed) && socket.send(message).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = state.changed() => if changed.is_err() || state.borrow().1 != begun_at_cut {
                    if self.halves.swap(false, Ordering::Relaxed) {
                        // A text frame of 4 KiB, of which this is the beginning.
                        socket.get_mut().write_all(b"\x81\x7e\x10\x00{\"did\":\"did:plc:al").await.ok();
                    }
                    // Without a closing handshake: as if the machine had gone.
                    return;
                },
                message = socket.next() => if !matches!(message, Some(Ok(_))) {
                    return;
                },
            }
        }
    }
}
