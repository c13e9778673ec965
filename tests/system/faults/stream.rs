//! A Jetstream that sends what it is told to, sends some of it twice, and is cut in the middle of a frame.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::events::Past;

/// Every so many events one is sent twice.
const TWICE: usize = 7;

/// How much is to be sent, and how often everybody was cut.
#[derive(Clone, Copy, Default)]
struct Valve {
    released: usize,
    cuts: usize,
}

/// The server; its connections end with the test's runtime.
pub struct Stream {
    pub address: SocketAddr,
    valve: watch::Sender<Valve>,
}

impl Stream {
    pub async fn start(past: Arc<Past>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (valve, watched) = watch::channel(Valve::default());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp, past.clone(), watched.clone()));
            }
        });
        Ok(Stream { address, valve })
    }

    /// Lets more events go, and says how many have gone altogether.
    pub fn release(&self, more: usize, of: usize) -> usize {
        self.valve.send_modify(|valve| valve.released = (valve.released + more).min(of));
        self.released()
    }

    pub fn released(&self) -> usize {
        self.valve.borrow().released
    }

    /// Ends every connection in the middle of a frame.
    pub fn cut(&self) {
        self.valve.send_modify(|valve| valve.cuts += 1);
    }
}

async fn serve(tcp: TcpStream, past: Arc<Past>, mut valve: watch::Receiver<Valve>) {
    let mut query = String::new();
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let note = |request: &Request, response: Response| -> std::result::Result<Response, ErrorResponse> {
        query = request.uri().query().unwrap_or_default().to_owned();
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(tcp, note).await else { return };
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor="));
    let from: i64 = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(i64::MAX);
    let mut next = past.events.partition_point(|event| event.time < from);
    let cuts = valve.borrow_and_update().cuts;
    loop {
        let now = *valve.borrow_and_update();
        if now.cuts != cuts {
            let line = past.events[next.min(past.events.len() - 1)].line.as_bytes();
            // A text frame's header with its length, and half of what it promises.
            let length = u16::try_from(line.len()).unwrap_or(u16::MAX).to_be_bytes();
            let half = [&[0x81_u8, 126][..], &length, &line[..line.len() / 2]].concat();
            // Whoever is cut off may be gone.
            let _ = socket.get_mut().write_all(&half).await;
            return;
        }
        if next < now.released {
            for event in &past.events[next..now.released] {
                let times = if next.is_multiple_of(TWICE) { 2 } else { 1 };
                for _ in 0..times {
                    if socket.send(Message::text(event.line.as_str())).await.is_err() {
                        return;
                    }
                }
                next += 1;
            }
            continue;
        }
        tokio::select! {
            changed = valve.changed() => if changed.is_err() { return },
            message = socket.next() => if !matches!(message, Some(Ok(_))) { return },
        }
    }
}
