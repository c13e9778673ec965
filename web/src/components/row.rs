//! A repository in a list.

use leptos::prelude::*;
use store::queries::RepositoryItem;

use super::{avatar, facets::kind_name, facts, icon::Icon, words};
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
    // What cosign tags after an image is for machines.
    let tag = item.updated_tag.clone().filter(|tag| !tag.starts_with("sha256-"));
    let pushed = item.updated_at.map(|time| {
        let tag = tag.map(|tag| view! { {Icon::Tag.draw()} <span class="pushed">{tag}</span> });
        view! { <li>{tag} {words::age(time)}</li> }
    });
    // What nearly everything is needs no word.
    let kind = item.kind.as_deref().filter(|kind| *kind != "image").map(|kind| kind_name(kind).to_owned());
    let (pulls, whose) = match item.pulls {
        0 => (item.claimed_pulls, "By its holds’ own count"),
        ours => (ours, "Through this index"),
    };
    view! {
        <li class="row">
            {avatar::small(&item.owner.did, item.avatar_cid.as_deref())}
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
                    {kind.map(|kind| view! { <li>{kind}</li> })}
                    {pushed}
                    {(!item.platforms.0.is_empty()).then(|| view! { <li>{facts::platforms(&item.platforms.0)}</li> })}
                    {(item.stars > 0).then(|| view! {
                        <li class="stars">{Icon::Star.draw()} {words::count(item.stars.into())} <span class="hidden">" stars"</span></li>
                    })}
                    {(pulls > 0).then(|| view! {
                        <li title=whose>{Icon::Pull.draw()} {words::count(pulls)} <span class="hidden">" pulls"</span></li>
                    })}
                </ul>
            </div>
        </li>
    }
}

/// The text with each place marked where it has a word of the query.
fn marked(text: &str, query: &str) -> AnyView {
    // ASCII lower case moves no byte, so that places in one are places in the other.
    let (lower, query) = (text.to_ascii_lowercase(), query.to_ascii_lowercase());
    let mut words: Vec<&str> = query.split_whitespace().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let (mut parts, mut begin, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let hit = words.iter().find(|word| lower[at..].starts_with(**word)).map_or(0, |word| word.len());
        if hit > 0 {
            parts.push((false, &text[begin..at]));
            parts.push((true, &text[at..at + hit]));
            begin = at + hit;
            at = begin;
        } else {
            at += lower[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    parts.push((false, &text[begin..]));
    let part = |(is_hit, part): (bool, &str)| {
        let part = format::shown(part);
        if is_hit { view! { <mark>{part}</mark> }.into_any() } else { part.into_any() }
    };
    // An empty text becomes a space in Leptos.
    parts.into_iter().filter(|(_, part)| !part.is_empty()).map(part).collect_view().into_any()
}

#[cfg(test)]
mod tests {
    use leptos::prelude::RenderHtml as _;

    use super::marked;

    #[test]
    fn every_word_is_marked_where_it_is() {
        let html = |text, query| marked(text, query).to_html().replace("<!>", "");
        assert_eq!(html("Hello-World", "world hello"), "<mark>Hello</mark>-<mark>World</mark>");
        assert_eq!(html("helloworld", "hell hello"), "<mark>hello</mark>world");
        assert_eq!(html("ünï-app", "app"), "ünï-<mark>app</mark>");
        assert_eq!(html("<b>", "x"), "&lt;b&gt;");
    }
}
