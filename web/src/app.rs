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
    response::{Html, IntoResponse, Redirect, Response},
};
use futures::StreamExt as _;
use http::{HeaderValue, StatusCode, Uri, header::CACHE_CONTROL};
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

use crate::{components::frame, error::WebError, pages, state::Web};

/// Which page answers which path.
#[component]
fn Routes() -> impl IntoView {
    view! {
        <Router>
            <FlatRoutes fallback=|| page(nowhere)>
                <Route path=path!("/") view=|| page(pages::home::page) ssr=SsrMode::Async/>
                <Route path=path!("/search") view=|| page(pages::search::page) ssr=SsrMode::Async/>
                <Route path=path!("/r/*repository") view=|| page(pages::repository::page) ssr=SsrMode::Async/>
                <Route path=path!("/u/:owner") view=|| page(pages::user::page) ssr=SsrMode::Async/>
                <Route path=path!("/status") view=|| page(pages::status::page) ssr=SsrMode::Async/>
                <Route path=path!("/install") view=|| page(pages::install::page) ssr=SsrMode::Async/>
                <Route path=path!("/about") view=|| page(pages::about::page) ssr=SsrMode::Async/>
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

/// A request, as pages see it.
#[derive(Clone)]
pub struct Visit {
    /// The index and the configuration.
    pub web: Web,
    /// The path, percent-encoded as it came.
    pub path: String,
    query: HashMap<String, String>,
}

impl Visit {
    fn new(web: Web, uri: &Uri) -> Self {
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self { web, path: uri.path().to_owned(), query: query.into_owned().collect() }
    }

    /// A parameter of the query; empty if it is not there.
    pub fn query(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
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
}

impl Page {
    /// A page with these; the rest is empty.
    pub fn new(title: impl Into<String>, canonical: impl Into<String>, body: impl IntoAny) -> Self {
        let (title, canonical) = (title.into(), canonical.into());
        Self { title, description: None, canonical, query: String::new(), body: body.into_any() }
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
        let Rendering { visit, head } = rendering?;
        let web = visit.web.clone();
        let page = match load(visit).await {
            Ok(Answer::Page(page)) => *page,
            Ok(Answer::Redirect(to)) => {
                head.get_or_init(|| Head::Redirect(to));
                return None;
            }
            Err(error) => {
                head.get_or_init(|| Head::Status(error.status()));
                pages::error::page(&error)
            }
        };
        Some(frame::document(&web, page).await)
    })
}

/// Answers every route above.
pub async fn render(State(web): State<Web>, request: Request) -> Response {
    let head = Arc::new(OnceLock::new());
    let rendering = Rendering { visit: Visit::new(web, request.uri()), head: head.clone() };
    // The host is nobody's: Leptos wants an absolute URL to take the path from.
    let url = format!("http://crowsnest.invalid{}", request.uri());
    let owner = Owner::new_root(None);
    let html = Sandboxed::new({
        let owner = owner.clone();
        async move {
            let stream = owner.with(|| {
                provide_context(RequestUrl::new(&url));
                provide_context(rendering);
                routes().to_html_stream_in_order()
            });
            stream.collect::<String>().await
        }
    })
    .await;
    owner.unset_with_forced_cleanup();
    match head.get() {
        Some(Head::Redirect(to)) => Redirect::temporary(to).into_response(),
        Some(Head::Status(status)) => document(*status, &html),
        None => document(StatusCode::OK, &html),
    }
}

/// The page of an error that no route met.
pub async fn error_page(web: &Web, error: WebError) -> Response {
    let owner = Owner::new_root(None);
    let html = owner.with(|| pages::error::page(&error));
    let html = frame::document(web, html).await.to_html();
    owner.unset_with_forced_cleanup();
    document(error.status(), &html)
}

/// A handler of ours panicked: said plainly, without the frame that may be at fault.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    let html = "<html lang=\"en\"><title>Something broke – crowsnest</title><h1>Something broke</h1>\
                <p>This page failed on our side; the log has the details. <a href=\"/\">Back to the first page</a></p></html>";
    document(StatusCode::INTERNAL_SERVER_ERROR, html)
}

fn document(status: StatusCode, html: &str) -> Response {
    let mut response = (status, Html(format!("<!DOCTYPE html>{html}"))).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
