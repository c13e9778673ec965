//! A host in front of crowsnest that passes requests on as they came, and remembers them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::http::client;

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// GET, HEAD, …
    pub method: Method,
    /// The path and the query.
    pub path: String,
    /// The request's headers, one line an entry.
    pub headers: HeaderMap,
    /// How it was answered.
    pub status: StatusCode,
}

/// What was asked, in the order of the answers.
#[derive(Clone, Default)]
pub struct Records(Arc<Mutex<Vec<Recorded>>>);

impl Records {
    /// Notes one.
    pub fn push(&self, record: Recorded) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// All since the last time.
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The host, stopped with this value.
pub struct Recorder {
    /// Its URL.
    pub url: String,
    /// What was asked of it.
    pub records: Records,
    behind: Arc<OnceLock<String>>,
    server: JoinHandle<std::io::Result<()>>,
}

#[derive(Clone)]
struct Passing {
    records: Records,
    behind: Arc<OnceLock<String>>,
}

impl Recorder {
    /// Starts it, with nothing behind it yet.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (records, behind) = (Records::default(), Arc::new(OnceLock::new()));
        let state = Passing { records: records.clone(), behind: Arc::clone(&behind) };
        let routes = Router::new().fallback(pass).with_state(state);
        Ok(Recorder { url, records, behind, server: tokio::spawn(axum::serve(listener, routes).into_future()) })
    }

    /// Says whom it stands in front of.
    pub fn stand_before(&self, url: String) {
        // The first one stays.
        let _ = self.behind.set(url);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(State(passing): State<Passing>, request: Request) -> Response {
    match pass_on(&passing, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

async fn pass_on(Passing { records, behind }: &Passing, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let behind = behind.get().context("nobody is behind this host yet")?;
    let body = axum::body::to_bytes(body, 1 << 20).await?;
    let passed = client().request(parts.method.clone(), format!("{behind}{path}"));
    let mut answer = passed.headers(parts.headers.clone()).body(body).send().await?;
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    records.push(Recorded { method: parts.method, path, headers: parts.headers, status });
    let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    // How the bytes travel is each connection's own.
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    response.headers_mut().remove(header::CONNECTION);
    Ok(response)
}
