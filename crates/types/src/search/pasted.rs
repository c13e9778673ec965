//! References and digests that somebody pasted into the box.

use std::fmt;

use crate::{Did, Digest, Handle, RepositoryName, Tag};

/// What pulls, and what is before it.
const PULLS: [&str; 11] =
    ["docker", "podman", "nerdctl", "buildah", "crane", "skopeo", "oras", "helm", "ctr", "from", "sudo"];
/// The most characters that are looked at.
const LONGEST: usize = 1_000;

/// What was pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pasted {
    /// A reference, with or without the command and the host before it.
    Reference(PastedReference),
    /// A digest alone.
    Digest(Digest),
}

/// `owner/name[:tag][@digest]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastedReference {
    /// A handle or a DID.
    pub owner: String,
    /// The repository.
    pub name: String,
    /// Its tag.
    pub tag: Option<String>,
    /// Its manifest.
    pub digest: Option<Digest>,
}

impl Pasted {
    /// Reads `docker pull HOST/alice.example/app:v1`, the reference alone, with its host or without, the address of a page of
    /// ours, or a digest.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let mut tokens = text.split_whitespace().skip_while(|token| *token == "$");
        let first = tokens.next()?;
        let rest: Vec<&str> = tokens.collect();
        if PULLS.contains(&first.to_lowercase().as_str()) {
            return rest.iter().rev().find_map(|token| reference(token)).map(Self::Reference);
        }
        if !rest.is_empty() {
            return None;
        }
        let lower = first.trim_start_matches('@').to_lowercase();
        let is_hex = lower.len() == 64 && lower.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digest = if is_hex { format!("sha256:{lower}") } else { lower };
        match digest.parse() {
            Ok(digest) => Some(Self::Digest(digest)),
            Err(_) => reference(first).map(Self::Reference),
        }
    }
}

fn reference(token: &str) -> Option<PastedReference> {
    let token = token.split_once("://").map_or(token, |(_, rest)| rest).trim_matches(['/', '"', '\'']);
    let parts: Vec<&str> = token.split('/').collect();
    let from = match parts.as_slice() {
        [_, "r", owner, _, ..] if is_owner(owner) => 2,
        [_, owner, _, ..] if is_owner(owner) => 1,
        [owner, _, ..] if is_owner(owner) => 0,
        _ => return None,
    };
    let owner = owner(parts[from]);
    let rest = parts[from + 1..].join("/");
    let (rest, digest) = match rest.rsplit_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse().ok()?)),
        None => (rest.as_str(), None),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) => (name, Some(tag.parse::<Tag>().ok()?.to_string())),
        None => (rest, None),
    };
    name.parse::<RepositoryName>().ok()?;
    Some(PastedReference { owner, name: name.to_owned(), tag, digest })
}

fn is_owner(text: &str) -> bool {
    let text = text.trim_start_matches('@');
    text.parse::<Handle>().is_ok() || text.parse::<Did>().is_ok() || Did::from_escaped(text).is_some()
}

fn owner(text: &str) -> String {
    let text = text.trim_start_matches('@');
    match Did::from_escaped(text) {
        Some(did) => did.to_string(),
        None if text.starts_with("did:") => text.to_owned(),
        None => text.to_ascii_lowercase(),
    }
}

impl fmt::Display for PastedReference {
    /// As a client would be told, without the host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Pasted;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references_are_found_in_what_people_paste() {
        let read = |text: &str| match Pasted::parse(text) {
            Some(Pasted::Reference(reference)) => reference.to_string(),
            Some(Pasted::Digest(digest)) => digest.to_string(),
            None => "none".to_owned(),
        };
        for (text, expected) in [
            ("docker pull 127.0.0.1:5000/alice.test/hello", "alice.test/hello"),
            ("docker pull index.example/alice.test/hello:v1", "alice.test/hello:v1"),
            ("$ sudo podman pull --tls-verify=false index.example/alice.test/team/app:v1", "alice.test/team/app:v1"),
            ("FROM index.example/alice.test/app", "alice.test/app"),
            ("alice.test/team/app:v1", "alice.test/team/app:v1"),
            ("@Alice.test/app", "alice.test/app"),
            ("https://index.example/r/alice.test/app", "alice.test/app"),
            ("did:plc:abcdefghijklmnopqrstuvwx/app", "did:plc:abcdefghijklmnopqrstuvwx/app"),
            ("oci://index.example/bob.test/chart", "bob.test/chart"),
            (&DIGEST[7..], DIGEST),
            (DIGEST, DIGEST),
            ("docker", "none"),
            ("docker compose", "none"),
            ("hello", "none"),
            ("hello:latest", "none"),
            ("alice.test hello", "none"),
            ("alice.test", "none"),
            ("alice/hello", "none"),
            ("https://index.example/", "none"),
            ("", "none"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        let both = format!("crane digest index.example/alice.test/app:v1@{DIGEST}");
        assert_eq!(read(&both), format!("alice.test/app:v1@{DIGEST}"));
        assert_eq!(read(&"a/".repeat(2_000)), "none");
    }
}
