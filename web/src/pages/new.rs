use leptos::prelude::*;
use store::queries::{Place, RepositoryItem};

use crate::{
    address,
    app::{Answer, Page, Visit},
    components::row::row,
    error::WebError,
    place,
};

/// Rows on one page.
const PAGE_SIZE: i64 = 20;

/// What was pushed last, page by page; a page stays the same, whatever comes meanwhile.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let after = place::read(visit.query("after"))?;
    let items = visit.web.reader().newest(after.as_ref(), PAGE_SIZE + 1).await?;
    let (shown, rest) = items.split_at(items.len().min(usize::try_from(PAGE_SIZE).unwrap_or_default()));
    let older = (!rest.is_empty()).then(|| shown.last().and_then(Place::of)).flatten().map(|last| {
        let href = address::with_query("/new", &[("after", &place::write(&last))]);
        view! { <a href=href rel="next">"Older"</a> }
    });
    let is_first = after.is_none();
    let first = (!is_first).then(|| view! { <a href="/new" rel="prev">"The newest"</a> });
    let list = match (is_first, shown.is_empty()) {
        (true, _) => live(shown, PAGE_SIZE).into_any(),
        (false, true) => view! { <p class="empty">"Nothing is older than that."</p> }.into_any(),
        (false, false) => {
            view! { <ol class="rows">{shown.iter().map(|item| row(item, "")).collect_view()}</ol> }.into_any()
        }
    };
    let body = view! {
        <div class="page-head">
            <h1>"What’s new"</h1>
            {is_first.then(switch)}
        </div>
        <p class="muted lead">"Images in the order in which they were pushed or tagged, by their owners’ clocks."</p>
        <h2 class="hidden">"Repositories"</h2>
        {list}
        <nav class="pages" aria-label="Pages">{first} {older}</nav>
    };
    let mut page = Page::new("What’s new", "/new", body);
    page.description = Some("Container images that were published on the AT Protocol a moment ago.".to_owned());
    Ok(page.into())
}

/// Says whether the list moves, and stops it; nothing of it is there without the script.
pub fn switch() -> impl IntoView {
    view! {
        <p class="live">
            <span class="live-state" data-live-state="" role="status"></span>
            <button type="button" class="copy" data-live-pause="" hidden=true>"Pause"</button>
        </p>
    }
}

/// A list that moves by itself; it never holds more than `most`.
pub fn live(items: &[RepositoryItem], most: i64) -> impl IntoView + use<> {
    let after = items.iter().find_map(Place::of).map(|place| place::write(&place)).unwrap_or_default();
    view! {
        <ol class="rows" data-live="/new/events" data-after=after data-most=most.to_string()>
            {items.iter().map(|item| row(item, "")).collect_view()}
        </ol>
        <p class="empty until">"Nothing yet. An image shows up here within a second of being published."</p>
    }
}
