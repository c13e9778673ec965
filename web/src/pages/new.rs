use leptos::prelude::*;
use store::queries::{Place, RepositoryItem};

use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{row::row, ways::Ways},
    error::WebError,
    place,
};

/// Rows on one page.
const PAGE_SIZE: i64 = 20;

/// What was pushed last, page by page; a page stays the same, whatever comes meanwhile.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let reader = visit.web.reader();
    let size = usize::try_from(PAGE_SIZE).unwrap_or_default();
    let (before, after) = (place::read(visit.query("before"))?, place::read(visit.query("after"))?);
    let is_first = before.is_none() && after.is_none();
    let (shown, has_older) = match before {
        Some(before) => {
            let mut items = reader.newest_before(&before, PAGE_SIZE + 1).await?;
            if items.len() <= size {
                return Ok(Answer::Redirect("/new".to_owned()));
            }
            (items.split_off(1), true)
        }
        None => {
            let mut items = reader.newest(after.as_ref(), PAGE_SIZE + 1).await?;
            let has_older = items.len() > size;
            items.truncate(size);
            (items, has_older)
        }
    };
    let shown = shown.as_slice();
    let link = |way, item: Option<&RepositoryItem>| {
        let place = item.and_then(Place::of)?;
        Some(address::with_query("/new", &[(way, &place::write(&place))]))
    };
    let ways = Ways {
        first: (!is_first).then(|| "/new".to_owned()),
        previous: link("before", shown.first().filter(|_| !is_first)),
        next: link("after", shown.last().filter(|_| has_older)),
    };
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
        <p class="muted lead">
            "Images in the order in which they were pushed or tagged, by their owners’ clocks. Also as "
            <a href="/new.atom" type="application/atom+xml">"a feed"</a>"."
        </p>
        <h2 class="hidden">"Repositories"</h2>
        {list}
        {ways.draw_as(["The newest", "Newer", "Older"])}
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
