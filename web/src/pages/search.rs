use std::time::{Duration, Instant};

use leptos::prelude::*;
use store::queries::{Cursor, SearchAsked, SearchPage};
use types::search::{Query, Sort, Term};

use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{
        facets::{chips, facets, link},
        row::rows,
    },
    error::WebError,
    text::format,
};

/// Rows on one page.
pub const PAGE_SIZE: usize = 20;

/// The order that an address names.
pub fn sort(text: &str) -> Result<Sort, WebError> {
    text.parse().map_err(|error: types::search::UnknownSort| {
        WebError::BadRequest(format!("This order is not one of ours: {error}."))
    })
}

/// Where a page of results begins: the value that the page before it gave as `next`, for the same order.
pub fn cursor(text: &str, sort: Sort) -> Result<Option<Cursor>, WebError> {
    if text.is_empty() {
        return Ok(None);
    }
    let broken = || WebError::BadRequest("This page's address is broken: its cursor is not one of ours.".to_owned());
    let cursor: Cursor = text.parse().map_err(|_| broken())?;
    // Without a query the best are the newest.
    let is_same = cursor.sort() == sort || (sort == Sort::Relevance && cursor.sort() == Sort::Newest);
    if is_same { Ok(Some(cursor)) } else { Err(broken()) }
}

/// What a search found, or with an empty query everything, the newest first.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let query = Query::parse(visit.query("q"));
    let sort = sort(visit.query("sort"))?;
    let asked = SearchAsked { sort, limit: PAGE_SIZE, cursor: cursor(visit.query("cursor"), sort)?, query };
    let started = Instant::now();
    let found = visit.web.reader().search(&asked).await?;
    let took = started.elapsed();
    let body = if found.items.is_empty() && asked.cursor.is_none() {
        nothing(&asked, &found)
    } else {
        results(&asked, &found, took)
    };
    let said = asked.query.to_string();
    let title = if said.is_empty() { "Explore".to_owned() } else { format!("{} – search", format::shown(&said)) };
    let canonical = address::with_query("/search", &[("q", &said), ("sort", visit.query("sort"))]);
    Ok(Page { query: said, ..Page::new(title, canonical, body) }.into())
}

/// The total, exact below the store's limit.
fn total(found: &SearchPage) -> String {
    match (found.total, found.more) {
        (1, false) => "1 repository".to_owned(),
        (n, false) if n < 1_000 => format!("{n} repositories"),
        (n, _) if n < 1_000 => format!("at least {n} repositories"),
        _ => "1,000+ repositories".to_owned(),
    }
}

fn heading(asked: &SearchAsked) -> AnyView {
    if asked.query.is_empty() {
        let order = match asked.sort {
            Sort::Relevance | Sort::Newest => "the newest first",
            Sort::Stars => "the most starred first",
            Sort::Pulls => "the most pulled first",
            Sort::Name => "by name",
        };
        return view! { <h1>"Every repository, " {order}</h1> }.into_any();
    }
    view! { <h1>"Results for “" <bdi>{format::shown(&asked.query.to_string())}</bdi> "”"</h1> }.into_any()
}

fn results(asked: &SearchAsked, found: &SearchPage, took: Duration) -> AnyView {
    let page = |cursor: &str| link(&asked.query, asked.sort, cursor);
    let first = asked.cursor.is_some().then(|| view! { <a href=page("") rel="prev">"First page"</a> });
    let next = found.next.as_deref().map(|next| view! { <a href=page(next) rel="next">"Next page"</a> });
    let list = if found.items.is_empty() {
        view! { <p class="empty">"There is nothing after this. " <a href=page("")>"Back to the first page"</a></p> }
            .into_any()
    } else {
        rows(&found.items, &asked.query.words().collect::<Vec<_>>().join(" "))
    };
    view! {
        <div class="page-head">
            {heading(asked)}
            <p class="muted">{total(found)} " · " {took.as_millis().max(1).to_string()} " ms"</p>
        </div>
        {help()}
        {chips(asked)}
        {corrections(asked, found)}
        <div class="found">
            {facets(asked, found)}
            <section aria-labelledby="repositories">
                <h2 class="hidden" id="repositories">"Repositories"</h2>
                {orders(asked)}
                {list}
                <nav class="pages" aria-label="Pages">{first} {next}</nav>
            </section>
        </div>
    }
    .into_any()
}

/// The orders, as links.
fn orders(asked: &SearchAsked) -> impl IntoView + use<> {
    let order = |sort: Sort| {
        let name = match sort {
            Sort::Relevance => "Relevance",
            Sort::Stars => "Stars",
            Sort::Pulls => "Pulls",
            Sort::Newest => "Newest",
            Sort::Name => "Name",
        };
        let current = (sort == asked.sort
            || (asked.query.is_empty() && asked.sort == Sort::Relevance && sort == Sort::Newest))
            .then_some("true");
        view! { <li><a href=link(&asked.query, sort, "") aria-current=current>{name}</a></li> }
    };
    // Nothing is relevant to nothing.
    let some = Sort::ALL.into_iter().filter(|sort| *sort != Sort::Relevance || !asked.query.is_empty());
    view! { <nav class="orders" aria-label="Order"><span class="muted">"Sort by"</span><ul>{some.map(order).collect_view()}</ul></nav> }
}

/// What was looked for in the place of what nothing has, or might be meant.
fn corrections(asked: &SearchAsked, found: &SearchPage) -> impl IntoView + use<> {
    let said = |correction: &store::queries::Correction| {
        let word = correction.word.clone();
        let near = |near: &String| {
            let href = link(&asked.query.corrected(&word, near), asked.sort, "");
            view! { <li><a href=href>{format::shown(near)}</a></li> }
        };
        let nearest = correction.nearest.iter().take(3).map(near).collect_view();
        let wrong = format::shown(&correction.word);
        if correction.used {
            view! { <p>"Nothing has “" <bdi>{wrong}</bdi> "”. Words like it were looked for instead:"</p> <ul class="labels">{nearest}</ul> }.into_any()
        } else {
            view! { <p>"Few have “" <bdi>{wrong}</bdi> "”. Did you mean"</p> <ul class="labels">{nearest}</ul> }
                .into_any()
        }
    };
    (!found.corrections.is_empty())
        .then(|| view! { <div class="meant" role="note">{found.corrections.iter().map(said).collect_view()}</div> })
}

/// What was searched, what is near it, and the way back.
fn nothing(asked: &SearchAsked, found: &SearchPage) -> AnyView {
    if asked.query.is_empty() {
        return view! { <div class="page-head">{heading(asked)}</div> <p class="empty">"No repository is in the index yet."</p> }.into_any();
    }
    let alone = |term: &Term| {
        let query = Query { terms: vec![term.clone()], is_cut: false };
        let href = link(&query, Sort::Relevance, "");
        view! { <li><a href=href>{format::shown(&term.to_string())}</a></li> }
    };
    let alternatives = (asked.query.terms.len() > 1).then(|| {
        view! {
            <p>"All parts of a search must match. One at a time:"</p>
            <ul class="labels">{asked.query.terms.iter().map(alone).collect_view()}</ul>
        }
    });
    view! {
        <div class="page-head">{heading(asked)}</div>
        {help()}
        {chips(asked)}
        <div class="empty">
            <p>"Nothing has this name or one like it, and no name, description, README or owner holds these words."</p>
            {corrections(asked, found)}
            {alternatives}
            <p><a href="/search">"See every repository"</a>" or go "<a href="/">"back to the first page"</a>"."</p>
        </div>
    }
    .into_any()
}

/// What can be written into the box.
fn help() -> impl IntoView {
    const LANGUAGE: [(&str, &str); 9] = [
        ("postgres backup", "both words, in names, descriptions, READMEs or owners; misspelt ones too"),
        ("\"exact words\"", "next to each other"),
        ("-word", "not this one; also before a condition"),
        ("owner:alice", "of this handle, or of one that begins so"),
        ("kind:chart", "image, chart, wasm or artifact"),
        ("platform:linux/arm64", "or only linux, or only arm64"),
        ("license:MIT", "by its SPDX identifier"),
        ("is:signed", "or is:sbom, is:scanned, is:public (its hold serves everyone)"),
        ("updated:30d", "pushed to within 30 days; also 2w, 6m, 1y"),
    ];
    let row = |(say, means): (&'static str, &'static str)| {
        let href = address::with_query("/search", &[("q", say)]);
        view! { <dt><a href=href><code>{say}</code></a></dt> <dd>{means}</dd> }
    };
    view! {
        <details class="language" id="language">
            <summary><span aria-hidden="true">"? "</span>"What can be searched for"</summary>
            <dl>{LANGUAGE.map(row).collect_view()}</dl>
        </details>
    }
}
