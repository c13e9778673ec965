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
                disappears here too."
            </p>
        </article>
    };
    Ok(Page::new("About", "/about", body).into())
}
