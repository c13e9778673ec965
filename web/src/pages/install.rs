use leptos::prelude::*;

use crate::{
    app::{Answer, Page, Visit},
    components::words,
    error::WebError,
};

/// How to point a client at us.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let url = &visit.web.config().public_url;
    let host = url.authority().to_owned();
    let plain = url.scheme() == "http";
    let command = |command: String| {
        view! { <div class="command"><code>{command.clone()}</code>{words::copy(command, "the command")}</div> }
    };
    let podman = if plain { " --tls-verify=false" } else { "" };
    let containerd = if plain { " --plain-http" } else { "" };
    let image = format!("{host}/alice.example/app:latest");
    let body = view! {
        <article class="readme">
            <h1>"Pull from any client"</h1>
            <p>
                "There is nothing to install. An image’s name is this host, its owner’s handle, and the repository: "
                <code>{image.clone()}</code> ". An owner without a handle is written as an escaped DID, such as "
                <code>"did_plc_abc123"</code> "."
            </p>
            <h2>"docker"</h2>
            {command(format!("docker pull {image}"))}
            <h2>"podman"</h2>
            {command(format!("podman pull{podman} {image}"))}
            <h2>"containerd"</h2>
            {command(format!("ctr images pull{containerd} {image}"))}
            <h2>"Kubernetes"</h2>
            <pre tabindex="0"><code>"containers:\n  - name: app\n    image: " {image}</code></pre>
            <h2>"When a pull fails"</h2>
            <dl>
                <dt><code>"name unknown"</code></dt>
                <dd>"The owner or the repository is not in the index. The full handle is needed, dots and all."</dd>
                <dt><code>"manifest unknown"</code></dt>
                <dd>"The repository is here, the tag is not. Its page lists the tags that there are."</dd>
                <dt><code>"unauthorized"</code></dt>
                <dd>"The layers are on a private hold, whose crew alone may read them."</dd>
                <dt><code>"503"</code></dt>
                <dd>"The hold that keeps the layers does not answer. The repository’s page says since when."</dd>
            </dl>
        </article>
    };
    Ok(Page::new("Install", "/install", body).into())
}
