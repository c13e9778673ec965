//! The pull command, for the client that people have: by tag, and by the digest that a tag may leave.

use leptos::prelude::*;
use store::queries::{HoldView, Owner};
use types::{Did, OciName};
use url::Url;

use super::words;
use crate::{address, app::Visit, text::artifact::Kind};

struct Client {
    name: &'static str,
    /// What comes before the reference.
    pull: &'static str,
    /// What comes before the host to sign in.
    login: &'static str,
    /// How it is told to speak HTTP without TLS.
    insecure: &'static str,
    /// What comes after the reference.
    target: &'static str,
}

impl Client {
    const fn new(name: &'static str, pull: &'static str, login: &'static str, insecure: &'static str) -> Self {
        Self { name, pull, login, insecure, target: "" }
    }
}

const CLIENTS: [Client; 5] = [
    Client::new("docker", "docker pull", "docker login", ""),
    Client::new("podman", "podman pull", "podman login", " --tls-verify=false"),
    Client::new("buildah", "buildah pull", "buildah login", " --tls-verify=false"),
    Client::new("nerdctl", "nerdctl pull", "nerdctl login", " --insecure-registry"),
    Client { target: " image.tar", ..Client::new("crane", "crane pull", "crane auth login", " --insecure") },
];
const HELM: Client = Client::new("helm", "helm pull", "helm registry login", " --plain-http");
const ORAS: Client = Client::new("oras", "oras pull", "oras login", " --plain-http");

/// What is to be pulled.
pub struct Subject<'a> {
    /// Whose.
    pub owner: &'a Owner,
    /// Of which repository.
    pub name: &'a OciName,
    /// What it is.
    pub kind: Kind,
    /// The tags that lead to it, the one that is meant first.
    pub tags: Vec<&'a str>,
    /// Its digest, when that is known.
    pub digest: Option<&'a str>,
    /// Where its blobs are.
    pub hold: Option<&'a HoldView>,
}

/// The host and port of our own origin, as clients name a registry.
fn host(public_url: &Url) -> Option<String> {
    Some(match (public_url.host_str()?, public_url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    })
}

/// An image reference without its tag: `host/owner/name`; `None` for an owner whom docker's grammar cannot write.
fn repository(public_url: &Url, owner: &Owner, name: &OciName) -> Option<String> {
    let owner = match &owner.handle {
        Some(handle) => handle.clone(),
        None => owner.did.parse::<Did>().ok()?.escaped()?,
    };
    Some(format!("{}/{owner}/{name}", host(public_url)?))
}

/// The commands, with a switch of clients: plain links that keep the rest of the address. `None` when no client can write it.
pub fn pull(visit: &Visit, subject: &Subject<'_>) -> Option<AnyView> {
    let public_url = &visit.web.config().public_url;
    let client = client(visit, subject.kind);
    let insecure = if public_url.scheme() == "http" { client.insecure } else { "" };
    let repository = repository(public_url, subject.owner, subject.name)?;
    let by_tag = by_tag(subject, &repository).map(|what| format!("{}{insecure} {what}{}", client.pull, client.target));
    let scheme = if subject.kind == Kind::Chart { "oci://" } else { "" };
    let by_digest = subject
        .digest
        .map(|digest| format!("{}{insecure} {scheme}{repository}@{digest}{}", client.pull, client.target));
    let (first, second) = match (by_tag, by_digest) {
        (Some(tag), digest) => (tag, digest),
        (None, digest) => (digest?, None),
    };
    let login = subject.hold.filter(|hold| hold.public == Some(false)).zip(host(public_url));
    let login = login.map(|(_, host)| private(format!("{}{insecure} {host}", client.login)));
    let view = view! {
        <section class="pull" aria-labelledby="pull">
            <div class="pull-head">
                <h2 id="pull">"Pull"</h2>
                {switch(visit, subject.kind, client.name)}
            </div>
            {command(first, "the command")}
            {second.map(|second| view! {
                <details class="pull-more">
                    <summary>"By digest, which never moves"</summary>
                    {command(second, "the command by digest")}
                </details>
            })}
            {login}
        </section>
    };
    Some(view.into_any())
}

fn client(visit: &Visit, kind: Kind) -> &'static Client {
    match kind {
        Kind::Chart => &HELM,
        Kind::Artifact => &ORAS,
        Kind::Image => {
            let asked = visit.query("client");
            CLIENTS.iter().find(|client| client.name == asked).unwrap_or(&CLIENTS[0])
        }
    }
}

fn by_tag(subject: &Subject<'_>, repository: &str) -> Option<String> {
    if subject.kind != Kind::Chart {
        return subject.tags.first().map(|tag| format!("{repository}:{tag}"));
    }
    // Helm takes full versions only, and writes `_` for the `+` of one, which a tag cannot hold.
    let version = subject.tags.iter().find(|tag| is_chart_version(tag))?;
    Some(format!("oci://{repository} --version {}", version.replace('_', "+")))
}

/// A version as Helm takes it from a tag: three numbers first, no `v`.
fn is_chart_version(tag: &str) -> bool {
    let core: Vec<&str> = tag.split(['-', '_']).next().unwrap_or_default().split('.').collect();
    core.len() == 3 && core.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn switch(visit: &Visit, kind: Kind, chosen: &str) -> AnyView {
    let link = |client: &'static str| {
        let kept = ["tab", "tag", "filter", "sort"].map(|name| (name, visit.short(name)));
        let parameters: Vec<(&str, &str)> = [("client", client)].into_iter().chain(kept).collect();
        let current = (client == chosen).then_some("true");
        view! { <li><a href=address::with_query(&visit.path, &parameters) aria-current=current rel="nofollow">{client}</a></li> }
    };
    match kind {
        Kind::Image => view! {
            <ul class="clients" aria-label="Client">{CLIENTS.iter().map(|client| link(client.name)).collect_view()}</ul>
        }
        .into_any(),
        Kind::Chart => view! { <span class="muted">"Helm chart"</span> }.into_any(),
        Kind::Artifact => view! { <span class="muted">"artifact, by ORAS"</span> }.into_any(),
    }
}

fn command(command: String, what: &'static str) -> AnyView {
    // Lines end where names do.
    let parts = command.split_inclusive(['/', '@']).map(|part| view! { {part.to_owned()}<wbr/> }).collect_view();
    view! { <div class="command"><code>{parts}</code>{words::copy(command, what)}</div> }.into_any()
}

fn private(login: String) -> AnyView {
    view! {
        <p class="pull-by">
            "This hold is private: pulls need its owner's leave. Sign in first, with your handle and an app password:"
        </p>
        {command(login, "the sign-in")}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use store::queries::Owner;

    use super::{Subject, by_tag, is_chart_version, repository};
    use crate::text::artifact::Kind;

    #[test]
    fn helm_takes_full_versions_only() {
        let taken = ["latest", "1.2", "v1.2.3", "1..3", "0.3.1", "1.2.3-rc.1", "1.2.3_build"].map(is_chart_version);
        assert_eq!(taken, [false, false, false, false, true, true, true]);
    }

    #[test]
    fn references_are_what_clients_take() {
        let url = "http://127.0.0.1:5000".parse().unwrap();
        let name = "team/app".parse().unwrap();
        let owner = |handle: Option<&str>| Owner { did: "did:plc:abc".into(), handle: handle.map(Into::into) };
        let made = |owner: &Owner| repository(&url, owner, &name).unwrap();
        assert_eq!(made(&owner(Some("alice.test"))), "127.0.0.1:5000/alice.test/team/app");
        assert_eq!(made(&owner(None)), "127.0.0.1:5000/did_plc_abc/team/app");
        let owner = owner(None);
        let subject = |kind| Subject {
            owner: &owner,
            name: &name,
            kind,
            tags: vec!["latest", "1.2.3_b"],
            digest: None,
            hold: None,
        };
        assert_eq!(by_tag(&subject(Kind::Image), "r").as_deref(), Some("r:latest"));
        assert_eq!(by_tag(&subject(Kind::Chart), "r").as_deref(), Some("oci://r --version 1.2.3+b"));
    }
}
