use leptos::prelude::*;

use super::home::list;
use crate::{
    address,
    app::{Answer, Page, Visit},
    error::WebError,
    kept::MadeOf,
};

/// Rows of each list.
const LIST_SIZE: i64 = 8;

/// Ways in, as searches that the box understands.
const WAYS: [(&str, &[(&str, &str)]); 3] = [
    ("By kind", &[("Images", "kind:image"), ("Helm charts", "kind:chart"), ("Other artifacts", "kind:artifact")]),
    (
        "By platform",
        &[
            ("linux/amd64", "platform:linux/amd64"),
            ("linux/arm64", "platform:linux/arm64"),
            ("linux/arm/v7", "platform:linux/arm/v7"),
            ("linux/riscv64", "platform:linux/riscv64"),
        ],
    ),
    ("By licence", &[("MIT", "license:MIT"), ("Apache-2.0", "license:Apache-2.0"), ("GPL-3.0", "license:GPL-3.0")]),
];

/// For those who look for nothing in particular.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let reader = visit.web.reader();
    let featured = reader.featured(LIST_SIZE).await?;
    let starred = reader.most_starred(LIST_SIZE).await?;
    let way = |(title, searches): &(&'static str, &'static [(&'static str, &'static str)])| {
        let link = |(label, query): &(&'static str, &'static str)| {
            let href = address::with_query("/search", &[("q", query)]);
            view! { <li><a href=href>{*label}</a></li> }
        };
        view! { <section><h2>{*title}</h2> <ul class="labels">{searches.iter().map(link).collect_view()}</ul></section> }
    };
    let body = view! {
        <div class="page-head">
            <h1>"Explore"</h1>
            <p><a href="/search">"Every repository"</a> " · " <a href="/new">"What’s new"</a> " · " <a href="/holds">"Holds"</a></p>
        </div>
        <div class="ways">{WAYS.iter().map(way).collect_view()}</div>
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
