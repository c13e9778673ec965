//! What a record says, by the table of its collection. `None`: it cannot be understood, or its author may not say it.

use serde_json::Value;

pub struct Manifest {
    pub repository: String,
    pub digest: String,
    pub media_type: String,
    pub hold: Option<String>,
    pub config: Option<String>,
    pub subject: Option<String>,
    /// Digest, media type, size.
    pub layers: Vec<(String, String, i64)>,
    /// Digest, size, platform.
    pub entries: Vec<(String, i64, Option<String>)>,
}

pub struct Tag {
    pub repository: String,
    pub tag: String,
    /// The key of the manifest's record.
    pub manifest: Option<String>,
    pub digest: Option<String>,
    pub time: String,
}

pub struct Claim {
    pub hold: String,
    pub owner: String,
    pub public: bool,
    pub region: Option<String>,
}

pub struct Crew {
    /// The key of the hold's declaration, of the first generation.
    pub declaration: Option<String>,
    pub member: Option<String>,
    pub pattern: Option<String>,
    pub role: String,
    pub permissions: Vec<String>,
}

fn text(record: &Value, field: &str) -> Option<String> {
    record.get(field)?.as_str().map(str::to_owned)
}

/// A field that may be missing, but not be something else.
fn optional(record: &Value, field: &str) -> Option<Option<String>> {
    match record.get(field) {
        None => Some(None),
        Some(value) => value.as_str().map(|value| Some(value.to_owned())),
    }
}

/// `https://host[:port]` is `did:web:host[%3Aport]`.
fn hold_of_endpoint(endpoint: &str) -> Option<String> {
    Some(format!("did:web:{}", endpoint.strip_prefix("https://")?.replace(':', "%3A")))
}

/// The authority, the collection, and what follows.
fn at_uri(uri: &str) -> Option<(&str, &str, &str)> {
    let mut parts = uri.strip_prefix("at://")?.splitn(3, '/');
    Some((parts.next()?, parts.next()?, parts.next()?))
}

pub fn manifest(record: &Value) -> Option<Manifest> {
    let list = |field: &str| record.get(field).map_or(Some(&[][..]), |list| list.as_array().map(Vec::as_slice));
    let blob = |blob: &Value| Some((text(blob, "digest")?, text(blob, "mediaType")?, blob.get("size")?.as_i64()?));
    let digest_in = |field: &str| match record.get(field) {
        None => Some(None),
        Some(reference) => blob(reference).map(|(digest, ..)| Some(digest)),
    };
    let entry = |entry: &Value| {
        let platform = entry.get("platform").map(|platform| {
            let parts = ["os", "architecture", "variant"].iter().filter_map(|part| text(platform, part));
            parts.collect::<Vec<_>>().join("/")
        });
        blob(entry).map(|(digest, _, size)| (digest, size, platform))
    };
    let endpoint = optional(record, "holdEndpoint")?;
    record.get("schemaVersion")?.as_i64()?;
    text(record, "createdAt")?;
    Some(Manifest {
        repository: text(record, "repository").filter(|name| name.len() <= 255)?,
        digest: text(record, "digest").filter(|digest| digest.starts_with("sha256:"))?,
        media_type: text(record, "mediaType")?,
        hold: optional(record, "holdDid")?.or_else(|| hold_of_endpoint(&endpoint?)),
        config: digest_in("config")?,
        subject: digest_in("subject")?,
        layers: list("layers")?.iter().map(blob).collect::<Option<_>>()?,
        entries: list("manifests")?.iter().map(entry).collect::<Option<_>>()?,
    })
}

/// A tag points only into its own DID.
pub fn tag(did: &str, record: &Value) -> Option<Tag> {
    let (manifest, digest) = (optional(record, "manifest")?, optional(record, "manifestDigest")?);
    let manifest = match manifest.as_deref().map(at_uri) {
        None => None,
        Some(Some((authority, "io.atcr.manifest", rkey))) if authority == did => Some(rkey.to_owned()),
        Some(_) => return None,
    };
    if manifest.is_none() && digest.is_none() {
        return None;
    }
    let time = optional(record, "updatedAt")?.or(optional(record, "createdAt")?)?;
    Some(Tag { repository: text(record, "repository")?, tag: text(record, "tag")?, manifest, digest, time })
}

/// Whose repository is starred, and which.
pub fn star(record: &Value) -> Option<(String, String)> {
    match record.get("subject")? {
        Value::String(uri) => match at_uri(uri)? {
            (owner, "io.atcr.repo.page", repository) => Some((owner.to_owned(), repository.to_owned())),
            _ => None,
        },
        subject => Some((text(subject, "did")?, text(subject, "repository")?)),
    }
}

/// The default hold and the client.
pub fn profile(record: &Value) -> Option<(Option<String>, Option<String>)> {
    text(record, "createdAt")?;
    Some((optional(record, "defaultHold")?, optional(record, "ociClient")?))
}

/// The repository and its description.
pub fn page(record: &Value) -> Option<(String, Option<String>)> {
    Some((text(record, "repository")?, optional(record, "description")?))
}

/// Only a hold's owner declares it.
pub fn legacy_hold(did: &str, record: &Value) -> Option<Claim> {
    let (owner, public) = (text(record, "owner")?, record.get("public")?.as_bool()?);
    let hold = hold_of_endpoint(&text(record, "endpoint")?)?;
    (owner == did).then_some(Claim { hold, owner, public, region: None })
}

/// The captain of the hold in whose repository it lies.
pub fn captain(did: &str, record: &Value) -> Option<Claim> {
    record.get("allowAllCrew")?.as_bool()?;
    let (owner, public) = (text(record, "owner")?, record.get("public")?.as_bool()?);
    Some(Claim { hold: did.to_owned(), owner, public, region: optional(record, "region")? })
}

/// Both generations; of the first, only what the hold's owner says, and of exactly one kind of member.
pub fn crew(did: &str, record: &Value) -> Option<Crew> {
    let (member, pattern) = (optional(record, "member")?, optional(record, "memberPattern")?);
    let role = text(record, "role")?;
    let Some(hold) = optional(record, "hold")? else {
        let permissions = record.get("permissions")?.as_array()?;
        let permissions = permissions.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        return member.is_some().then_some(Crew { declaration: None, member, pattern: None, role, permissions });
    };
    match at_uri(&hold)? {
        (authority, "io.atcr.hold", rkey) if authority == did && member.is_some() != pattern.is_some() => {
            Some(Crew { declaration: Some(rkey.to_owned()), member, pattern, role, permissions: Vec::new() })
        }
        _ => None,
    }
}

/// Owner, repository, pulls.
pub fn stats(record: &Value) -> Option<(String, String, i64)> {
    record.get("pushCount")?.as_i64()?;
    Some((text(record, "ownerDid")?, text(record, "repository")?, record.get("pullCount")?.as_i64()?))
}

/// Owner, the manifest's key, critical findings, all findings.
pub fn scan(record: &Value) -> Option<(String, String, i64, i64)> {
    let (owner, uri) = (text(record, "userDid")?, text(record, "manifest")?);
    let number = |field: &str| record.get(field)?.as_i64();
    let (_, _, rkey) =
        at_uri(&uri).filter(|(authority, collection, _)| *authority == owner && *collection == "io.atcr.manifest")?;
    Some((owner.clone(), rkey.to_owned(), number("critical")?, number("total")?))
}

/// Both shapes.
pub fn layer(record: &Value) -> Option<()> {
    text(record, "digest")?;
    record.get("size")?.as_i64()?;
    Some(())
}

/// Whether a repository's name is legal in an image reference: parts of lower-case letters and digits, joined within by one of
/// `.`, `_`, `__` or dashes, and with each other by `/`.
pub fn pullable(name: &str) -> bool {
    let part = |part: &str| {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let mut joints = part.split(is_word).filter(|joint| !joint.is_empty());
        part.starts_with(is_word)
            && part.ends_with(is_word)
            && joints.all(|joint| matches!(joint, "." | "_" | "__") || joint.chars().all(|c| c == '-'))
    };
    name.split('/').all(part)
}
