use std::time::{Duration, Instant};

use leptos::prelude::*;
use store::queries::SearchPage;

use super::offset;
use crate::{
    address,
    app::{Answer, Page, Visit},
    components::row::rows,
    error::WebError,
    text::format,
};

/// Rows on one page.
pub const PAGE_SIZE: i64 = 25;
/// Longer queries are cut: no name or word is longer.
const QUERY_LENGTH: usize = 200;

/// What a search found, or with an empty query everything, the newest first.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let query: String = visit.query("q").chars().take(QUERY_LENGTH).collect::<String>().trim().to_owned();
    let begin = offset(visit.query("cursor"))?;
    let started = Instant::now();
    let found = visit.web.reader().search(&query, PAGE_SIZE, begin).await?;
    let body = results(&query, begin, &found, started.elapsed());
    let title = if query.is_empty() { "Explore".to_owned() } else { format!("{} – search", format::shown(&query)) };
    let canonical = address::with_query("/search", &[("q", &query)]);
    Ok(Page { query, ..Page::new(title, canonical, body) }.into())
}

/// The total, exact below the store's limit.
fn total(n: i64) -> String {
    match n {
        1 => "1 repository".to_owned(),
        0..1_000 => format!("{n} repositories"),
        _ => "1,000+ repositories".to_owned(),
    }
}

fn results(query: &str, begin: i64, found: &SearchPage, took: Duration) -> AnyView {
    let shown = format::shown(query);
    let heading = if query.is_empty() {
        view! { <h1>"Every repository, the newest first"</h1> }.into_any()
    } else {
        view! { <h1>"Results for “" <bdi>{shown}</bdi> "”"</h1> }.into_any()
    };
    if found.items.is_empty() {
        return view! { <div class="page-head">{heading}</div> {nothing(query, begin)} }.into_any();
    }
    let link = |cursor: &str| address::with_query("/search", &[("q", query), ("cursor", cursor)]);
    let first = (begin > 0).then(|| view! { <a href=link("") rel="prev">"First page"</a> });
    let next = found.next.as_deref().map(|next| view! { <a href=link(next) rel="next">"Next page"</a> });
    view! {
        <div class="page-head">
            {heading}
            <p class="muted">{total(found.total)} " · " {took.as_millis().max(1).to_string()} " ms"</p>
        </div>
        <h2 class="hidden">"Repositories"</h2>
        {rows(&found.items, query)}
        <nav class="pages" aria-label="Pages">{first} {next}</nav>
    }
    .into_any()
}

fn nothing(query: &str, begin: i64) -> AnyView {
    if begin > 0 {
        let href = address::with_query("/search", &[("q", query)]);
        return view! { <p class="empty">"There is nothing on this page. " <a href=href>"Back to the first"</a></p> }
            .into_any();
    }
    if query.is_empty() {
        return view! { <p class="empty">"No repository is in the index yet."</p> }.into_any();
    }
    let words: Vec<&str> = query.split_whitespace().collect();
    let single = |word: &&str| {
        let href = address::with_query("/search", &[("q", word)]);
        view! { <li><a href=href>{format::shown(word)}</a></li> }
    };
    let alternatives = (words.len() > 1).then(|| {
        view! {
            <p>"All of the words must match. One at a time:"</p>
            <ul class="labels">{words.iter().take(8).map(single).collect_view()}</ul>
        }
    });
    view! {
        <div class="empty">
            <p>"Nothing has this name or one like it, and no name, description or owner holds these words."</p>
            {alternatives}
            <p><a href="/search">"See every repository"</a>" or go "<a href="/">"back to the first page"</a>"."</p>
        </div>
    }
    .into_any()
}
