use leptos::prelude::*;

use crate::{
    app::{Answer, Page, Visit},
    components::words,
    error::WebError,
};

/// How to point a client at us, and what to do when a pull fails.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let url = &visit.web.config().public_url;
    let host = url.authority().to_owned();
    let plain = url.scheme() == "http";
    let image = format!("{host}/alice.example/app:latest");
    let body = view! {
        <article class="readme">
            <h1>"Pull from any client"</h1>
            <p>
                "There is nothing to install, and no account to make. An image’s name is this host, its owner’s handle, and the repository: "
                <code>{image.clone()}</code> ". An owner without a handle is written as an escaped DID, such as "
                <code>"did_plc_abc123"</code> ". Each repository’s page has the command, ready to be copied."
            </p>
            <nav aria-label="On this page">
                <ul class="labels">
                    {[("docker", "docker"), ("podman", "podman"), ("containerd", "containerd"), ("kubernetes", "Kubernetes"),
                      ("mirror", "As a mirror"), ("private", "Private images"), ("troubleshooting", "When a pull fails")]
                        .map(|(id, label)| view! { <li><a href=format!("#{id}")>{label}</a></li> }).collect_view()}
                </ul>
            </nav>
            {clients(&host, &image, plain)}
            {mirror(&host, plain)}
            <h2 id="private">"Private images"</h2>
            <p>
                "Some holds let in their crew alone. Sign in with your full handle and an app password, which your account’s settings
                make; it goes to your own server and is kept nowhere here."
            </p>
            {command(format!("docker login {host}"))}
            {troubleshooting(&host, plain)}
        </article>
    };
    let mut page = Page::new("Install", "/install", body);
    page.description = Some(
        "How to pull container images of the AT Protocol with docker, podman, containerd and Kubernetes.".to_owned(),
    );
    Ok(page.into())
}

fn command(command: String) -> impl IntoView {
    view! { <div class="command"><code>{command.clone()}</code>{words::copy(command, "the command")}</div> }
}

fn file(text: String) -> impl IntoView {
    view! { <pre tabindex="0"><code>{text}</code></pre> }
}

fn clients(host: &str, image: &str, plain: bool) -> impl IntoView + use<> {
    let podman = if plain { " --tls-verify=false" } else { "" };
    let containerd = if plain { " --plain-http" } else { "" };
    // docker takes plain HTTP of this very machine, and of whom it is told.
    let loopback = host.starts_with("127.") || host.starts_with("localhost");
    let insecure = (plain && !loopback).then(|| {
        view! {
            <p>"This host speaks plain HTTP. docker has to be told so, in " <code>"/etc/docker/daemon.json"</code> ":"</p>
            {file(format!("{{ \"insecure-registries\": [\"{host}\"] }}"))}
        }
    });
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: app\nspec:\n  containers:\n    - name: app\n      image: {image}"
    );
    view! {
        <h2 id="docker">"docker"</h2>
        {command(format!("docker pull {image}"))}
        {insecure}
        <h2 id="podman">"podman"</h2>
        {command(format!("podman pull{podman} {image}"))}
        <h2 id="containerd">"containerd"</h2>
        {command(format!("ctr images pull{containerd} {image}"))}
        <p>"or, as Kubernetes and nerdctl do:"</p>
        {command(format!("nerdctl pull{} {image}", if plain { " --insecure-registry" } else { "" }))}
        <h2 id="kubernetes">"Kubernetes"</h2>
        {file(pod)}
    }
}

fn mirror(host: &str, plain: bool) -> impl IntoView + use<> {
    let scheme = if plain { "http" } else { "https" };
    let containerd = format!(
        "server = \"https://atcr.io\"\n\n[host.\"{scheme}://{host}\"]\n  capabilities = [\"pull\", \"resolve\"]"
    );
    let insecure = if plain { "\ninsecure = true" } else { "" };
    let podman =
        format!("[[registry]]\nlocation = \"atcr.io\"\n\n[[registry.mirror]]\nlocation = \"{host}\"{insecure}");
    view! {
        <h2 id="mirror">"As a mirror of atcr.io"</h2>
        <p>
            "The names are those of atcr.io, so that a client which is told of a mirror pulls the same image by the same reference, also
            while its owner’s server is down. containerd, and so Kubernetes, in " <code>"/etc/containerd/certs.d/atcr.io/hosts.toml"</code> ":"
        </p>
        {file(containerd)}
        <p>"podman, skopeo and buildah, in " <code>"/etc/containers/registries.conf.d/atcr.conf"</code> ":"</p>
        {file(podman)}
        <p>"docker knows mirrors of Docker Hub alone: pull from this host by its own name."</p>
    }
}

/// By what the client says, since that is what people have before them.
fn troubleshooting(host: &str, plain: bool) -> impl IntoView + use<> {
    let https = plain.then(|| {
        entry(
            &["server gave HTTP response to HTTPS client", "http: server gave HTTP response"],
            "This host speaks plain HTTP, and your client expects TLS. Tell it so, as the commands above do."
                .into_any(),
        )
    });
    view! {
        <h2 id="troubleshooting">"When a pull fails"</h2>
        <p>"Look for what your client says. The message after it names who is at fault."</p>
        <dl class="trouble">
            {names(host)}
            {access()}
            {https}
            {entry(&["unsupported", "405 Method Not Allowed"], view! {
                "This host is for pulls. Push to atcr.io, and the image is here within a second."
            }.into_any())}
        </dl>
    }
}

fn entry(says: &'static [&'static str], means: AnyView) -> AnyView {
    view! {
        <dt>{says.iter().map(|says| view! { <code class="says">{*says}</code> " " }).collect_view()}</dt>
        <dd>{means}</dd>
    }
    .into_any()
}

/// What cannot be found.
fn names(host: &str) -> AnyView {
    let full = format!("{host}/alice.example/app");
    view! {
        {entry(&["name unknown", "NAME_UNKNOWN", "repository does not exist"], view! {
            "Neither the index nor the owner’s own server has it. Check the handle: an account that is deactivated or taken down is not served."
        }.into_any())}
        {entry(&["NAME_INVALID", "invalid reference format"], view! {
            "The owner’s handle has to be there in full, dots and all: " <code>{full}</code> ". A name with capital letters can be shown here but no client can pull it."
        }.into_any())}
        {entry(&["manifest unknown", "not found: manifest", "MANIFEST_UNKNOWN"], view! {
            "The repository is there, the tag is not, or not any more. Its page lists the tags that there are; without one, clients ask for "
            <code>"latest"</code> "."
        }.into_any())}
        {entry(&["no matching manifest for linux/arm64", "no image found in manifest list for architecture"], view! {
            "The image was not made for your machine’s platform. Its page says for which it was: try "
            <code>"--platform linux/amd64"</code> "."
        }.into_any())}
    }
    .into_any()
}

/// What may not be read, or cannot be at the moment.
fn access() -> AnyView {
    view! {
        {entry(&["unauthorized", "authentication required", "no basic auth credentials", "pull access denied"], view! {
            "The layers are on a private hold. " <a href="#private">"Sign in first"</a> ", with a full handle and an app password."
        }.into_any())}
        {entry(&["denied", "DENIED", "403 Forbidden"], view! {
            "You are signed in, and the hold does not let you read. Ask its captain, whom the hold’s page names, for "
            <code>"blob:read"</code> "."
        }.into_any())}
        {entry(&["503 Service Unavailable", "does not answer, since"], view! {
            "The hold that keeps the layers is down. " <a href="/holds">"Its page"</a> " says since when; try again later."
        }.into_any())}
        {entry(&["blob unknown", "BLOB_UNKNOWN"], view! {
            "The hold has lost a layer. Its owner has to push the image again."
        }.into_any())}
        {entry(&["502 Bad Gateway", "MANIFEST_INVALID", "unexpected EOF"], view! {
            "Another server sent what does not hash to its digest, or nothing usable. It is never passed on; the message names the server."
        }.into_any())}
        {entry(&["toomanyrequests", "429 Too Many Requests"], view! {
            "Too many requests from your address. Wait as long as " <code>"Retry-After"</code> " says."
        }.into_any())}
    }
    .into_any()
}
