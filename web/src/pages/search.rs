use std::time::{Duration, Instant};

use leptos::prelude::*;
use store::queries::{Cursor, SearchAsked, SearchPage};
use types::{
    Digest,
    search::{Pasted, Query, Sort},
};

use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{
        facets::{chips, facets, link},
        hints,
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

/// What a text of the box asks for. Of a pull command it is the repository that it names.
pub fn query(text: &str) -> Query {
    match Pasted::parse(text) {
        Some(Pasted::Reference(named)) => Query::parse(&format!("{} {}", named.owner, named.name)),
        Some(Pasted::Digest(_)) => Query::default(),
        None => Query::parse(text),
    }
}

/// A search as the page shows it.
struct Shown {
    /// What was typed, its beginning.
    typed: String,
    asked: SearchAsked,
    /// What a pasted reference leads to.
    place: AnyView,
    /// The facet of which all values are shown.
    facet: String,
}

/// What a search found, or with an empty query everything, the newest first.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let (typed, sort) = (visit.short("q").trim().replace(char::is_control, " "), sort(visit.query("sort"))?);
    let cursor = cursor(visit.query("cursor"), sort)?;
    let pasted = Pasted::parse(visit.query("q"));
    if let Some(Pasted::Digest(digest)) = &pasted {
        return digest_page(&visit, typed, digest).await;
    }
    let place = match &pasted {
        Some(Pasted::Reference(reference)) if cursor.is_none() => hints::place(&visit.web, reference).await?,
        _ => ().into_any(),
    };
    let asked = SearchAsked { sort, limit: PAGE_SIZE, cursor, query: query(visit.query("q")) };
    let shown = Shown { typed, asked, place, facet: visit.short("facet").to_owned() };
    let started = Instant::now();
    let found = visit.web.reader().search(&shown.asked).await?;
    let took = started.elapsed();
    let (said, typed) = (shown.asked.query.to_string(), shown.typed.clone());
    let title =
        if typed.is_empty() { "Every repository".to_owned() } else { format!("{} – search", format::shown(&typed)) };
    let canonical = address::with_query("/search", &[("q", &said), ("sort", visit.query("sort"))]);
    let is_nothing = found.items.is_empty() && shown.asked.cursor.is_none();
    let body = if is_nothing { nothing(shown, &found) } else { results(shown, &found, took) };
    Ok(Page { query: typed, ..Page::new(title, canonical, body) }.into())
}

async fn digest_page(visit: &Visit, typed: String, digest: &Digest) -> Result<Answer, WebError> {
    let said = digest.to_string();
    let manifests = hints::manifests(&visit.web, digest).await?;
    let body = view! { <div class="page-head"><h1>"Manifests of one digest"</h1> <p><code class="wrap">{said.clone()}</code></p></div> {manifests} };
    let canonical = address::with_query("/search", &[("q", &said)]);
    Ok(Page { query: typed, ..Page::new(format!("{said} – search"), canonical, body) }.into())
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

fn heading(typed: &str, asked: &SearchAsked) -> AnyView {
    let order = match asked.sort {
        Sort::Relevance | Sort::Newest => "the newest first",
        Sort::Stars => "the most starred first",
        Sort::Pulls => "the most pulled first",
        Sort::Name => "by name",
    };
    let typed = format::shown(typed);
    match (typed.is_empty(), asked.query.is_empty()) {
        (true, _) => view! { <h1>"Every repository, " {order}</h1> }.into_any(),
        (_, true) => view! { <h1>"“" <bdi>{typed}</bdi> "” cannot be searched for"</h1> }.into_any(),
        _ => view! { <h1>"Results for “" <bdi>{typed}</bdi> "”"</h1> }.into_any(),
    }
}

/// What is marked in names: the words, and those that were looked for in their place.
fn marks(asked: &SearchAsked, found: &SearchPage) -> String {
    let words = asked.query.words().map(str::to_owned);
    let instead = found.corrections.iter().filter(|correction| correction.used);
    words.chain(instead.flat_map(|correction| correction.nearest.clone())).collect::<Vec<_>>().join(" ")
}

fn results(shown: Shown, found: &SearchPage, took: Duration) -> AnyView {
    let Shown { typed, asked, place, facet } = shown;
    let page = |cursor: &str| link(&asked.query, asked.sort, cursor);
    let first = asked.cursor.is_some().then(|| view! { <a href=page("")>"First page"</a> });
    let previous = found.previous.as_deref().map(|place| view! { <a href=page(place) rel="prev">"Previous page"</a> });
    let next = found.next.as_deref().map(|place| view! { <a href=page(place) rel="next">"Next page"</a> });
    let instead = (asked.query.is_empty() && !typed.is_empty()).then_some("Here is every repository: ");
    let list = if found.items.is_empty() {
        view! { <p class="empty">"There is nothing after this. " <a href=page("")>"Back to the first page"</a></p> }
            .into_any()
    } else {
        rows(&found.items, &marks(&asked, found))
    };
    view! {
        <div class="page-head">
            {heading(&typed, &asked)}
            <p class="muted">{instead} {total(found)} " · " {took.as_millis().max(1).to_string()} " ms"</p>
        </div>
        {help()}
        {place}
        {hints::notes(&asked)}
        {chips(&asked)}
        {hints::corrections(&asked, found)}
        {hints::conditions(&asked, found)}
        <div class="found">
            {facets(&asked, found, &facet)}
            <section aria-labelledby="repositories">
                <h2 class="hidden" id="repositories">"Repositories"</h2>
                {orders(&asked)}
                {list}
                <nav class="pages" aria-label="Pages">{first} {previous} {next}</nav>
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

/// What was searched, what is near it, and the way back.
fn nothing(shown: Shown, found: &SearchPage) -> AnyView {
    let Shown { typed, asked, place, .. } = shown;
    let heading = heading(&typed, &asked);
    if asked.query.is_empty() {
        return view! { <div class="page-head">{heading}</div> {hints::notes(&asked)} <p class="empty">"No repository is in the index yet."</p> }.into_any();
    }
    view! {
        <div class="page-head">{heading}</div>
        {help()}
        {place}
        {hints::notes(&asked)}
        {chips(&asked)}
        <div class="empty">
            {hints::why(&asked, found)}
            {hints::corrections(&asked, found)}
            {hints::conditions(&asked, found)}
            {hints::one_at_a_time(&asked)}
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
        ("license:MIT", "by its SPDX identifier; GPL-3.0 is also GPL-3.0-only and GPL-3.0-or-later"),
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
            <p>"A pull reference, a whole pull command or a digest leads to what it names."</p>
        </details>
    }
}
