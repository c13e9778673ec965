use std::fmt;

use percent_encoding::percent_decode_str;
use types::{Did, Digest, Handle, OciName, Reference, RepositoryName};

use crate::errors::{Code, OciError, Result};

/// Longer paths name nothing: a DID, a repository and a digest stay far below.
const MAX_PATH: usize = 4096;

/// Who publishes: a handle may move, a DID does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Handle(Handle),
    Did(Did),
}

/// `<owner>/<repository…>`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub owner: Owner,
    pub repository: RepositoryName,
    /// As the client wrote it, decoded.
    text: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(handle) => handle.fmt(f),
            Self::Did(did) => did.fmt(f),
        }
    }
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `<name>/manifests/<reference>`
    Manifest(Name, Reference),
    /// `<name>/blobs/<digest>`
    Blob(Name, Digest),
    /// `<name>/tags/list`
    Tags(Name),
    /// `<name>/referrers/<digest>`
    Referrers(Name, Digest),
    /// `_catalog`
    Catalog,
}

impl Asked {
    /// A metric's label.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Manifest(..) => "manifest",
            Self::Blob(..) => "blob",
            Self::Tags(..) => "tags",
            Self::Referrers(..) => "referrers",
            Self::Catalog => "catalog",
        }
    }
}

/// Reads the path below `/v2/`, still percent-encoded. It is read from the right: `team/manifests/x` is a legal repository.
pub(crate) fn parse(path: &str) -> Result<Asked> {
    if path.len() > MAX_PATH {
        return Err(OciError::new(Code::NameInvalid, format!("a path of {} characters names nothing", path.len())));
    }
    let segments = path.split('/').map(decode).collect::<Result<Vec<_>>>()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["_catalog"] => Ok(Asked::Catalog),
        [name @ .., "manifests", reference] => Ok(Asked::Manifest(parse_name(name)?, parse_reference(reference)?)),
        [name @ .., "blobs", digest] => Ok(Asked::Blob(parse_name(name)?, parse_digest(digest)?)),
        [name @ .., "tags", "list"] => Ok(Asked::Tags(parse_name(name)?)),
        [name @ .., "referrers", digest] => Ok(Asked::Referrers(parse_name(name)?, parse_digest(digest)?)),
        _ => Err(OciError::new(
            Code::EndpointUnknown,
            "ask for <owner>/<repository> with /manifests/<tag or digest>, /blobs/<digest>, /tags/list or \
             /referrers/<digest>; or for /v2/_catalog",
        )),
    }
}

fn decode(segment: &str) -> Result<String> {
    let invalid = |why| OciError::new(Code::NameInvalid, format!("a part of the path {why}"));
    let text = percent_decode_str(segment).decode_utf8().map_err(|_| invalid("is no UTF-8"))?;
    if text.contains(['/', '\0']) {
        return Err(invalid("hides a slash or NUL behind a percent sign"));
    }
    Ok(text.into_owned())
}

fn parse_name(segments: &[&str]) -> Result<Name> {
    let [owner, repository @ ..] = segments else {
        return Err(OciError::new(Code::NameIncomplete, HINT));
    };
    let owner = parse_owner(owner)?;
    if repository.is_empty() {
        let message = format!("{owner} is an owner: which repository of it? {HINT}");
        return Err(OciError::new(Code::NameIncomplete, message));
    }
    let repository = repository.join("/");
    let legal: OciName = repository.parse().map_err(|error: types::NameError| {
        let message = format!(
            "{error}. Records may carry such a name and crowsnest shows them, but no container client can pull them: \
             ask the owner to push under a legal one"
        );
        OciError::new(Code::NameInvalid, message)
    })?;
    Ok(Name { text: format!("{}/{repository}", segments[0]), owner, repository: legal.into() })
}

const HINT: &str = "Write the owner's full handle or DID before the repository, as in alice.example.com/app";

fn parse_owner(text: &str) -> Result<Owner> {
    let invalid = |error: types::NameError| OciError::new(Code::NameInvalid, error.to_string());
    if text.starts_with("did:") {
        return text.parse().map(Owner::Did).map_err(invalid);
    }
    if text.starts_with("did_") {
        return Did::from_escaped(text).map(Owner::Did).ok_or_else(|| {
            let shown: String = text.chars().take(80).collect();
            let message = format!("{shown:?} is not an escaped DID, such as did_plc_… or did_web_example.com");
            OciError::new(Code::NameInvalid, message)
        });
    }
    if !text.contains('.') && !text.is_empty() {
        let shown: String = text.chars().take(80).collect();
        return Err(OciError::new(Code::NameIncomplete, format!("{shown:?} is no handle. {HINT}")));
    }
    text.parse().map(Owner::Handle).map_err(invalid)
}

fn parse_digest(text: &str) -> Result<Digest> {
    text.parse().map_err(|error: types::DigestError| OciError::new(Code::DigestInvalid, error.to_string()))
}

/// No tag has a colon.
fn parse_reference(text: &str) -> Result<Reference> {
    if text.contains(':') {
        return parse_digest(text).map(Reference::Digest);
    }
    let unknown = |error: types::NameError| OciError::new(Code::ManifestUnknown, error.to_string());
    text.parse().map(Reference::Tag).map_err(unknown)
}

#[cfg(test)]
mod tests;
