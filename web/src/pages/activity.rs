use leptos::prelude::*;
use store::queries::{ActivityAsked, TagEvent};

use super::{repository::Repository, tags::cursor_of};
use crate::{
    address,
    app::Visit,
    components::{icon::Icon, ways::Ways, words},
    error::WebError,
    text::format,
};

/// Rows on one page.
const PAGE_SIZE: u32 = 25;

/// What happened to a repository's tags, the newest first.
pub async fn section(visit: &Visit, repository: &Repository) -> Result<AnyView, WebError> {
    let mut asked = ActivityAsked {
        after: cursor_of(visit.query("cursor"))?,
        before: cursor_of(visit.query("before"))?,
        limit: PAGE_SIZE,
    };
    let (reader, did) = (visit.web.reader(), &repository.account.did);
    let mut page = reader.activity(did, &repository.name, &asked).await?;
    if asked.before.is_some() && page.previous.is_none() {
        // The first page is shown whole.
        asked = ActivityAsked { limit: PAGE_SIZE, ..ActivityAsked::default() };
        page = reader.activity(did, &repository.name, &asked).await?;
    }
    let is_first = asked.after.is_none() && asked.before.is_none();
    let to = |more: &[(&str, &str)]| {
        let parameters: Vec<_> = [("tab", "activity")].into_iter().chain(more.iter().copied()).collect();
        address::with_query(&repository.path(), &parameters)
    };
    let ways = Ways {
        first: (!is_first).then(|| to(&[])),
        previous: page.previous.as_ref().map(|previous| to(&[("before", &previous.to_string())])),
        next: page.next.as_ref().map(|next| to(&[("cursor", &next.to_string())])),
    };
    if page.items.is_empty() {
        let what = if is_first { "Nobody has tagged anything here." } else { "Nothing is older than that." };
        return Ok(view! { <p class="empty">{what}</p> {ways.draw_as(WAYS)} }.into_any());
    }
    let events = page.items.iter().map(|event| row(repository, event)).collect_view();
    let view = view! {
        <h2 class="hidden">"Activity"</h2>
        <p class="muted count">"Tags as they were pushed, moved and removed, as far as the index has seen it."</p>
        <ol class="activity">{events}</ol>
        {ways.draw_as(WAYS)}
    };
    Ok(view.into_any())
}

const WAYS: [&str; 3] = ["The newest", "Newer", "Older"];

fn row(repository: &Repository, event: &TagEvent) -> AnyView {
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let link = |digest: &Option<String>| match digest {
        Some(digest) => view! { <a href=address::manifest(owner, name, digest)>{words::digest(digest)}</a> }.into_any(),
        None => view! { <span class="muted">"a manifest that is not known"</span> }.into_any(),
    };
    let moved = event.was.as_ref().filter(|was| event.digest.as_ref() != Some(was)).zip(event.digest.as_ref());
    let what = match (event.removed, moved) {
        (true, _) => view! { "removed, it was " {link(&event.digest)} }.into_any(),
        (false, Some((was, now))) => {
            let compare = address::compare(owner, name, was, now);
            let label = format!("compare {} with {}", format::short_digest(was), format::short_digest(now));
            view! {
                "moved to " {link(&event.digest)} " from " {link(&event.was)} " "
                <a href=compare rel="nofollow" aria-label=label>"compare"</a>
            }
            .into_any()
        }
        (false, None) => view! { "pushed, " {link(&event.digest)} }.into_any(),
    };
    let tag = if event.removed {
        view! { <b class="tag">{event.tag.clone()}</b> }.into_any()
    } else {
        let href = address::with_query(&repository.path(), &[("tag", &event.tag)]);
        view! { <b class="tag"><a href=href>{event.tag.clone()}</a></b> }.into_any()
    };
    view! {
        <li>
            <span class="activity-when muted">{words::age(event.at)}</span>
            <span class="activity-what">{Icon::Tag.draw()} " " {tag} " " {what}</span>
        </li>
    }
    .into_any()
}
