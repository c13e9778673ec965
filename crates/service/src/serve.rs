//! Serving HTTP/1.1 to whoever comes: how many connections there may be, in all and of one client, how large a request's head
//! may be, and how long a client may dawdle.

mod refusals;
mod slow;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::client::Client;
use refusals::{Door, Explained};
use slow::Impatient;

/// What a connection may cost.
#[derive(Clone, Debug)]
pub struct Caps {
    /// Connections at once; more are told to come back (503). One client may have a quarter of them, unless it is a trusted proxy
    /// or on this machine.
    pub connections: usize,
    /// For a request's head to arrive, and for a connection without one to stay open.
    pub head: Duration,
    /// For a client to take some of what is sent to it.
    pub write: Duration,
    /// Bytes of a request's head; more are answered 431.
    pub head_bytes: usize,
    /// Proxies that are believed as to who asks.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Caps {
    fn default() -> Self {
        let [head, write] = [Duration::from_secs(30), Duration::from_secs(60)];
        Self { connections: 4096, head, write, head_bytes: 64 << 10, trusted_proxies: Vec::new() }
    }
}

/// Serves until the stop, and then until the last request that was under way is answered; connections without one are closed
/// at once. Requests carry the [`Client`] that they come from as an extension.
pub async fn serve(listener: TcpListener, router: Router, caps: Caps, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(caps.connections));
    let (caps, guests, connections, door) = (Arc::new(caps), Guests::default(), TaskTracker::new(), Door::new());
    loop {
        let (stream, peer) = match stop.run_until_cancelled(listener.accept()).await {
            None => break,
            Some(Ok(accepted)) => accepted,
            Some(Err(error)) => {
                pause_after(&error).await;
                continue;
            }
        };
        let (Ok(place), Some(guest)) = (places.clone().try_acquire_owned(), guests.admit(peer, &caps)) else {
            door.turn_away(stream);
            continue;
        };
        let held = (place, guest, Counted::new());
        connections.spawn(converse(stream, peer, router.clone(), caps.clone(), stop.clone(), held));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// A connection that was given up before it was taken is nobody's fault; without file descriptors there is no hurry.
async fn pause_after(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "a connection was not accepted");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    caps: Arc<Caps>,
    stop: CancellationToken,
    _held: (OwnedSemaphorePermit, Guest, Counted),
) {
    // Answers are written whole: nothing is won by waiting for more.
    let _ = stream.set_nodelay(true);
    let known = caps.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        let client = Client::behind(peer.ip(), request.headers(), &known.trusted_proxies);
        request.extensions_mut().insert(client);
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(caps.head)
        .max_header_size(caps.head_bytes)
        .serve_connection(TokioIo::new(Explained::new(Impatient::new(stream, caps.write))), service);
    let mut connection = std::pin::pin!(connection);
    // How a client's connection ends is its own business.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// How many connections each client has.
#[derive(Clone, Default)]
struct Guests(Arc<Mutex<HashMap<Client, usize>>>);

impl Guests {
    /// `None` when it has enough.
    fn admit(&self, peer: SocketAddr, caps: &Caps) -> Option<Guest> {
        let client = Client::at(peer.ip());
        let is_trusted = caps.trusted_proxies.iter().any(|net| net.contains(&peer.ip().to_canonical()));
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = guests.entry(client).or_default();
        if *connections >= (caps.connections / 4).max(1) && !is_trusted && !client.is_local() {
            return None;
        }
        *connections += 1;
        Some(Guest { guests: self.clone(), client })
    }
}

/// A client's connection.
struct Guest {
    guests: Guests,
    client: Client,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = guests.get_mut(&self.client) {
            *connections -= 1;
            if *connections == 0 {
                guests.remove(&self.client);
            }
        }
    }
}

/// One more connection, as long as it lives.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("crowsnest_connections").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("crowsnest_connections").decrement(1.0);
    }
}
