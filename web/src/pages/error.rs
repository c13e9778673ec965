use leptos::prelude::*;

use crate::{address, app::Page, error::WebError, text::format};

/// Says what was not found or what failed, and what to do.
pub fn page(error: &WebError) -> Page {
    error.log();
    let (heading, help) = advice(error);
    let code = error.status();
    let message = format::shown(&error.to_string());
    let body = view! {
        <div class="oops">
            <p class="code">{code.as_u16()}</p>
            <h1>{heading}</h1>
            <p class="wrap"><bdi>{message}</bdi></p>
            {help}
        </div>
    };
    Page::new(heading, "", body)
}

fn advice(error: &WebError) -> (&'static str, AnyView) {
    match error {
        WebError::NoPage { path } => ("Nothing is here", view! { {search_for(last_part(path))} {start()} }.into_any()),
        WebError::NoOwner { owner } => (
            "Unknown account",
            view! {
                <p>"It may never have published an image, or its handle may have changed: its DID works here too."</p>
                {search_for(owner)}
            }
            .into_any(),
        ),
        WebError::Hidden { .. } => (
            "Not shown",
            view! { <p>"When its host shows it again, so do we: nothing of it was deleted here."</p> {start()} }.into_any(),
        ),
        WebError::NoRepository { owner, name } => (
            "Unknown repository",
            view! { <p><a href=address::user(owner)>"See what " {format::shown(owner)} " publishes"</a></p> {search_for(name)} }
                .into_any(),
        ),
        WebError::NoTag { owner, name, .. } => {
            let tags = address::with_query(&address::repository(owner, name), &[("tab", "tags")]);
            let help = view! {
                <p>"It may have been deleted; its manifest may still be there by digest."</p>
                <p><a href=tags>"See the tags that there are"</a></p>
            };
            ("Unknown tag", help.into_any())
        }
        WebError::NoManifest { owner, name, .. } => {
            let repository = address::repository(owner, name);
            ("Unknown manifest", view! { <p><a href=repository>"Back to " {format::shown(name)}</a></p> }.into_any())
        }
        WebError::NoHold { .. } => (
            "Unknown hold",
            view! { <p>"No image that the index knows of is kept there, and nobody declared it. " <a href="/holds">"See every hold"</a></p> }
                .into_any(),
        ),
        WebError::BadRequest(_) => ("That cannot be asked", start()),
        WebError::Busy => ("Too many at once", view! { <p>"Try again in a minute."</p> }.into_any()),
        WebError::Store(_) => (
            "Something broke on our side",
            view! {
                <p>"Try again in a moment. Pulls are served by the same index and may fail too until it is back."</p>
                <p>"If it stays so, " <a href="/status">"the status page"</a> " may say more, or be gone too."</p>
            }
            .into_any(),
        ),
    }
}

/// What somebody who typed an address may have meant.
fn last_part(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

fn search_for(text: &str) -> AnyView {
    let href = address::with_query("/search", &[("q", text)]);
    view! { <p><a href=href>"Search for “" {format::shown(text)} "”"</a></p> }.into_any()
}

fn start() -> AnyView {
    view! { <p><a href="/">"Start at the first page"</a>" or "<a href="/explore">"explore"</a>"."</p> }.into_any()
}
