use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, handshake::derive_accept_key, protocol::Role},
};
use tokio_util::sync::CancellationToken;

use super::xrpc::XrpcError;
use crate::network::{Event, Network};

/// The public streams are never silent, since every account's identity events come by; here a ping says that nothing is late.
pub(super) const PING_EVERY: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

type Render = dyn Fn(&Event) -> Vec<Message> + Send + Sync;
type Farewell = dyn Fn(&str) -> Option<Message> + Send + Sync;

/// What a subscriber gets of the event sequence.
pub(crate) struct Subscription {
    /// Sent first.
    pub(crate) greeting: Vec<Message>,
    /// The first event; `None` ends the stream after the greeting.
    pub(crate) from: Option<u64>,
    /// How an event looks on this stream.
    pub(crate) render: Box<Render>,
    /// How the stream says with which error it ends, if it can.
    pub(crate) farewell: Box<Farewell>,
    pub(crate) ping_every: Duration,
}

/// Answers a WebSocket handshake (RFC 6455 section 4.2) and then streams; axum's own needs another tungstenite.
pub(crate) fn answer(
    mut request: Request,
    network: Arc<Network>,
    subscription: Subscription,
) -> Result<Response, XrpcError> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (Some(key), Some(upgrade)) = (key, upgrade) else {
        return Err(XrpcError::new(StatusCode::UPGRADE_REQUIRED, "InvalidRequest", "Expected a WebSocket handshake"));
    };
    let stop = request.extensions_mut().remove::<CancellationToken>().unwrap_or_default();
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        let streaming = stream(socket, &network, subscription);
        if let Some(Err(error)) = stop.run_until_cancelled(streaming).await {
            tracing::debug!(%error, "a subscriber went away");
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    let accept = HeaderValue::from_str(&key).map_err(|error| XrpcError::invalid(error.to_string()))?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

async fn stream(mut socket: Socket, network: &Network, subscription: Subscription) -> tungstenite::Result<()> {
    let faults = &network.faults;
    let (mut latest, mut paused, mut cuts, mut farewell) =
        (network.follow(), faults.paused.subscribe(), faults.cuts.subscribe(), faults.farewell.subscribe());
    let mut ping = tokio::time::interval(subscription.ping_every);
    let mut waiting = VecDeque::from(subscription.greeting);
    let Some(mut next) = subscription.from else {
        for message in waiting {
            socket.send(message).await?;
        }
        return socket.close(None).await;
    };
    loop {
        latest.mark_unchanged();
        if waiting.is_empty() && !*paused.borrow_and_update() {
            let events = network.events_from(next, 200);
            next = events.last().map_or(next, |event| event.seq + 1);
            waiting.extend(events.iter().flat_map(|event| (subscription.render)(event)));
            if !events.is_empty() && waiting.is_empty() {
                continue;
            }
        }
        if let Some(message) = waiting.pop_front() {
            tokio::select! {
                _ = cuts.changed() => return Ok(()),
                sent = socket.send(message) => sent?,
            }
            continue;
        }
        tokio::select! {
            _ = cuts.changed() => return Ok(()),
            _ = farewell.changed() => {
                let error = *farewell.borrow_and_update();
                if let Some(message) = (subscription.farewell)(error) {
                    socket.send(message).await?;
                }
                return socket.close(None).await;
            }
            _ = latest.changed() => {}
            _ = paused.changed() => {}
            // A host that stalls sends no pings either.
            _ = ping.tick() => if !*paused.borrow() {
                socket.send(Message::Ping(Default::default())).await?;
            },
            received = socket.next() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
        }
    }
}
