//! Jetstream v1 (<https://github.com/bluesky-social/jetstream>): the relay's events as JSON. As served by software of
//! version 2, events have a `cursor`, their number, and a small cursor means such a number.

use std::{sync::atomic::Ordering, time::Duration};

use axum::{
    Json, Router,
    extract::{RawQuery, Request, State},
    response::Response,
    routing::get,
};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use types::Did;

use super::{
    Site, jetstream_v2,
    stream::{self, Subscription},
    xrpc::{XrpcError, XrpcResult},
};
use crate::network::{Event, EventKind};

pub(crate) fn router(site: Site, v2_ping: Duration) -> Router {
    Router::new()
        .route("/", get(async || Json(json!({"name": "jetstream"}))))
        .route("/subscribe", get(subscribe))
        .with_state(site.clone())
        .merge(jetstream_v2::router(site, v2_ping))
}

/// What a subscriber asked for.
#[derive(Debug, Default)]
struct Wanted {
    collections: Vec<String>,
    dids: Vec<Did>,
    /// Microseconds since 1970, or a number.
    cursor: Option<u64>,
    max_message_size: Option<usize>,
    /// Whether events have a number.
    counting: bool,
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, XrpcError> {
        let mut wanted = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let invalid = || XrpcError::invalid(format!("{name} may not be {value:?}"));
            match &*name {
                "wantedCollections" => wanted.collections.push(value.into_owned()),
                "wantedDids" => wanted.dids.push(value.parse().map_err(|_| invalid())?),
                "cursor" => wanted.cursor = Some(value.parse().map_err(|_| invalid())?),
                "maxMessageSizeBytes" => {
                    let size: i64 = value.parse().map_err(|_| invalid())?;
                    wanted.max_message_size = usize::try_from(size).ok().filter(|size| *size > 0);
                }
                "compress" | "requireHello" if value == "true" => {
                    return Err(XrpcError::invalid(format!("this devnet does not serve {name}")));
                }
                _ => {}
            }
        }
        if wanted.collections.len() > 100 || wanted.dids.len() > 10_000 {
            return Err(XrpcError::invalid("at most 100 collections and 10000 DIDs"));
        }
        Ok(wanted)
    }

    /// Whether a part of an event lies at or after the cursor.
    fn after(&self, time: u64, number: u64) -> bool {
        match self.cursor {
            Some(cursor) if self.counting && cursor < jetstream_v2::TIMES => number >= cursor,
            cursor => cursor.is_none_or(|cursor| time >= cursor),
        }
    }

    /// Identity and account events come whatever the collections.
    fn render(&self, event: &Event) -> Vec<Message> {
        if let EventKind::Raw { text } = &event.kind {
            return text.iter().map(|text| Message::text(text.as_str())).collect();
        }
        if !self.dids.is_empty() && !self.dids.contains(&event.did) {
            return Vec::new();
        }
        (Event::first_part(event.seq)..)
            .zip(event.jetstream())
            .filter(|(number, (time, collection, _))| {
                self.after(*time, *number)
                    && collection.is_none_or(|name| jetstream_v2::is_wanted(&self.collections, name))
            })
            .map(|(number, (_, _, mut json))| {
                if self.counting {
                    json["cursor"] = json!(number);
                }
                json.to_string()
            })
            .filter(|text| self.max_message_size.is_none_or(|most| text.len() <= most))
            .map(Message::text)
            .collect()
    }
}

async fn subscribe(State(site): State<Site>, RawQuery(query): RawQuery, request: Request) -> XrpcResult<Response> {
    let mut wanted = Wanted::parse(query.as_deref().unwrap_or_default())?;
    wanted.counting = site.network.faults.counting.load(Ordering::Relaxed);
    let from = {
        let state = site.network.state();
        let live = state.latest() + 1;
        // What is no longer there is passed over in silence.
        let from = match wanted.cursor {
            None => live,
            Some(number) if wanted.counting && number < jetstream_v2::TIMES => {
                Event::of_part(number).clamp(state.oldest(), live)
            }
            Some(time) => state.first_at(time),
        };
        // A cursor in the future means live.
        wanted.cursor = wanted.cursor.filter(|_| from < live);
        from
    };
    let view = site.view;
    let render = Box::new(move |event: &Event| if view.tells(event) { wanted.render(event) } else { Vec::new() });
    let subscription = Subscription {
        greeting: Vec::new(),
        from: Some(from),
        render,
        farewell: Box::new(|_| None),
        ping_every: stream::PING_EVERY,
    };
    stream::answer(request, site.network, subscription)
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    #[test]
    fn parameters() {
        let wanted = Wanted::parse("wantedCollections=io.atcr.*&wantedCollections=a.b.c&cursor=17").unwrap();
        assert_eq!(wanted.collections, ["io.atcr.*", "a.b.c"]);
        assert_eq!(wanted.cursor, Some(17));
        for refused in ["compress=true", "requireHello=true", "cursor=x", "wantedDids=alice.test"] {
            Wanted::parse(refused).unwrap_err();
        }
    }
}
