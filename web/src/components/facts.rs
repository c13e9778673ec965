//! Facts beside a repository or a manifest.

use leptos::prelude::*;
use store::queries::HoldView;
use url::Url;

use super::words;
use crate::{address, text::format};

/// One fact: a name and what is known.
pub fn fact(name: &'static str, value: impl IntoAny) -> AnyView {
    view! { <div class="fact"><dt>{name}</dt><dd>{value.into_any()}</dd></div> }.into_any()
}

/// Where the blobs are, and whether it answers.
pub fn hold(did: &str, hold: Option<&HoldView>) -> AnyView {
    let state = match hold.map(|hold| (hold.reachable, hold.public)) {
        Some((Some(false), _)) => view! { <span class="bad">"does not answer"</span> }.into_any(),
        Some((_, Some(false))) => view! { <span class="warn">"private: pulls need a sign-in"</span> }.into_any(),
        Some((Some(true), _)) => view! { <span class="good">"answers"</span> }.into_any(),
        _ => view! { <span class="muted">"not asked yet"</span> }.into_any(),
    };
    fact("Hold", view! { <a href=address::hold(did)><code class="wrap">{format::shown(did)}</code></a> " " {state} })
}

/// A stranger's link: only to the web, and marked as theirs.
pub fn link(text: &str) -> AnyView {
    let web = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    match web {
        Some(url) => {
            let label = format::shown(text.trim_start_matches("https://").trim_end_matches('/'));
            view! { <a class="wrap" href=url.to_string() rel="nofollow ugc noopener">{label}</a> }.into_any()
        }
        None => view! { <span class="wrap">{format::shown(text)}</span> }.into_any(),
    }
}

/// Platforms as small labels.
pub fn platforms(platforms: &[String]) -> AnyView {
    let labels = platforms.iter().map(|platform| view! { <li>{format::shown(platform)}</li> }).collect_view();
    view! { <ul class="labels" aria-label="Platforms">{labels}</ul> }.into_any()
}

/// Tags as links into their repository.
pub fn tags(owner: &str, name: &str, tags: &[String]) -> AnyView {
    let link = |tag: &String| {
        let href = address::with_query(&address::repository(owner, name), &[("tag", tag)]);
        view! { <li><a href=href>{tag.clone()}</a></li> }
    };
    view! { <ul class="labels" aria-label="Tags">{tags.iter().map(link).collect_view()}</ul> }.into_any()
}

/// Pulls: those that we served, and what holds claim, which nobody can check.
pub fn pulls(ours: i64, claimed: i64) -> AnyView {
    let claimed = (claimed > 0).then(|| view! { ", " {words::count(claimed)} " by its holds’ own count" });
    view! { {words::count(ours)} " " <span class="muted">"through this index" {claimed}</span> }.into_any()
}

/// Compressed size.
pub fn size(bytes: i64) -> AnyView {
    fact("Compressed size", words::size(bytes))
}
