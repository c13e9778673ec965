use leptos::prelude::*;
use store::queries::TagView;

use super::{offset, repository::Repository};
use crate::{
    address,
    app::Visit,
    components::{facts, words},
    error::WebError,
    text::format,
};

/// Rows on one page.
pub const PAGE_SIZE: i64 = 50;

/// The tags of a repository, filtered by the server.
pub async fn section(visit: &Visit, repository: &Repository) -> Result<AnyView, WebError> {
    let filter = filter(visit.query("filter"));
    let begin = offset(visit.query("cursor"))?;
    let mut tags =
        visit.web.reader().tags(&repository.account.did, &repository.name, &filter, PAGE_SIZE + 1, begin).await?;
    let more = tags.len() > usize::try_from(PAGE_SIZE).unwrap_or_default();
    tags.truncate(usize::try_from(PAGE_SIZE).unwrap_or_default());
    let path = repository.path();
    let to = |cursor: &str| address::with_query(&path, &[("tab", "tags"), ("filter", &filter), ("cursor", cursor)]);
    let next = more.then(|| view! { <a href=to(&(begin + PAGE_SIZE).to_string()) rel="next">"Older tags"</a> });
    let first = (begin > 0).then(|| view! { <a href=to("") rel="prev">"Newest tags"</a> });
    let list = if tags.is_empty() { nothing(&filter, to("")) } else { table(repository, &tags) };
    let body = view! {
        <form class="filter" action=path.clone()>
            <input type="hidden" name="tab" value="tags"/>
            <label for="filter">"Filter tags"</label>
            <input id="filter" type="search" name="filter" value=filter.clone() maxlength="128" autocomplete="off" spellcheck="false"/>
            <button type="submit">"Filter"</button>
        </form>
        {list}
        <nav class="pages" aria-label="Pages">{first} {next}</nav>
    };
    Ok(body.into_any())
}

/// A filter as Postgres takes it: no tag is longer, none holds a control character.
pub fn filter(asked: &str) -> String {
    asked.chars().filter(|c| !c.is_control()).take(128).collect()
}

fn nothing(filter: &str, all: String) -> AnyView {
    if filter.is_empty() {
        return view! { <p class="empty">"There is no tag here. Manifests can be pulled by digest."</p> }.into_any();
    }
    let all = all.split('?').next().unwrap_or_default().to_owned();
    let all = address::with_query(&all, &[("tab", "tags")]);
    view! { <p class="empty">"No tag holds “" {format::shown(filter)} "”. " <a href=all>"Show all tags"</a></p> }
        .into_any()
}

fn table(repository: &Repository, tags: &[TagView]) -> AnyView {
    view! {
        <table class="cards">
            <thead>
                <tr>
                    <th scope="col">"Tag"</th>
                    <th scope="col">"Updated"</th>
                    <th scope="col">"Digest"</th>
                    <th scope="col">"Platforms"</th>
                    <th scope="col" class="number">"Size"</th>
                    <th scope="col" class="number">"Pulls"</th>
                </tr>
            </thead>
            <tbody>{tags.iter().map(|tag| row(repository, tag)).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn row(repository: &Repository, tag: &TagView) -> impl IntoView + use<> {
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let href = address::with_query(&repository.path(), &[("tag", &tag.tag)]);
    let digest = match &tag.digest {
        Some(digest) => view! {
            <a href=address::manifest(owner, name, digest)>{words::digest(digest)}</a>
            {words::copy(digest.clone(), "the digest")}
        }
        .into_any(),
        None => view! { <span class="warn">"its manifest is not known"</span> }.into_any(),
    };
    view! {
        <tr>
            <th scope="row" data-label="Tag"><a class="tag" href=href title=tag.tag.clone()>{tag.tag.clone()}</a></th>
            <td data-label="Updated">{words::age_or_dash(tag.updated_at)}</td>
            <td data-label="Digest">{digest}</td>
            <td data-label="Platforms">
                {if tag.platforms.0.is_empty() { "–".into_any() } else { facts::platforms(&tag.platforms.0) }}
            </td>
            <td data-label="Size" class="number">
                {tag.size.map_or_else(|| "–".into_any(), |size| words::size(size).into_any())}
            </td>
            <td data-label="Pulls" class="number">{words::count(tag.pulls)}</td>
        </tr>
    }
}
