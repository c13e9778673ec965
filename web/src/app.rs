//! The routes of the pages, and how one is rendered.
//!
//! `leptos_axum` has a renderer of its own, but whatever the mode it appends `<script>__RESOLVED_RESOURCES…</script>` for a
//! client that we do not have; our policy forbids inline scripts. So its route list is used with the renderer below.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode, Uri};
use leptos::{
    prelude::*,
    reactive::owner::{Owner, Sandboxed},
};
use leptos_router::{
    SsrMode,
    components::{FlatRoutes, Route, Router},
    location::RequestUrl,
    path,
};

use crate::{components::frame, error::WebError, kept::Document, pages, state::Web, theme::Theme};

/// Which page answers which path.
#[component]
fn Routes() -> impl IntoView {
    view! {
        <Router>
            <FlatRoutes fallback=|| page(nowhere)>
                <Route path=path!("/") view=|| page(pages::home::page) ssr=SsrMode::Async/>
                <Route path=path!("/new") view=|| page(pages::new::page) ssr=SsrMode::Async/>
                <Route path=path!("/explore") view=|| page(pages::explore::page) ssr=SsrMode::Async/>
                <Route path=path!("/search") view=|| page(pages::search::page) ssr=SsrMode::Async/>
                <Route path=path!("/r/*repository") view=|| page(pages::repository::page) ssr=SsrMode::Async/>
                <Route path=path!("/u/:owner") view=|| page(pages::user::page) ssr=SsrMode::Async/>
                <Route path=path!("/holds") view=|| page(pages::holds::list) ssr=SsrMode::Async/>
                <Route path=path!("/holds/:did") view=|| page(pages::holds::page) ssr=SsrMode::Async/>
                <Route path=path!("/status") view=|| page(pages::status::page) ssr=SsrMode::Async/>
                <Route path=path!("/install") view=|| page(pages::install::page) ssr=SsrMode::Async/>
                <Route path=path!("/about") view=|| page(pages::about::page) ssr=SsrMode::Async/>
                <Route path=path!("/privacy") view=|| page(pages::terms::privacy) ssr=SsrMode::Async/>
                <Route path=path!("/terms") view=|| page(pages::terms::terms) ssr=SsrMode::Async/>
            </FlatRoutes>
        </Router>
    }
}

/// Leptos resolves `%2E%2E` before it matches and axum does not, so that a path may pass one and not the other.
async fn nowhere(visit: Visit) -> Result<Answer, WebError> {
    Err(WebError::NoPage { path: visit.path.chars().take(200).collect() })
}

/// The routes, for the route list.
pub fn routes() -> impl IntoView {
    view! { <Routes/> }
}

/// Of longer parameters the beginning is passed on.
const LONGEST_PASSED_ON: usize = 200;

/// A request, as pages see it.
#[derive(Clone)]
pub struct Visit {
    /// The index and the configuration.
    pub web: Web,
    /// The path, percent-encoded as it came.
    pub path: String,
    /// How it is to look.
    pub guest: Guest,
    query: HashMap<String, String>,
}

/// Who looks, as far as the frame has to know.
#[derive(Clone, Debug, Default)]
pub struct Guest {
    /// The theme that they chose.
    pub theme: Theme,
    /// The page that they are on, with its query.
    pub here: String,
}

impl Guest {
    /// As a request tells.
    pub fn of(request: &Request) -> Self {
        let here = request.uri().path_and_query().map_or("/", |here| here.as_str()).to_owned();
        Self { theme: Theme::of(request.headers()), here }
    }
}

impl Visit {
    fn new(web: Web, uri: &Uri, guest: Guest) -> Self {
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self { web, path: uri.path().to_owned(), guest, query: query.into_owned().collect() }
    }

    /// A parameter of the query; empty if it is not there.
    pub fn query(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The beginning of a parameter, for links that pass it on.
    pub fn short(&self, name: &str) -> &str {
        let text = self.query(name);
        let end = text.char_indices().nth(LONGEST_PASSED_ON).map_or(text.len(), |(at, _)| at);
        &text[..end]
    }
}

/// What a page makes of a visit.
pub enum Answer {
    /// Something to show.
    Page(Box<Page>),
    /// It is at another address.
    Redirect(String),
}

/// Something to show, without its frame.
pub struct Page {
    /// The document's title, without our name.
    pub title: String,
    /// One sentence for those who link here.
    pub description: Option<String>,
    /// The one address of this page, a path; empty for a page that is nobody's.
    pub canonical: String,
    /// What the search box holds.
    pub query: String,
    /// What is in `<main>`.
    pub body: AnyView,
    /// How it is answered: with what it says all the same.
    pub status: StatusCode,
    /// Everything that it is made of, by its name in the change log (`repository:…`, `did:…`): while none of it changes the page
    /// may be kept for a moment. Empty: it is not.
    pub made_of: Vec<String>,
}

impl Page {
    /// A page with these; the rest is empty.
    pub fn new(title: impl Into<String>, canonical: impl Into<String>, body: impl IntoAny) -> Self {
        let (title, canonical) = (title.into(), canonical.into());
        let body = body.into_any();
        let (query, made_of) = (String::new(), Vec::new());
        Self { title, description: None, canonical, query, body, status: StatusCode::OK, made_of }
    }
}

impl From<Page> for Answer {
    fn from(page: Page) -> Self {
        Self::Page(Box::new(page))
    }
}

/// What one rendering is given, and what of its answer is not HTML.
#[derive(Clone)]
struct Rendering {
    visit: Visit,
    head: Arc<OnceLock<Head>>,
    made_of: Arc<OnceLock<Vec<String>>>,
}

enum Head {
    Status(StatusCode),
    Redirect(String),
}

/// A route's view: the answer of `load`, or the page of its error, in the frame.
fn page<Load, Answered>(load: Load) -> impl IntoView
where
    Load: FnOnce(Visit) -> Answered + Send + 'static,
    Answered: Future<Output = Result<Answer, WebError>> + Send + 'static,
{
    let rendering: Option<Rendering> = use_context();
    Suspend::new(async move {
        let Rendering { visit, head, made_of } = rendering?;
        let (web, guest) = (visit.web.clone(), visit.guest.clone());
        let mut page = match load(visit).await {
            Ok(Answer::Page(page)) => {
                if page.status != StatusCode::OK {
                    head.get_or_init(|| Head::Status(page.status));
                }
                *page
            }
            Ok(Answer::Redirect(to)) => {
                head.get_or_init(|| Head::Redirect(to));
                return None;
            }
            Err(error) => {
                head.get_or_init(|| Head::Status(error.status()));
                pages::error::page(&error)
            }
        };
        made_of.get_or_init(|| std::mem::take(&mut page.made_of));
        Some(frame::document(&web, &guest, page).await)
    })
}

/// Answers every route above.
pub async fn render(State(web): State<Web>, request: Request) -> Response {
    let guest = Guest::of(&request);
    if let Some(document) = web.kept().get(guest.theme, &guest.here) {
        return document.answer(StatusCode::OK, request.headers());
    }
    let (head, made_of, since) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()), web.kept().moment());
    let visit = Visit::new(web.clone(), request.uri(), guest.clone());
    let rendering = Rendering { visit, head: head.clone(), made_of: made_of.clone() };
    // The host is nobody's: Leptos wants an absolute URL to take the path from.
    let url = format!("http://crowsnest.invalid{}", request.uri());
    let signer = web.signer().await;
    let owner = Owner::new_root(None);
    let html = Sandboxed::new({
        let owner = owner.clone();
        async move {
            let stream = owner.with(|| {
                provide_context(RequestUrl::new(&url));
                provide_context(rendering);
                if let Some(signer) = signer {
                    provide_context(signer);
                }
                routes().to_html_stream_in_order()
            });
            stream.collect::<String>().await
        }
    })
    .await;
    owner.unset_with_forced_cleanup();
    match head.get() {
        Some(Head::Redirect(to)) => Redirect::temporary(to).into_response(),
        Some(Head::Status(status)) => document(html).answer(*status, request.headers()),
        None => {
            let page = Arc::new(document(html));
            let made_of = made_of.get().map(Vec::as_slice).unwrap_or_default();
            web.kept().put(guest.theme, &guest.here, page.clone(), since, made_of);
            page.answer(StatusCode::OK, request.headers())
        }
    }
}

/// The page of an error that no route met.
pub async fn error_page(web: &Web, guest: &Guest, headers: &HeaderMap, error: WebError) -> Response {
    let owner = Owner::new_root(None);
    let html = owner.with(|| pages::error::page(&error));
    let html = frame::document(web, guest, html).await.to_html();
    owner.unset_with_forced_cleanup();
    document(html).answer(error.status(), headers)
}

/// A handler of ours panicked: said plainly, without the frame that may be at fault.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    let html = "<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
                <title>Something broke – crowsnest</title><main><h1>Something broke</h1><p>This page failed on our side; the log \
                has the details. Other pages, and pulls, may well work. <a href=\"/\">Back to the first page</a></p></main></html>";
    document(html.to_owned()).answer(StatusCode::INTERNAL_SERVER_ERROR, &HeaderMap::new())
}

fn document(html: String) -> Document {
    Document::new(format!("<!DOCTYPE html>{html}"))
}
