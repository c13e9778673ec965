use leptos::prelude::*;

use crate::{
    app::{Answer, Page, Visit},
    error::WebError,
};

/// What this is, and what it is not.
pub async fn page(_: Visit) -> Result<Answer, WebError> {
    let body = view! {
        <article class="readme">
            <h1>"About crowsnest"</h1>
            <p>
                "People publish container images on the AT Protocol: each push writes records into the publisher’s own
                repository, and the layers go to a hold of their choice. crowsnest watches the network for these records,
                keeps an index of them, and serves that index two ways: these pages, and an OCI pull API for docker, podman,
                containerd and everything else that speaks it."
            </p>
            <h2>"What it keeps"</h2>
            <p>
                "Records as they were published, the bytes of manifests, and small image configurations. Layers stay where
                their publishers put them; a pull is sent on to the hold. Every byte served under a digest was hashed first."
            </p>
            <h2>"What you can check"</h2>
            <p>
                "Each page says which record it comes from. The " <a href="/status">"status page"</a> " shows a fingerprint of all
                records: whoever indexes the same records gets the same one."
            </p>
            <h2>"Whose words these are"</h2>
            <p>
                "Names, descriptions and READMEs are their owners’. When an account is deleted or hidden by its host, it
                disappears here too. What is kept of those who read is said on the " <a href="/privacy">"privacy page"</a> "."
            </p>
            <h2 id="api">"For programs"</h2>
            <p>"Everything on these pages is there as JSON too, without a key. Lists go on at " <code>"next"</code> ", errors are " <code>"{error, message}"</code> "."</p>
            <dl>
                {api("/api/v1/search?q=", "What a search finds.")}
                {api("/api/v1/repositories/{owner}/{repository}", "A repository; /tags, /tags/{tag}/history and /manifests/{digest} below it. A slash in a name is %2F.")}
                {api("/api/v1/users/{owner}", "What an owner publishes; /stars: what they star.")}
                {api("/api/v1/holds", "Every hold, and whether it answers; one by its DID below it.")}
                {api("/api/v1/events", "What is new, as it comes: server-sent events, which go on where they were cut by Last-Event-ID.")}
                {api("/new.atom", "The same as a feed.")}
                {api("/api/v1/status", "How fresh the index is, what it reads, its fingerprint.")}
                {api("/v2/", "The pull side of the OCI distribution specification 1.1.")}
            </dl>
        </article>
    };
    let mut page = Page::new("About", "/about", body);
    page.description = Some("What crowsnest is, what it keeps, and what you can check.".to_owned());
    Ok(page.into())
}

fn api(path: &'static str, what: &'static str) -> impl IntoView {
    view! { <dt><code class="wrap">{path}</code></dt> <dd>{what}</dd> }
}
