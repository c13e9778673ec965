//! Jetstream v1 (<https://github.com/bluesky-social/jetstream>): the relay's events as JSON.

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
    Site,
    stream::{self, Subscription},
    xrpc::{XrpcError, XrpcResult},
};
use crate::network::{Event, EventKind};

pub(crate) fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(async || Json(json!({"name": "jetstream"}))))
        .route("/subscribe", get(subscribe))
        .with_state(site)
}

/// What a subscriber asked for.
#[derive(Debug, Default)]
struct Wanted {
    collections: Vec<String>,
    dids: Vec<Did>,
    /// Microseconds since 1970.
    cursor: Option<u64>,
    max_message_size: Option<usize>,
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

    fn collection(&self, collection: &str) -> bool {
        let matches = |wanted: &String| match wanted.strip_suffix('*') {
            Some(prefix) => prefix.ends_with('.') && collection.starts_with(prefix),
            None => wanted == collection,
        };
        self.collections.is_empty() || self.collections.iter().any(matches)
    }

    /// Identity and account events come whatever the collections.
    fn render(&self, event: &Event) -> Vec<Message> {
        if let EventKind::Raw { text } = &event.kind {
            return text.iter().map(|text| Message::text(text.as_str())).collect();
        }
        if !self.dids.is_empty() && !self.dids.contains(&event.did) {
            return Vec::new();
        }
        event
            .jetstream()
            .into_iter()
            .filter(|(time, collection, _)| {
                self.cursor.is_none_or(|cursor| *time >= cursor) && collection.is_none_or(|name| self.collection(name))
            })
            .map(|(_, _, json)| json.to_string())
            .filter(|text| self.max_message_size.is_none_or(|most| text.len() <= most))
            .map(Message::text)
            .collect()
    }
}

async fn subscribe(State(site): State<Site>, RawQuery(query): RawQuery, request: Request) -> XrpcResult<Response> {
    let mut wanted = Wanted::parse(query.as_deref().unwrap_or_default())?;
    let from = {
        let state = site.network.state();
        let live = state.latest() + 1;
        let from = wanted.cursor.map_or(live, |cursor| state.first_at(cursor));
        // A cursor in the future means live.
        wanted.cursor = wanted.cursor.filter(|_| from < live);
        from
    };
    let view = site.view;
    let render = Box::new(move |event: &Event| if view.tells(event) { wanted.render(event) } else { Vec::new() });
    stream::answer(request, site.network, Subscription { greeting: Vec::new(), from: Some(from), render })
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    #[test]
    fn parameters() {
        let wanted = Wanted::parse("wantedCollections=io.atcr.*&wantedCollections=a.b.c&cursor=17").unwrap();
        assert!(wanted.collection("io.atcr.tag") && wanted.collection("io.atcr.hold.captain"));
        assert!(wanted.collection("a.b.c") && !wanted.collection("a.b.c.d") && !wanted.collection("io.atcrx.tag"));
        assert_eq!(wanted.cursor, Some(17));
        for refused in ["compress=true", "requireHello=true", "cursor=x", "wantedDids=alice.test"] {
            Wanted::parse(refused).unwrap_err();
        }
    }
}
