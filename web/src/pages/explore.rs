use leptos::prelude::*;
use store::queries::{Facet, Facets, SearchAsked};
use types::search::{Query, Sort};

use super::home::list;
use crate::{
    app::{Answer, Page, Visit},
    components::facets::{condition, link, named},
    error::WebError,
    kept::MadeOf,
    text::format,
};

/// Rows of each list.
const LIST_SIZE: i64 = 8;

/// The most ways in of a kind.
const MOST_WAYS: usize = 8;

/// Ways in, as searches that find something: what the best repositories are, counted.
fn ways(facets: &Facets) -> AnyView {
    let groups: [(&str, &str, &[Facet]); 3] = [
        ("By kind", "kind", &facets.kind),
        ("By platform", "platform", &facets.platform),
        ("By licence", "license", &facets.license),
    ];
    let way = |key: &str, facet: &Facet| {
        let href = link(&Query::default().with(condition(key, &facet.value)?), Sort::Relevance, "");
        let count = format::count(i64::try_from(facet.count).unwrap_or(i64::MAX));
        Some(view! { <li><a href=href>{named(key, &facet.value)} " " <span class="muted">{count}</span></a></li> })
    };
    let some = groups.into_iter().filter(|(.., values)| !values.is_empty());
    let group = |(title, key, values): (&'static str, &str, &[Facet])| {
        let ways = values.iter().filter_map(|facet| way(key, facet)).take(MOST_WAYS).collect_view();
        view! { <section><h2>{title}</h2> <ul class="labels">{ways}</ul></section> }
    };
    some.map(group).collect_view().into_any()
}

/// For those who look for nothing in particular.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let reader = visit.web.reader();
    let featured = reader.featured(LIST_SIZE).await?;
    let starred = reader.most_starred(LIST_SIZE).await?;
    let all = SearchAsked { query: Query::default(), sort: Sort::Newest, limit: 1, cursor: None };
    let ways = ways(&reader.search(&all).await?.facets);
    let body = view! {
        <div class="page-head">
            <h1>"Explore"</h1>
            <p><a href="/search">"Every repository"</a> " · " <a href="/new">"What’s new"</a> " · " <a href="/holds">"Holds"</a></p>
        </div>
        <div class="ways">{ways}</div>
        <div class="columns">
            <section aria-labelledby="featured">
                <div class="list-head"><h2 id="featured">"Featured"</h2></div>
                <p class="muted">"Stars, fading with the age of the last push."</p>
                {list(&featured)}
            </section>
            <section aria-labelledby="starred">
                <div class="list-head"><h2 id="starred">"Most starred"</h2></div>
                <p class="muted">"By how many accounts, whatever the age."</p>
                {list(&starred)}
            </section>
        </div>
    };
    let mut page = Page::new("Explore", "/explore", body);
    page.description = Some("Featured and most starred container images on the AT Protocol.".to_owned());
    page.made_of = MadeOf::Anything;
    Ok(page.into())
}
