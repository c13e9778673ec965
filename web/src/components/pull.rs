//! The pull command, for the client that people have.

use leptos::prelude::*;
use store::queries::Owner;
use types::{Did, OciName};
use url::Url;

use super::words;
use crate::{address, app::Visit};

/// The clients, and how each is told to speak HTTP without TLS.
const CLIENTS: [(&str, &str, &str); 5] = [
    ("docker", "docker pull", ""),
    ("podman", "podman pull", " --tls-verify=false"),
    ("buildah", "buildah pull", " --tls-verify=false"),
    ("nerdctl", "nerdctl pull", " --insecure-registry"),
    ("crane", "crane manifest", " --insecure"),
];

/// An image reference: `host/owner/name:tag` or `…@sha256:…`; `None` for an owner whom docker's grammar cannot write.
pub fn reference(public_url: &Url, owner: &Owner, name: &OciName, tag_or_digest: &str) -> Option<String> {
    let host = match (public_url.host_str()?, public_url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let owner = match &owner.handle {
        Some(handle) => handle.clone(),
        None => owner.did.parse::<Did>().ok()?.escaped()?,
    };
    let separator = if tag_or_digest.contains(':') { '@' } else { ':' };
    Some(format!("{host}/{owner}/{name}{separator}{tag_or_digest}"))
}

/// The command with a switch of clients: plain links that keep the rest of the address.
pub fn pull(visit: &Visit, reference: &str) -> AnyView {
    let asked = visit.query("client");
    let chosen = CLIENTS.iter().find(|(name, ..)| *name == asked).unwrap_or(&CLIENTS[0]);
    let (name, command, insecure) = *chosen;
    let plain = visit.web.config().public_url.scheme() == "http";
    let command = format!("{command}{} {reference}", if plain { insecure } else { "" });
    let link = |client: &'static str| {
        let parameters = [("client", client), ("tab", visit.query("tab")), ("tag", visit.query("tag"))];
        let current = (client == name).then_some("true");
        view! { <li><a href=address::with_query(&visit.path, &parameters) aria-current=current rel="nofollow">{client}</a></li> }
    };
    view! {
        <section class="pull" aria-labelledby="pull">
            <div class="pull-head">
                <h2 id="pull">"Pull"</h2>
                <ul class="clients" aria-label="Client">{CLIENTS.map(|(client, ..)| link(client)).collect_view()}</ul>
            </div>
            <div class="command"><code>{command.clone()}</code>{words::copy(command, "the command")}</div>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use store::queries::Owner;

    use super::reference;

    #[test]
    fn references_are_what_docker_takes() {
        let url = "http://127.0.0.1:5000".parse().unwrap();
        let name = "team/app".parse().unwrap();
        let owner = |handle: Option<&str>| Owner { did: "did:plc:abc".into(), handle: handle.map(Into::into) };
        let made = |owner: Owner, what| reference(&url, &owner, &name, what).unwrap();
        assert_eq!(made(owner(Some("alice.test")), "v1"), "127.0.0.1:5000/alice.test/team/app:v1");
        assert_eq!(made(owner(None), "sha256:aa"), "127.0.0.1:5000/did_plc_abc/team/app@sha256:aa");
    }
}
