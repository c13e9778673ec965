//! What this process says about itself: `/healthz`, `/readyz`, `/metrics`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::telemetry::Metrics;

/// The readiness checks of this process. Cheap to clone; every clone is the same set.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<RwLock<BTreeMap<&'static str, Check>>>,
}

/// Answers at once, from memory: it runs at every `/readyz`. The error says in a few words what is missing.
type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

impl Health {
    /// No checks: ready.
    pub fn new() -> Self {
        Health::default()
    }

    /// Adds a check, in place of an earlier one of that name. It must not block; its error says what is missing.
    pub fn register(&self, name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).insert(name, Box::new(check));
    }

    /// Adds a check that fails, with `until` as its reason, until the returned flag is set.
    pub fn flag(&self, name: &'static str, until: &'static str) -> ReadyFlag {
        let flag = ReadyFlag::default();
        let seen = flag.clone();
        self.register(name, move || if seen.is_set() { Ok(()) } else { Err(until.to_owned()) });
        flag
    }

    /// The checks that fail now, by name, with their reasons. Empty: ready.
    pub fn failing(&self) -> BTreeMap<&'static str, String> {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner);
        checks.iter().filter_map(|(name, check)| check().err().map(|reason| (*name, reason))).collect()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("failing", &self.failing()).finish()
    }
}

/// One readiness check as a switch. Cheap to clone; every clone is the same switch.
#[derive(Clone, Debug, Default)]
pub struct ReadyFlag(Arc<AtomicBool>);

impl ReadyFlag {
    /// Says whether the thing is ready now.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// What was said last.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// `/healthz`: 200 while the process runs. `/readyz`: 200, or 503 with `{ready, failing: {name: reason}}`.
/// `/metrics`: the Prometheus text form.
pub fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz).with_state(health))
        .route("/metrics", get(render).with_state(metrics))
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    failing: BTreeMap<&'static str, String>,
}

async fn readyz(State(health): State<Health>) -> Response {
    let failing = health.failing();
    let ready = failing.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(Readiness { ready, failing })).into_response()
}

async fn render(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn fetch(health: &Health, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(health.clone(), Metrics::detached()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readyz_names_what_is_not_ready() {
        let health = Health::new();
        assert_eq!(fetch(&health, "/readyz").await.0, StatusCode::OK);

        let flag = health.flag("source", "no frame yet");
        health.register("store", || Err("migrations are running".to_owned()));
        let (status, body) = fetch(&health, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body, r#"{"ready":false,"failing":{"source":"no frame yet","store":"migrations are running"}}"#);

        flag.set(true);
        health.register("store", || Ok(()));
        assert_eq!(fetch(&health, "/readyz").await, (StatusCode::OK, r#"{"ready":true,"failing":{}}"#.to_owned()));
        flag.set(false);
        assert_eq!(fetch(&health, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn healthz_is_up_while_nothing_is_ready() {
        let health = Health::new();
        health.flag("store", "starting");
        assert_eq!(fetch(&health, "/healthz").await, (StatusCode::OK, "ok\n".to_owned()));
        assert_eq!(fetch(&health, "/metrics").await.0, StatusCode::OK);
    }
}
