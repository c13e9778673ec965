//! A repository in a list.

use leptos::prelude::*;
use store::queries::RepositoryItem;

use super::{facts, flag::flag, icon::Icon, words};
use crate::{address, text::format};

/// Repositories, one below the other; what matches `query` is marked.
pub fn rows(items: &[RepositoryItem], query: &str) -> AnyView {
    view! { <ol class="rows">{items.iter().map(|item| row(item, query)).collect_view()}</ol> }.into_any()
}

/// One of them, as what is new comes in.
pub fn row(item: &RepositoryItem, query: &str) -> impl IntoView + use<> {
    let owner = item.owner.name();
    let href = address::repository(owner, &item.name);
    let description = item.description.as_deref().map(format::shown);
    let tag = item.latest_tag.clone();
    let (pulls, whose) = match item.pulls {
        0 => (item.claimed_pulls, "By its holds’ own count"),
        ours => (ours, "Through this index"),
    };
    view! {
        <li class="row">
            {flag(&item.owner.did)}
            <div class="row-text">
                <h3 class="row-name">
                    <a href=href>
                        <span class="row-owner">{marked(owner, query)}"/"</span>
                        <wbr/>
                        <bdi>{marked(&item.name, query)}</bdi>
                    </a>
                </h3>
                {description.map(|text| view! { <p class="row-about" dir="auto">{text}</p> })}
                <ul class="row-facts">
                    {(!item.pullable).then(|| view! { <li class="warn">"not pullable"</li> })}
                    {tag.map(|tag| view! { <li>{Icon::Tag.draw()} {tag}</li> })}
                    {(!item.platforms.0.is_empty()).then(|| view! { <li>{facts::platforms(&item.platforms.0)}</li> })}
                    {(item.stars > 0).then(|| view! {
                        <li class="stars">{Icon::Star.draw()} {words::count(item.stars.into())} <span class="hidden">" stars"</span></li>
                    })}
                    {(pulls > 0).then(|| view! {
                        <li title=whose>{Icon::Pull.draw()} {words::count(pulls)} <span class="hidden">" pulls"</span></li>
                    })}
                    {item.updated_at.map(|time| view! { <li>{words::age(time)}</li> })}
                </ul>
            </div>
        </li>
    }
}

/// The text with the query's first place in it marked.
fn marked(text: &str, query: &str) -> AnyView {
    let query = query.trim().to_ascii_lowercase();
    // ASCII lower case moves no byte, so that places in one are places in the other.
    let found = if query.is_empty() { None } else { text.to_ascii_lowercase().find(&query) };
    match found {
        Some(start) => {
            let (before, rest) = text.split_at(start);
            let (hit, after) = rest.split_at(query.len());
            // An empty text becomes a space in Leptos.
            let [before, hit, after] = [before, hit, after].map(|text| (!text.is_empty()).then(|| format::shown(text)));
            view! { {before}<mark>{hit}</mark>{after} }.into_any()
        }
        None => format::shown(text).into_any(),
    }
}
