//! The pull command, for the client that people have.

use leptos::prelude::*;
use store::queries::Owner;
use types::{Did, OciName};
use url::Url;

use super::words;
use crate::{address, app::Visit};

struct Client {
    name: &'static str,
    /// What comes before the reference.
    command: &'static str,
    /// How it is told to speak HTTP without TLS.
    insecure: &'static str,
    /// What comes after the reference.
    target: &'static str,
}

const CLIENTS: [Client; 5] = [
    Client { name: "docker", command: "docker pull", insecure: "", target: "" },
    Client { name: "podman", command: "podman pull", insecure: " --tls-verify=false", target: "" },
    Client { name: "buildah", command: "buildah pull", insecure: " --tls-verify=false", target: "" },
    Client { name: "nerdctl", command: "nerdctl pull", insecure: " --insecure-registry", target: "" },
    Client { name: "crane", command: "crane pull", insecure: " --insecure", target: " image.tar" },
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
    let chosen = CLIENTS.iter().find(|client| client.name == asked).unwrap_or(&CLIENTS[0]);
    let plain = visit.web.config().public_url.scheme() == "http";
    let insecure = if plain { chosen.insecure } else { "" };
    let command = format!("{}{insecure} {reference}{}", chosen.command, chosen.target);
    let link = |client: &'static str| {
        let parameters = [("client", client), ("tab", visit.query("tab")), ("tag", visit.query("tag"))];
        let current = (client == chosen.name).then_some("true");
        view! { <li><a href=address::with_query(&visit.path, &parameters) aria-current=current rel="nofollow">{client}</a></li> }
    };
    let clients = view! {
        <ul class="clients" aria-label="Client">{CLIENTS.iter().map(|client| link(client.name)).collect_view()}</ul>
    };
    command_box(clients.into_any(), command)
}

/// The command for a Helm chart: by the first of the tags that Helm takes as a version, or else by digest.
pub fn chart<'a>(visit: &Visit, by_digest: &str, mut tags: impl Iterator<Item = &'a str>) -> AnyView {
    let plain = if visit.web.config().public_url.scheme() == "http" { " --plain-http" } else { "" };
    let repository = by_digest.split('@').next().unwrap_or_default();
    let command = match tags.find(|tag| is_chart_version(tag)) {
        // Helm writes `_` for the `+` of a version, which a tag cannot hold.
        Some(tag) => format!("helm pull{plain} oci://{repository} --version {}", tag.replace('_', "+")),
        None => format!("helm pull{plain} oci://{by_digest}"),
    };
    command_box(view! { <span class="muted">"Helm chart"</span> }.into_any(), command)
}

/// A version as Helm takes it from a tag: three numbers first, no `v`.
fn is_chart_version(tag: &str) -> bool {
    let core: Vec<&str> = tag.split(['-', '_']).next().unwrap_or_default().split('.').collect();
    core.len() == 3 && core.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn command_box(beside: AnyView, command: String) -> AnyView {
    view! {
        <section class="pull" aria-labelledby="pull">
            <div class="pull-head">
                <h2 id="pull">"Pull"</h2>
                {beside}
            </div>
            <div class="command"><code>{command.clone()}</code>{words::copy(command, "the command")}</div>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use store::queries::Owner;

    use super::{is_chart_version, reference};

    #[test]
    fn helm_takes_full_versions_only() {
        let taken = ["latest", "1.2", "v1.2.3", "1..3", "0.3.1", "1.2.3-rc.1", "1.2.3_build"].map(is_chart_version);
        assert_eq!(taken, [false, false, false, false, true, true, true]);
    }

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
