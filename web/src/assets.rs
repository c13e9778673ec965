//! Styles, script and icon: compiled in, served at addresses that change with their content.

use std::sync::LazyLock;

use axum::{Router, response::IntoResponse, routing::get};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest as _, Sha256};

const STYLE: &str = concat!(
    include_str!("../../style/tokens.css"),
    include_str!("../../style/base.css"),
    include_str!("../../style/frame.css"),
    include_str!("../../style/controls.css"),
    include_str!("../../style/rows.css"),
    include_str!("../../style/search.css"),
    include_str!("../../style/home.css"),
    include_str!("../../style/repository.css"),
    include_str!("../../style/readme.css"),
    include_str!("../../style/tables.css"),
    include_str!("../../style/manifest.css"),
    include_str!("../../style/status.css"),
);

/// Each part keeps its names to itself: a module of several.
const SCRIPT: &str =
    concat!("{", include_str!("../assets/crowsnest.js"), "}\n{", include_str!("../assets/typeahead.js"), "}\n");

/// A file that never changes at its address.
pub struct Asset {
    /// Its path, with a hash of its content.
    pub path: String,
    content: &'static str,
    media_type: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, media_type: &'static str, content: &'static str) -> Self {
        let hash = hex::encode(&Sha256::digest(content)[..8]);
        Self { path: format!("/assets/{stem}-{hash}.{extension}"), content, media_type }
    }
}

/// All style sheets as one.
pub static CSS: LazyLock<Asset> = LazyLock::new(|| Asset::new("crowsnest", "css", "text/css; charset=utf-8", STYLE));

/// The one script.
pub static JS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("crowsnest", "js", "text/javascript; charset=utf-8", SCRIPT));

/// The icon.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg")));

/// Serves the three, and the icon under the name that browsers guess.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new();
    for asset in [&CSS, &JS, &ICON] {
        router = router.route(&asset.path, get(async || immutable(asset)));
    }
    router.route("/favicon.ico", get(async || immutable(&ICON)))
}

fn immutable(asset: &'static Asset) -> impl IntoResponse {
    ([(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")], asset.content)
}

#[cfg(test)]
mod tests {
    use super::JS;

    #[test]
    fn the_script_stays_small() {
        assert!(JS.content.len() < 10_000, "{} bytes", JS.content.len());
    }
}
