//! Names in URLs: made here, parsed here, nowhere else.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use types::{Did, Digest, Handle, RepositoryName, Tag};

/// What stays as it is in a path segment; `:` and `@` are legal there.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'@');

/// `/u/{owner}`
pub fn user(owner: &str) -> String {
    format!("/u/{}", segment(owner))
}

/// `/holds/{did}`
pub fn hold(did: &str) -> String {
    format!("/holds/{}", segment(did))
}

/// `/r/{owner}/{repo…}`
pub fn repository(owner: &str, name: &str) -> String {
    let name: Vec<String> = name.split('/').map(segment).collect();
    format!("/r/{}/{}", segment(owner), name.join("/"))
}

/// `/r/{owner}/{repo…}/-/manifests/{digest}`
pub fn manifest(owner: &str, name: &str, digest: &str) -> String {
    format!("{}/-/manifests/{digest}", repository(owner, name))
}

/// `/r/{owner}/{repo…}/-/compare?from=&to=`: tags or digests.
pub fn compare(owner: &str, name: &str, from: &str, to: &str) -> String {
    with_query(&format!("{}/-/compare", repository(owner, name)), &[("from", from), ("to", to)])
}

/// An address with a query of these parameters, those that are empty left out.
pub fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// What the path after `/r/` names.
#[derive(Debug, PartialEq, Eq)]
pub struct RepositoryPath {
    /// A handle, a DID, or an escaped DID, unchecked.
    pub owner: String,
    /// The repository's name, unchecked.
    pub name: String,
    /// The digest after `/-/manifests/`, unchecked.
    pub digest: Option<String>,
    /// Whether `/-/compare` follows.
    pub compares: bool,
}

/// Reads what follows `/r/`, from the right. Where a repository's own name holds a lone `-`, our addresses write `%2D`.
pub fn parse_repository_path(path: &str) -> RepositoryPath {
    let (owner, rest) = path.split_once('/').unwrap_or((path, ""));
    if let Some(name) = rest.strip_suffix("/-/compare") {
        return RepositoryPath { owner: decode(owner), name: decode(name), digest: None, compares: true };
    }
    let (name, digest) = match rest.rsplit_once("/-/manifests/") {
        Some((name, digest)) if !digest.contains('/') => (name, Some(decode(digest))),
        _ => (rest, None),
    };
    RepositoryPath { owner: decode(owner), name: decode(name.trim_end_matches('/')), digest, compares: false }
}

/// Where a pull reference pasted after our host leads (`/alice.test/app:v1`), if it looks like one: its first part has a
/// dot or is a DID.
pub fn of_pull_reference(path: &str) -> Option<String> {
    let (owner, rest) = path.strip_prefix('/')?.split_once('/')?;
    let owner = decode(owner);
    let named = owner.parse::<Handle>().is_ok() || owner.parse::<Did>().is_ok() || Did::from_escaped(&owner).is_some();
    if !named || rest.is_empty() {
        return None;
    }
    let rest = decode(rest.trim_end_matches('/'));
    if let Some((name, digest)) = rest.rsplit_once('@')
        && digest.parse::<Digest>().is_ok()
    {
        // `name:tag@digest` is a legal reference; the digest decides.
        let name = split_tag(name).map_or(name, |(name, _)| name);
        return Some(manifest(&owner, name, digest));
    }
    match split_tag(&rest) {
        Some((name, tag)) => Some(with_query(&repository(&owner, name), &[("tag", tag)])),
        None => Some(repository(&owner, &rest)),
    }
}

fn split_tag(reference: &str) -> Option<(&str, &str)> {
    let (name, tag) = reference.rsplit_once(':')?;
    let legal = tag.parse::<Tag>().is_ok() && name.parse::<RepositoryName>().is_ok();
    legal.then_some((name, tag))
}

fn segment(text: &str) -> String {
    if text == "-" {
        return "%2D".to_owned();
    }
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{of_pull_reference, parse_repository_path, repository};

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_survive_the_way_there_and_back() {
        for name in ["app", "team/app", "a b?c#d%e", "ünï/<b>", "x/-/manifests/y/z", "x/-/compare", "-"] {
            let path = repository("alice.test", name);
            let parsed = parse_repository_path(path.strip_prefix("/r/").unwrap());
            let parsed = (parsed.owner.as_str(), parsed.name.as_str(), parsed.digest, parsed.compares);
            assert_eq!(parsed, ("alice.test", name, None, false));
            let path = super::compare("alice.test", name, "v1", "v2");
            let parsed = parse_repository_path(path.strip_prefix("/r/").unwrap().split_once('?').unwrap().0);
            assert_eq!((parsed.name.as_str(), parsed.compares), (name, true));
        }
    }

    #[test]
    fn the_digest_is_split_from_the_right() {
        let parsed = parse_repository_path(&format!("a.test/x/-/manifests/y/-/manifests/{DIGEST}"));
        assert_eq!((parsed.name.as_str(), parsed.digest.as_deref()), ("x/-/manifests/y", Some(DIGEST)));
    }

    #[test]
    fn pull_references_lead_to_pages() {
        let to = |path: &str| of_pull_reference(path);
        assert_eq!(to("/alice.test/team/app").as_deref(), Some("/r/alice.test/team/app"));
        assert_eq!(to("/alice.test/app:v1").as_deref(), Some("/r/alice.test/app?tag=v1"));
        assert_eq!(to("/did_plc_abc/app").as_deref(), Some("/r/did_plc_abc/app"));
        assert_eq!(to("/did:plc:abc/app").as_deref(), Some("/r/did:plc:abc/app"));
        let manifest = format!("/r/alice.test/app/-/manifests/{DIGEST}");
        assert_eq!(to(&format!("/alice.test/app@{DIGEST}")), Some(manifest.clone()));
        assert_eq!(to(&format!("/alice.test/app:v1@{DIGEST}")), Some(manifest));
        for other in ["/", "/alice.test", "/alice.test/", "/alice/app", "/assets/x", "/a..b/app"] {
            assert_eq!(to(other), None, "{other}");
        }
    }
}
