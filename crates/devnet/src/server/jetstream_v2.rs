//! Jetstream v2 (`network.bsky.jetstream.subscribeEvents`): the relay's events as JSON, numbered, under the names of the
//! lexicon (<https://github.com/bluesky-social/jetstream/tree/main/lexicons/network/bsky/jetstream>). A dictionary for
//! compressed frames is trained on the network's own events when it is first asked for.

mod dictionary;
mod wanted;

use std::{
    sync::{Arc, OnceLock, atomic::Ordering},
    time::Duration,
};

use axum::{
    Router,
    extract::{Query, RawQuery, Request, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

pub(super) use self::wanted::is_wanted;
use self::{dictionary::Dictionary, wanted::Wanted};
use super::{
    Site,
    stream::{self, Subscription},
    xrpc::{XrpcError, XrpcResult},
};
use crate::network::Event;

/// A cursor from here on is a time in microseconds, a smaller one an event's number.
pub(super) const TIMES: u64 = 1_000_000_000_000_000;

#[derive(Clone)]
struct V2 {
    site: Site,
    ping_every: Duration,
    dictionary: Arc<OnceLock<Dictionary>>,
}

pub(super) fn router(site: Site, ping_every: Duration) -> Router {
    Router::new()
        .route("/xrpc/network.bsky.jetstream.subscribeEvents", get(subscribe))
        .route("/xrpc/network.bsky.jetstream.getZstdDictionary", get(get_dictionary))
        .with_state(V2 { site, ping_every, dictionary: Arc::default() })
}

impl V2 {
    fn dictionary(&self) -> XrpcResult<&Dictionary> {
        if let Some(dictionary) = self.dictionary.get() {
            return Ok(dictionary);
        }
        let (oldest, network) = (self.site.network.state().oldest(), &self.site.network);
        let samples = network
            .events_from(oldest, 1_000)
            .into_iter()
            .flat_map(|event| event.jetstream_v2().into_iter().map(|(.., payload)| frame(payload)).collect::<Vec<_>>());
        let trained = Dictionary::train(samples)?;
        Ok(self.dictionary.get_or_init(|| trained))
    }

    /// Where to begin, and what is said of it first.
    fn begin(&self, wanted: &Wanted) -> XrpcResult<(u64, Option<Message>)> {
        let state = self.site.network.state();
        let live = state.latest() + 1;
        Ok(match wanted.cursor {
            None => (live, None),
            Some(time) if time >= TIMES => {
                let clamped = state.oldest_time().is_some_and(|oldest| time < oldest);
                (state.first_at(time), clamped.then(|| info("OutdatedCursor")))
            }
            Some(number) if number > Event::first_part(live) => (live, Some(info("FutureCursor"))),
            Some(number) if number < Event::first_part(state.oldest()) => {
                let floor = Event::first_part(state.oldest());
                return Err(XrpcError::bad("CursorTooOld", format!("the oldest event is {floor}")));
            }
            Some(number) => (Event::of_part(number), None),
        })
    }
}

fn frame(payload: Value) -> String {
    json!({"$type": "message", "payload": payload}).to_string()
}

fn info(name: &str) -> Message {
    let message = "The stream does not begin at the cursor.";
    let payload = json!({"$type": "network.bsky.jetstream.subscribeEvents#info", "name": name, "message": message});
    Message::text(frame(payload))
}

async fn subscribe(State(v2): State<V2>, RawQuery(query): RawQuery, request: Request) -> XrpcResult<Response> {
    if v2.site.network.faults.bootstrapping.load(Ordering::Relaxed) {
        return Err(XrpcError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "The archive is being filled."));
    }
    let mut wanted = Wanted::parse(query.as_deref().unwrap_or_default())?;
    let pack = match wanted.dictionary {
        None => None,
        Some(id) => Some(v2.dictionary()?.compressor(id)?),
    };
    let (from, greeting) = v2.begin(&wanted)?;
    // A stream that does not begin at the cursor holds nothing back.
    wanted.cursor = wanted.cursor.filter(|_| greeting.is_none());
    let view = v2.site.view;
    let as_sent = move |message: Message| match (&pack, message) {
        (Some(pack), Message::Text(text)) => Message::binary(pack.compress(text.as_bytes())),
        (_, message) => message,
    };
    let greeting = greeting.into_iter().map(&as_sent).collect();
    let as_sent = Arc::new(as_sent);
    let packed = Arc::clone(&as_sent);
    let render = Box::new(move |event: &Event| {
        if !view.tells(event) {
            return Vec::new();
        }
        wanted.render(event).into_iter().map(|message| as_sent(message)).collect()
    });
    let farewell = Box::new(move |error: &str| {
        Some(packed(Message::text(
            json!({"$type": "error", "error": error, "message": "The stream ends."}).to_string(),
        )))
    });
    let subscription = Subscription { greeting, from: Some(from), render, farewell, ping_every: v2.ping_every };
    stream::answer(request, v2.site.network, subscription)
}

#[derive(Deserialize)]
struct Which {
    id: Option<u32>,
}

async fn get_dictionary(State(v2): State<V2>, Query(which): Query<Which>) -> XrpcResult<Response> {
    let dictionary = v2.dictionary()?;
    if which.id.is_some_and(|id| id != dictionary.id) {
        return Err(XrpcError::bad("DictionaryNotFound", format!("the dictionary is {}", dictionary.id)));
    }
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (HeaderName::from_static("x-zstd-dictionary-id"), dictionary.id.to_string()),
    ];
    Ok((headers, dictionary.bytes.clone()).into_response())
}
