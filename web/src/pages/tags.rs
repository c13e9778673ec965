use leptos::prelude::*;
use store::queries::{Before, TagOrder, TagPage, TagView, TagsAsked};

use super::repository::Repository;
use crate::{
    address,
    app::Visit,
    components::{facts, ways::Ways, words},
    error::WebError,
    text::format,
};

/// Rows on one page, which must stay light; and in one answer of the API.
const PAGE_SIZE: u32 = 25;
pub const API_PAGE_SIZE: u32 = 50;
/// So many tags are seen at a glance: nobody filters them.
const FEW: i32 = 3;
/// What a tag pointed at before, shown in its place; the rest is behind a link.
const BEFORE: usize = 3;
/// The same on the whole page, so that it stays light.
const BEFORE_IN_ALL: usize = 12;
/// What one tag pointed at before, at most, when that is asked for.
const MOST_BEFORE: u32 = 200;

/// Orders by what addresses and people call them.
const ORDERS: [(TagOrder, &str, &str); 4] = [
    (TagOrder::Newest, "", "Newest first"),
    (TagOrder::Oldest, "oldest", "Oldest first"),
    (TagOrder::Name, "name", "Name, A to Z"),
    (TagOrder::NameBackwards, "-name", "Name, Z to A"),
];

/// The tags that a query asks for.
///
/// # Errors
/// When its cursor is not one of ours.
pub fn asked(asked_filter: &str, sort: &str, cursor: &str) -> Result<TagsAsked, WebError> {
    let after = cursor_of(cursor)?;
    let order = ORDERS.iter().find(|(_, name, _)| *name == sort).map_or_else(TagOrder::default, |(order, ..)| *order);
    Ok(TagsAsked { filter: filter(asked_filter), order, after, limit: PAGE_SIZE, ..TagsAsked::default() })
}

/// A cursor as addresses carry it; `None` of nothing.
///
/// # Errors
/// When it is not one of ours.
pub fn cursor_of<T: std::str::FromStr>(text: &str) -> Result<Option<T>, WebError> {
    let broken = |_| WebError::BadRequest("This page's address is broken: its cursor is not one of ours.".to_owned());
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(broken) }
}

/// A filter as Postgres takes it: no tag is longer, none holds a control character.
fn filter(asked: &str) -> String {
    asked.chars().filter(|c| !c.is_control()).take(128).collect()
}

/// The tags of a repository: filtered, sorted and paged by the server.
pub async fn section(visit: &Visit, repository: &Repository) -> Result<AnyView, WebError> {
    let mut asked = asked(visit.query("filter"), visit.query("sort"), visit.query("cursor"))?;
    asked.before = cursor_of(visit.query("before"))?;
    let (did, name) = (&repository.account.did, &repository.name);
    let mut page = visit.web.reader().tags(did, name, &asked).await?;
    if asked.before.is_some() && page.previous.is_none() {
        // The first page is shown whole.
        (asked.before, asked.after) = (None, None);
        page = visit.web.reader().tags(did, name, &asked).await?;
    }
    let history = visit.query("history");
    let whole: Vec<TagView> = page.items.iter().filter(|tag| tag.tag == history).cloned().collect();
    let each = u32::try_from(BEFORE + 1).unwrap_or_default();
    let mut before = visit.web.reader().before(did, name, &page.items, each).await?;
    if !whole.is_empty() {
        before.retain(|before| before.tag != history);
        before.extend(visit.web.reader().before(did, name, &whole, MOST_BEFORE).await?);
    }
    let path = repository.path();
    let sort = ORDERS.iter().find(|(order, ..)| *order == asked.order).map_or("", |(_, name, _)| name);
    let to = |more: &[(&str, &str)]| {
        let parameters: Vec<_> = [("tab", "tags"), ("filter", &asked.filter), ("sort", sort)]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        address::with_query(&path, &parameters)
    };
    let is_first = asked.after.is_none() && asked.before.is_none();
    let ways = Ways {
        first: (!is_first).then(|| to(&[])),
        previous: page.previous.as_ref().map(|previous| to(&[("before", &previous.to_string())])),
        next: page.next.as_ref().map(|next| to(&[("cursor", &next.to_string())])),
    };
    let here =
        |tag: &str| to(&[("cursor", visit.short("cursor")), ("before", visit.short("before")), ("history", tag)]);
    let list = match (page.items.is_empty(), is_first) {
        (true, false) => view! { <p class="empty">"There are no tags after these."</p> }.into_any(),
        (true, true) => nothing(&asked.filter, &path),
        _ => table(repository, &page, &before, here, history),
    };
    let body = view! {
        {(repository.view.tags > FEW || !asked.filter.is_empty()).then(|| controls(&path, &asked, sort))}
        <div id="tags" data-live="tags">
            {count(&page, &asked)}
            {list}
            {ways.draw()}
        </div>
    };
    Ok(body.into_any())
}

fn controls(path: &str, asked: &TagsAsked, sort: &'static str) -> impl IntoView + use<> {
    let orders = ORDERS.map(|(_, name, words)| view! { <option value=name selected=name == sort>{words}</option> });
    view! {
        <form class="filter" action=path.to_owned() data-filter="tags">
            <input type="hidden" name="tab" value="tags"/>
            <label for="filter">"Filter tags"</label>
            <input id="filter" type="search" name="filter" value=asked.filter.clone() maxlength="128" autocomplete="off" spellcheck="false"/>
            <label for="sort">"Sort"</label>
            <select id="sort" name="sort">{orders}</select>
            <button type="submit">"Show"</button>
        </form>
    }
}

fn count(page: &TagPage, asked: &TagsAsked) -> Option<AnyView> {
    let many = match (page.matching, asked.filter.is_empty()) {
        (0, _) => return None,
        (1, true) => "1 tag".to_owned(),
        (1, false) => "1 tag matches".to_owned(),
        (n, true) => format!("{} tags", format::grouped(n)),
        (n, false) => format!("{} tags match", format::grouped(n)),
    };
    Some(view! { <p class="muted count" role="status">{many}</p> }.into_any())
}

fn nothing(filter: &str, path: &str) -> AnyView {
    if filter.is_empty() {
        return view! { <p class="empty">"There is no tag here. Manifests can be pulled by digest."</p> }.into_any();
    }
    let all = address::with_query(path, &[("tab", "tags")]);
    view! { <p class="empty">"No tag holds “" {format::shown(filter)} "”. " <a href=all>"Show all tags"</a></p> }
        .into_any()
}

fn table(
    repository: &Repository,
    page: &TagPage,
    before: &[Before],
    to: impl Fn(&str) -> String,
    open: &str,
) -> AnyView {
    let mut left = BEFORE_IN_ALL;
    let scanned = page.items.iter().any(|tag| tag.scan.is_some());
    let rows = page.items.iter().map(|tag| {
        let mine: Vec<&Before> = before.iter().filter(|before| before.tag == tag.tag).collect();
        let most = if tag.tag == open { mine.len() } else { BEFORE.min(left) };
        left -= most.min(mine.len()).min(left);
        let history = history(repository, tag, &mine, most, to(&tag.tag), tag.tag == open);
        view! { {row(repository, tag, scanned)} {history} }
    });
    view! {
        <table class="cards tags">
            <thead>
                <tr>
                    <th scope="col">"Tag"</th>
                    <th scope="col">"Pushed"</th>
                    <th scope="col">"Digest"</th>
                    <th scope="col">"Platforms"</th>
                    <th scope="col" class="number">"Size"</th>
                    {scanned.then(|| view! { <th scope="col">"Scan"</th> })}
                    <th scope="col" class="number pulls">"Pulls"</th>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn row(repository: &Repository, tag: &TagView, scanned: bool) -> impl IntoView + use<> {
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let href = address::with_query(&repository.path(), &[("tag", &tag.tag)]);
    let digest = match &tag.digest {
        Some(digest) => view! {
            <a href=address::manifest(owner, name, digest)>{words::digest(digest)}</a>
            {words::copy_beside("the digest")}
        }
        .into_any(),
        None => view! { <span class="warn">"its manifest is not known"</span> }.into_any(),
    };
    let scan = scanned.then(|| {
        let found = tag.scan.as_ref().map_or_else(|| "–".into_any(), facts::findings);
        view! { <td data-label="Scan">{found}</td> }
    });
    view! {
        <tr>
            <th scope="row" data-label="Tag"><a class="tag" href=href title=tag.tag.clone()>{tag.tag.clone()}</a></th>
            <td data-label="Pushed">{words::age_or_dash(tag.updated_at)}</td>
            <td data-label="Digest">{digest}</td>
            <td data-label="Platforms">
                {if tag.platforms.0.is_empty() { "–".into_any() } else { facts::platforms(&tag.platforms.0) }}
            </td>
            <td data-label="Size" class="number">
                {tag.size.map_or_else(|| "–".into_any(), |size| words::size(size).into_any())}
            </td>
            {scan}
            <td data-label="Pulls" class="number pulls">{words::count(tag.pulls)}</td>
        </tr>
    }
}

/// What a tag pointed at before, in its place.
fn history(
    repository: &Repository,
    tag: &TagView,
    before: &[&Before],
    most: usize,
    all: String,
    open: bool,
) -> Option<AnyView> {
    let entries = before.first()?.entries;
    let many = format!("What it pointed at before: {entries}");
    let shown = before.iter().take(most).map(|before| moved(repository, tag, before)).collect_view();
    let more = i64::try_from(most.min(before.len())).unwrap_or_default() < entries;
    let more = (more && !open).then(|| view! { <p><a href=all rel="nofollow">"Show all of it"</a></p> });
    let more_is_left = (open && i64::try_from(before.len()).unwrap_or_default() < entries)
        .then(|| view! { <p class="muted">"Older ones are in the API's history of this tag."</p> });
    let view = view! {
        <tr class="before">
            <td colspan="7">
                <details open=open>
                    <summary>{many}</summary>
                    <ol>{shown}</ol>
                    {more}
                    {more_is_left}
                </details>
            </td>
        </tr>
    };
    Some(view.into_any())
}

fn moved(repository: &Repository, tag: &TagView, before: &Before) -> AnyView {
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let digest = before.was.digest.as_deref();
    let linked = digest.map_or_else(
        || view! { <span class="warn">"a manifest that was never known"</span> }.into_any(),
        |digest| view! { <a href=address::manifest(owner, name, digest)>{words::digest(digest)}</a> }.into_any(),
    );
    let compare = digest.filter(|digest| tag.digest.as_deref().is_some_and(|now| now != *digest)).map(|digest| {
        let href = address::compare(owner, name, digest, &tag.tag);
        view! { <a href=href rel="nofollow" aria-label=format!("compare with now: {}", format::short_digest(digest))>"compare with now"</a> }
    });
    let since = before.was.since.map(|time| view! { "from " {words::age(time)} " " });
    let until = before.was.until.map(|time| view! { "until " {words::age(time)} " " });
    view! { <li>{linked} " " <span class="muted">{since} {until}</span> {compare}</li> }.into_any()
}
