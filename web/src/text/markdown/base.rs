//! What a README's relative links and its pictures stand on.

use url::Url;

use super::ID_PREFIX;
use crate::pictures::Signer;

/// Hosts whose pictures are drawings (SVG) that we do not pass on, whatever the address ends with.
const DRAWN: [&str; 6] =
    ["img.shields.io", "badgen.net", "badge.fury.io", "codecov.io", "coveralls.io", "app.codacy.com"];

/// What a README's relative links and its pictures stand on. Without a source, relative links lead nowhere; without a
/// signer, pictures are links.
#[derive(Clone, Default)]
pub struct Base {
    /// Where the source is, when its owner says so.
    pub source: Option<Source>,
    /// Signs the pictures that may be fetched through us.
    pub pictures: Option<Signer>,
}

impl Base {
    /// Where a link leads; `None` if nowhere.
    pub fn link(&self, address: &str) -> Option<String> {
        if let Some(fragment) = address.strip_prefix('#') {
            let fragment = fragment.strip_prefix(ID_PREFIX).unwrap_or(fragment);
            return Some(format!("#{ID_PREFIX}{fragment}"));
        }
        match Url::parse(address) {
            Ok(url) => matches!(url.scheme(), "http" | "https" | "mailto").then(|| url.to_string()),
            Err(_) => self.source.as_ref()?.resolve(&self.source.as_ref()?.files, address).map(Into::into),
        }
    }

    /// Where a picture is.
    pub fn picture_address(&self, address: &str) -> Option<Url> {
        match Url::parse(address) {
            Ok(url) => matches!(url.scheme(), "http" | "https").then_some(url),
            Err(_) => self.source.as_ref()?.resolve(&self.source.as_ref()?.raw, address),
        }
    }

    /// Whether a picture may be one that we pass on.
    pub fn shows(&self, picture: &Url) -> bool {
        let path = picture.path().to_ascii_lowercase();
        let drawn = path.ends_with(".svg")
            || path.ends_with(".svgz")
            || picture.host_str().is_none_or(|host| DRAWN.contains(&host));
        self.pictures.is_some() && !drawn && picture.as_str().len() <= 2_000
    }

    /// The address on our own origin under which a picture is shown.
    pub fn picture(&self, address: &str) -> Option<String> {
        let url = self.picture_address(address).filter(|url| self.shows(url))?;
        Some(self.pictures.as_ref()?.path(url.as_str()))
    }
}

/// A source repository: where its files are read, and where they are as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    project: Url,
    files: Url,
    raw: Url,
}

impl Source {
    /// Reads an owner's `org.opencontainers.image.source`. Forges that we know keep files below the repository's address.
    pub fn parse(text: &str) -> Option<Self> {
        let mut url = Url::parse(text.trim()).ok()?;
        let host = url.host_str()?.to_owned();
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        url.set_query(None);
        url.set_fragment(None);
        let (files, raw, project) = forge(&host, url.path());
        let project = project.trim_end_matches('/');
        let project = project.strip_suffix(".git").unwrap_or(project).to_owned();
        let below = |folder: &str| {
            let mut url = url.clone();
            url.set_path(&format!("{project}/{folder}"));
            url
        };
        Some(Self { project: below(""), files: below(files), raw: below(raw) })
    }

    /// A relative address below a folder; one that begins with a slash is below it too, as forges have it. One that leads out of
    /// the files, as from a README that lies deeper than its owner says, leads nowhere; but up to the project's other pages
    /// (`../../issues`) people do link.
    fn resolve(&self, folder: &Url, address: &str) -> Option<Url> {
        if address.starts_with("//") {
            return folder.join(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        }
        let url = folder.join(address.trim_start_matches('/')).ok()?;
        if url.path().starts_with(folder.path()) {
            return Some(url);
        }
        let inside = |base: &Url, url: &Url| url.path().strip_prefix(base.path()).map(str::to_owned);
        let first = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
        let (own, other) = (inside(&self.project, folder)?, inside(&self.project, &url)?);
        (first(&own) != first(&other) && !other.is_empty()).then_some(url)
    }
}

/// Below the repository's path: the folder of pages about files, that of the files themselves; and that path.
fn forge<'a>(host: &str, path: &'a str) -> (&'static str, &'static str, &'a str) {
    let first_two = || path.match_indices('/').nth(2).map_or(path, |(end, _)| &path[..end]);
    match host {
        "github.com" | "www.github.com" => ("blob/HEAD/", "raw/HEAD/", first_two()),
        "codeberg.org" => ("src/commit/HEAD/", "raw/commit/HEAD/", first_two()),
        "bitbucket.org" => ("src/HEAD/", "raw/HEAD/", first_two()),
        "git.sr.ht" => ("tree/HEAD/item/", "blob/HEAD/", first_two()),
        "tangled.org" | "tangled.sh" => ("blob/HEAD/", "raw/HEAD/", first_two()),
        _ if host.starts_with("gitlab.") => {
            ("-/blob/HEAD/", "-/raw/HEAD/", path.split("/-/").next().unwrap_or_default())
        }
        _ => ("", "", path),
    }
}

#[cfg(test)]
mod tests {
    use super::{Base, Source};

    fn link(source: &str, address: &str) -> String {
        let base = Base { source: Source::parse(source), pictures: None };
        base.link(address).unwrap_or_default()
    }

    #[test]
    fn relative_links_lead_to_the_source() {
        for (source, address, expected) in [
            ("https://github.com/o/r", "docs/a.md", "https://github.com/o/r/blob/HEAD/docs/a.md"),
            ("https://github.com/o/r.git", "/docs/a.md#x", "https://github.com/o/r/blob/HEAD/docs/a.md#x"),
            ("https://github.com/o/r/tree/main/x?y#z", "./LICENSE", "https://github.com/o/r/blob/HEAD/LICENSE"),
            ("https://gitlab.com/g/s/r/", "a", "https://gitlab.com/g/s/r/-/blob/HEAD/a"),
            ("https://codeberg.org/o/r", "a", "https://codeberg.org/o/r/src/commit/HEAD/a"),
            ("https://example.com/source", "a", "https://example.com/source/a"),
            ("https://example.com", "../../a", "https://example.com/a"),
            ("https://github.com/o/r", "../x.md", ""),
            ("https://github.com/o/r", "docs/../x.md", "https://github.com/o/r/blob/HEAD/x.md"),
            ("https://github.com/o/r", "../../issues", "https://github.com/o/r/issues"),
            ("https://github.com/o/r", "../../../other", ""),
            ("https://gitlab.com/g/r", "../x.md", ""),
            ("https://example.com/source", "../x.md", ""),
            ("", "a", ""),
            ("javascript:alert(1)", "a", ""),
            ("https://github.com/o/r", "javascript:alert(1)", ""),
            ("https://github.com/o/r", " java\nscript:alert(1)", ""),
            ("https://github.com/o/r", "https://a.example/", "https://a.example/"),
            ("", "#install", "#readme-install"),
            ("", "#readme-install", "#readme-install"),
        ] {
            assert_eq!(link(source, address), expected, "{address} of {source}");
        }
    }

    #[test]
    fn pictures_come_as_files() {
        let base = Base { source: Source::parse("https://github.com/o/r"), pictures: None };
        let address = |text| base.picture_address(text).map(|url| url.to_string());
        assert_eq!(address("logo.png").as_deref(), Some("https://github.com/o/r/raw/HEAD/logo.png"));
        assert_eq!(address("data:image/png;base64,AA"), None);
        assert_eq!(base.picture("logo.png"), None, "nobody signs");
    }
}
