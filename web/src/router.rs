use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get, post},
};
use http::{
    HeaderName, HeaderValue, Method,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use leptos_axum::generate_route_list;
use store::Reader;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, set_header::SetResponseHeaderLayer};

use crate::{
    WebConfig, address, api, app, app::Guest, assets, error::WebError, feed, live, pictures, state::Web, theme,
};

/// What our own pages may load: nothing inline, nothing from elsewhere.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                              form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Machines may read every page; what they would ask for without end, facets and orders of searches, is not for them, nor is
/// what is made for clients.
const ROBOTS: &str = "User-agent: *\nDisallow: /search?\nDisallow: /api/\nDisallow: /v2/\nDisallow: /new/events\n\
                      Disallow: /*/-/compare\nDisallow: /*?*filter=\nDisallow: /*?*client=\n";

/// Everything that people read: pages, assets and `/api/v1`. It owns the fallback (a pull reference pasted into a browser,
/// or else a 404 page), so that what it is merged with must have none.
pub fn router(config: WebConfig, reader: Reader) -> Router {
    let web = Web::new(config, reader);
    let pictures = pictures::router(web.clone());
    let mut router = Router::new();
    for page in generate_route_list(app::routes) {
        router = router.route(page.path(), get(app::render));
    }
    router
        .merge(assets::router())
        .route("/theme", post(theme::choose))
        .route("/new/events", get(live::rows))
        .route("/new.atom", get(feed::atom))
        .route("/robots.txt", get(async || ROBOTS))
        .nest("/api/v1", api::router())
        // A nest leaves its own address with a slash to the pages' fallback.
        .route("/api/v1/", any(api::unknown))
        .fallback(elsewhere)
        .with_state(web)
        .layer(CatchPanicLayer::custom(app::panicked))
        .layer(header(CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(REFERRER_POLICY, "strict-origin-when-cross-origin"))
        .layer(header(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .layer(CompressionLayer::new())
        .merge(pictures)
}

fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}

/// Addresses that no route has.
async fn elsewhere(State(web): State<Web>, request: Request) -> Response {
    let path = request.uri().path();
    if matches!(*request.method(), Method::GET | Method::HEAD)
        && let Some(page) = address::of_pull_reference(path)
    {
        return Redirect::permanent(&page).into_response();
    }
    let (guest, headers, path) = (Guest::of(&request), request.headers().clone(), path.chars().take(200).collect());
    app::error_page(&web, &guest, &headers, WebError::NoPage { path }).await
}
