//! What is new, told as it comes ([server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html)): one
//! look for all listeners whenever the change log tells of something. Each event's id is its place in the list of the
//! newest, by which any process goes on where another was cut.

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{Query, State},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use leptos::prelude::*;
use serde::Deserialize;
use store::{
    Reader, StoreError,
    freshness::Told,
    queries::{Place, RepositoryItem},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch},
    time::sleep,
};

use crate::{components::row, error::WebError, pictures::Signer, place, state::Web};

/// How many listeners there may be; more are asked to come back.
const LISTENERS: usize = 512;
/// How many of the newest are compared from one look to the next, and how many a listener is told of that was away.
const LOOK: i64 = 50;
/// What comes within this time of a change is seen by the same look.
const QUIET: Duration = Duration::from_millis(150);
/// Nothing is silent for longer: proxies close what is.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// When a browser is to try again, and when someone whom there is no room for.
const RETRY: Duration = Duration::from_secs(2);

/// Tells listeners of what is new.
#[derive(Clone)]
pub struct Live {
    events: broadcast::WeakSender<Arc<Pushed>>,
    places: Arc<Semaphore>,
}

/// Something that came into the list of the newest.
struct Pushed {
    place: Place,
    item: RepositoryItem,
}

impl Live {
    /// Looks whenever something has changed, until nothing more will be told.
    pub fn start(reader: Reader, told: watch::Receiver<Told>) -> Self {
        let (sender, _) = broadcast::channel(256);
        let events = sender.downgrade();
        tokio::spawn(watch_newest(reader, told, sender));
        Self { events, places: Arc::new(Semaphore::new(LISTENERS)) }
    }
}

async fn watch_newest(reader: Reader, mut told: watch::Receiver<Told>, events: broadcast::Sender<Arc<Pushed>>) {
    let mut known = reader.newest_places(LOOK).await.ok();
    // It ends with whoever tells: so do the listeners, and nobody waits for them when the process stops.
    while told.changed().await.is_ok() && !told.borrow_and_update().over {
        sleep(QUIET).await;
        match look(&reader, known.as_deref(), &events).await {
            Ok(newest) => known = Some(newest),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "What is new could not be read");
            }
        }
    }
}

/// Tells of what was not among the newest before, the oldest first, and returns the newest of now.
async fn look(
    reader: &Reader,
    known: Option<&[Place]>,
    events: &broadcast::Sender<Arc<Pushed>>,
) -> Result<Vec<Place>, StoreError> {
    let newest = reader.newest_places(LOOK).await?;
    let Some(known) = known.filter(|_| events.receiver_count() > 0) else { return Ok(newest) };
    // What moved up because something went away is not new.
    let oldest = known.last().filter(|_| i64::try_from(known.len()) == Ok(LOOK)).map(|place| place.at);
    let is_new = |place: &Place| oldest.is_none_or(|oldest| place.at > oldest) && !known.contains(place);
    let new: Vec<&Place> = newest.iter().filter(|place| is_new(place)).collect();
    if !new.is_empty() {
        let items = reader.newest(None, LOOK).await?;
        for item in items.into_iter().rev() {
            if let Some(place) = Place::of(&item).filter(|place| new.contains(&place)) {
                events.send(Arc::new(Pushed { place, item })).ok();
            }
        }
    }
    Ok(newest)
}

/// `?after=`: the place of what was seen last, where no `Last-Event-ID` says it.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct Parameters {
    after: String,
}

/// How an event is written.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Row,
}

/// `GET /api/v1/events`: each `pushed` is a repository as JSON.
pub async fn json(web: State<Web>, headers: HeaderMap, asked: Query<Parameters>) -> Result<Response, WebError> {
    answer(web, &headers, asked, Form::Json).await
}

/// `GET /new/events`: each `pushed` is a row of the page.
pub async fn rows(web: State<Web>, headers: HeaderMap, asked: Query<Parameters>) -> Result<Response, WebError> {
    answer(web, &headers, asked, Form::Row).await
}

async fn answer(
    State(web): State<Web>,
    headers: &HeaderMap,
    Query(asked): Query<Parameters>,
    form: Form,
) -> Result<Response, WebError> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or(&asked.after);
    let after = place::read(last)?;
    let permit = web.live().places.clone().try_acquire_owned().map_err(|_| WebError::Busy)?;
    let events = web.live().events.upgrade().ok_or(WebError::Busy)?.subscribe();
    let mut listener = Listener {
        reader: web.reader().clone(),
        events,
        missed: VecDeque::new(),
        sent: HashSet::new(),
        _permit: permit,
    };
    if let Some(after) = after {
        listener.catch_up(&after).await?;
    }
    let sse = Sse::new(listener.stream(form, web.signer().await)).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    let mut response = sse.into_response();
    // nginx would wait for more before it passes anything on.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

struct Listener {
    reader: Reader,
    events: broadcast::Receiver<Arc<Pushed>>,
    missed: VecDeque<Arc<Pushed>>,
    /// What was sent of what was missed: it may be told once more.
    sent: HashSet<String>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    async fn catch_up(&mut self, after: &Place) -> Result<(), StoreError> {
        let items = self.reader.newer(after, LOOK).await?;
        let pushed =
            items.into_iter().rev().filter_map(|item| Some(Arc::new(Pushed { place: Place::of(&item)?, item })));
        self.missed.extend(pushed);
        self.sent.extend(self.missed.iter().map(|pushed| place::write(&pushed.place)));
        Ok(())
    }

    async fn next(&mut self) -> Option<Arc<Pushed>> {
        if let Some(pushed) = self.missed.pop_front() {
            return Some(pushed);
        }
        loop {
            match self.events.recv().await {
                Ok(pushed) if self.sent.contains(&place::write(&pushed.place)) => {}
                Ok(pushed) => return Some(pushed),
                // Whoever is too slow starts afresh, after what it saw.
                Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    fn stream(self, form: Form, signer: Option<Signer>) -> impl Stream<Item = Result<Event, Infallible>> {
        let greeting = Event::default().retry(RETRY).comment("what is new, as it comes");
        let events = stream::unfold((self, signer), move |(mut listener, signer)| async move {
            let pushed = listener.next().await?;
            Some((Ok(event(&pushed, form, signer.as_ref())), (listener, signer)))
        });
        futures::StreamExt::chain(stream::iter([Ok(greeting)]), events)
    }
}

fn event(pushed: &Pushed, form: Form, signer: Option<&Signer>) -> Event {
    let data = match form {
        Form::Json => serde_json::to_string(&pushed.item).unwrap_or_default(),
        Form::Row => {
            let owner = Owner::new_root(None);
            let html = owner.with(|| {
                if let Some(signer) = signer {
                    provide_context(signer.clone());
                }
                row::row(&pushed.item, "").to_html()
            });
            owner.unset_with_forced_cleanup();
            html
        }
    };
    Event::default().event("pushed").id(place::write(&pushed.place)).data(data)
}
