//! Styles, scripts and icon: compiled in, served at addresses that change with their content, packed once at start-up.

use std::{io::Write as _, sync::LazyLock};

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY},
};
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
    include_str!("../../style/holds.css"),
);

/// One module, in which each file is a block: no name of one is known to another.
const SCRIPT: &str = concat!(
    "{\n",
    include_str!("../assets/copy.js"),
    "}\n{\n",
    include_str!("../assets/filter.js"),
    "}\n{\n",
    include_str!("../assets/keys.js"),
    "}\n{\n",
    include_str!("../assets/theme.js"),
    "}\n{\n",
    include_str!("../assets/live.js"),
    "}\n{\n",
    include_str!("../assets/ages.js"),
    "}\n{\n",
    include_str!("../assets/typeahead.js"),
    "}\n",
);

/// A file that never changes at its address.
pub struct Asset {
    /// Its path, with a hash of its content.
    pub path: String,
    content: Vec<u8>,
    brotli: Vec<u8>,
    gzip: Vec<u8>,
    media_type: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, media_type: &'static str, content: &str) -> Self {
        let content = content.as_bytes().to_vec();
        let hash = hex::encode(&Sha256::digest(&content)[..8]);
        let path = format!("/assets/{stem}-{hash}.{extension}");
        Self { path, brotli: brotli(&content), gzip: gzip(&content), content, media_type }
    }

    /// The shortest that the visitor takes; what cannot be packed is left as it is.
    fn packed(&self, headers: &HeaderMap) -> (&[u8], Option<&'static str>) {
        let accepted = accepts(headers);
        match self {
            Self { brotli, .. } if accepted.brotli && !brotli.is_empty() => (brotli, Some("br")),
            Self { gzip, .. } if accepted.gzip && !gzip.is_empty() => (gzip, Some("gzip")),
            _ => (&self.content, None),
        }
    }
}

/// Packings that a visitor takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// `br`
    pub brotli: bool,
    /// `gzip`
    pub gzip: bool,
}

/// Reads `Accept-Encoding` ([RFC 9110, 12.5.3](https://www.rfc-editor.org/rfc/rfc9110#field.accept-encoding)).
pub fn accepts(headers: &HeaderMap) -> Accepted {
    let mut accepted = Accepted::default();
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for coding in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
        let wanted = weight.unwrap_or(1.0) > 0.0;
        match name.trim() {
            "br" => accepted.brotli = wanted,
            "gzip" => accepted.gzip = wanted,
            _ => {}
        }
    }
    accepted
}

/// Empty if it cannot be packed, which writing into memory never is.
fn brotli(content: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let parameters = ::brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() };
    match ::brotli::BrotliCompress(&mut &*content, &mut packed, &parameters) {
        Ok(_) => packed,
        Err(_) => Vec::new(),
    }
}

/// As [`brotli`].
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// All style sheets as one.
pub static CSS: LazyLock<Asset> = LazyLock::new(|| Asset::new("crowsnest", "css", "text/css; charset=utf-8", STYLE));

/// All scripts as one.
pub static JS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("crowsnest", "js", "text/javascript; charset=utf-8", &squeezed(SCRIPT)));

/// A script without what only its readers need: indents, and lines that are comments.
fn squeezed(script: &str) -> String {
    let lines = script.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The icon.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg")));

/// Serves the three, and the icon under the name that browsers guess.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new();
    for asset in [&CSS, &JS, &ICON] {
        router = router.route(&asset.path, get(async |headers: HeaderMap| immutable(asset, &headers)));
    }
    router.route("/favicon.ico", get(async |headers: HeaderMap| immutable(&ICON, &headers)))
}

fn immutable(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let (content, coding) = asset.packed(headers);
    let cached = "public, max-age=31536000, immutable";
    let mut response = ([(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, cached)], content.to_vec()).into_response();
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};

    use super::{Accepted, CSS, JS, accepts};

    #[test]
    fn scripts_and_styles_stay_small() {
        assert!(JS.content.len() < 10_000, "{} bytes of scripts", JS.content.len());
        for asset in [&CSS, &JS] {
            let (plain, gzip, brotli) = (asset.content.len(), asset.gzip.len(), asset.brotli.len());
            assert!(0 < brotli && brotli < gzip && gzip < plain / 2, "{}: {plain}, {gzip}, {brotli}", asset.path);
        }
    }

    #[test]
    fn packings_that_a_visitor_takes() {
        for (value, brotli, gzip) in [
            ("gzip, deflate, br, zstd", true, true),
            ("gzip;q=0.5,br;q=0", false, true),
            ("identity", false, false),
            ("br; q=0.1", true, false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(accepts(&headers), Accepted { brotli, gzip }, "{value}");
        }
    }
}
