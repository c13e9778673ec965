use leptos::prelude::*;
use store::{
    Reader,
    queries::{Place, RepositoryItem},
};

use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{flag::flag, row, words},
    error::WebError,
    kept::MadeOf,
    owner::{self, Account},
    place,
    text::format,
};

/// Rows on one page, which must stay light.
const PAGE_SIZE: usize = 20;
/// More repositories of one owner are not counted.
const MOST_COUNTED: i64 = 10_000;

/// An owner: who, what they publish, what they star.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let asked = address::parse_repository_path(visit.path.strip_prefix("/u/").unwrap_or_default()).owner;
    let account = owner::find(visit.web.reader(), &asked).await?;
    let path = address::user(account.owner.name());
    let starred_tab = visit.query("tab") == "stars";
    if account.owner.name() != asked {
        return Ok(Answer::Redirect(address::with_query(&path, &[("tab", visit.query("tab"))])));
    }
    let reader = visit.web.reader();
    let after = place::read(visit.query("after"))?;
    let published = reader.repository_count(&account.did, MOST_COUNTED).await?;
    let starred = reader.starred_count(&account.did).await?;
    let rows = rows(reader, &account, after.as_ref(), starred_tab).await?;
    let tab = |label: &'static str, n: i64, href: String, current: bool| {
        view! { <a href=href aria-current=current.then_some("page")>{label} " " <span class="muted">{words::count(n)}</span></a> }
    };
    let here =
        |after: &str| address::with_query(&path, &[("tab", if starred_tab { "stars" } else { "" }), ("after", after)]);
    let first = after.is_some().then(|| view! { <a href=here("") rel="prev">"First page"</a> });
    let more = (rows.len() > PAGE_SIZE).then(|| rows.get(PAGE_SIZE - 1)).flatten();
    let next = more.map(|(last, _)| view! { <a href=here(&place::write(last)) rel="next">"Next page"</a> });
    let shown: Vec<RepositoryItem> = rows.into_iter().take(PAGE_SIZE).map(|(_, item)| item).collect();
    let body = view! {
        {head(&account)}
        <nav class="tabs" aria-label="Lists">
            {tab("Repositories", published, path.clone(), !starred_tab)}
            {tab("Stars", starred, address::with_query(&path, &[("tab", "stars")]), starred_tab)}
        </nav>
        {list(&shown, account.owner.name(), starred_tab, after.is_some())}
        <nav class="pages" aria-label="Pages">{first} {next}</nav>
    };
    let mut page = Page::new(account.owner.name(), path, body);
    page.description = Some(format!("Container images of {} on the AT Protocol.", account.owner.name()));
    page.made_of = MadeOf::Anything;
    Ok(page.into())
}

/// A page of a list and one row more, each with its place.
async fn rows(
    reader: &Reader,
    account: &Account,
    after: Option<&Place>,
    starred: bool,
) -> Result<Vec<(Place, RepositoryItem)>, WebError> {
    let limit = i64::try_from(PAGE_SIZE + 1).unwrap_or_default();
    if starred {
        return Ok(reader.starred_by(&account.did, after, limit).await?);
    }
    let items = reader.repositories_of(&account.did, after, limit).await?;
    Ok(items.into_iter().map(|item| (Place::at(item.updated_at, &item), item)).collect())
}

fn head(account: &Account) -> impl IntoView + use<> {
    let name = format::shown(account.owner.name());
    view! {
        <div class="owner-head">
            {flag(&account.owner.did)}
            <div>
                <h1>{name}</h1>
                <p class="muted wrap">
                    <code>{format::shown(&account.owner.did)}</code>
                    {account.pds.as_deref().map(|pds| view! { " · records kept by " <code>{format::shown(pds)}</code> })}
                </p>
            </div>
        </div>
    }
}

fn list(items: &[RepositoryItem], owner: &str, starred: bool, goes_on: bool) -> AnyView {
    if items.is_empty() && goes_on {
        return view! { <p class="empty">"There is nothing after this."</p> }.into_any();
    }
    if !items.is_empty() {
        return view! { <h2 class="hidden">"Repositories"</h2> {row::rows(items, "")} }.into_any();
    }
    let what =
        if starred { "stars nothing that is in the index." } else { "has published nothing that is in the index." };
    view! { <p class="empty">{format::shown(owner)} " " {what}</p> }.into_any()
}
