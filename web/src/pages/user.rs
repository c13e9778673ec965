use leptos::prelude::*;
use store::queries::RepositoryItem;

use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{flag::flag, row::rows, words},
    error::WebError,
    owner::{self, Account},
    text::format,
};

/// Rows shown of a list.
pub const LIST_SIZE: i64 = 200;

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
    let repositories = reader.repositories_of(&account.did, LIST_SIZE).await?;
    let starred = reader.starred_count(&account.did).await?;
    let stars = if starred_tab { reader.starred_by(&account.did, LIST_SIZE).await? } else { Vec::new() };
    let shown = if starred_tab { &stars } else { &repositories };
    let tab = |label: &'static str, n: i64, href: String, current: bool| {
        view! { <a href=href aria-current=current.then_some("page")>{label} " " <span class="muted">{words::count(n)}</span></a> }
    };
    let published = i64::try_from(repositories.len()).unwrap_or_default();
    let body = view! {
        {head(&account)}
        <nav class="tabs" aria-label="Lists">
            {tab("Repositories", published, path.clone(), !starred_tab)}
            {tab("Stars", starred, address::with_query(&path, &[("tab", "stars")]), starred_tab)}
        </nav>
        {list(shown, account.owner.name(), starred_tab)}
    };
    let mut page = Page::new(account.owner.name(), path, body);
    page.description = Some(format!("Container images of {} on the AT Protocol.", account.owner.name()));
    Ok(page.into())
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

fn list(items: &[RepositoryItem], owner: &str, starred: bool) -> AnyView {
    if !items.is_empty() {
        return view! { <h2 class="hidden">"Repositories"</h2> {rows(items, "")} }.into_any();
    }
    let what =
        if starred { "stars nothing that is in the index." } else { "has published nothing that is in the index." };
    view! { <p class="empty">{format::shown(owner)} " " {what}</p> }.into_any()
}
