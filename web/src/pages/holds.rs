use chrono::Utc;
use leptos::prelude::*;
use store::queries::{CrewView, HoldItem, HoldView, MOST_COUNTED, Reliance, RepositoryItem};

use super::offset;
use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{facts::fact, flag::flag, notice, row::rows, words},
    error::WebError,
    owner,
    text::format,
};

/// Holds on one page.
pub const PAGE_SIZE: i64 = 50;
/// Repositories on one page of a hold.
const THERE: i64 = 20;
/// Rows of a hold's crew.
pub const CREW_SIZE: i64 = 100;

/// Every hold, those first that most repositories rely on.
pub async fn list(visit: Visit) -> Result<Answer, WebError> {
    let begin = offset(visit.query("cursor"))?;
    let mut holds = visit.web.reader().holds(PAGE_SIZE + 1, begin).await?;
    let has_more = i64::try_from(holds.len()).is_ok_and(|n| n > PAGE_SIZE);
    holds.truncate(usize::try_from(PAGE_SIZE).unwrap_or_default());
    let link = |at: i64| address::with_query("/holds", &[("cursor", &at.to_string())]);
    let first = (begin > 0).then(|| view! { <a href="/holds" rel="prev">"First page"</a> });
    let next = has_more.then(|| view! { <a href=link(begin + PAGE_SIZE) rel="next">"Next page"</a> });
    let body = view! {
        <div class="page-head"><h1>"Holds"</h1></div>
        <p class="muted lead">
            "A hold is a storage service that anyone can run: it keeps the layers of images, while their manifests are records of their
            owners. When a hold is down, pages and manifests of what it keeps can be read here, and pulls of its layers fail."
        </p>
        {table(&holds)}
        <nav class="pages" aria-label="Pages">{first} {next}</nav>
    };
    let mut page = Page::new("Holds", "/holds", body);
    page.description =
        Some("Where the layers of container images on the AT Protocol are kept, and whether it answers.".to_owned());
    Ok(page.into())
}

fn table(holds: &[HoldItem]) -> AnyView {
    if holds.is_empty() {
        return view! { <p class="empty">"No hold is in the index yet."</p> }.into_any();
    }
    let row = |item: &HoldItem| {
        let hold = &item.hold;
        view! {
            <tr>
                <th scope="row" data-label="Hold"><a href=address::hold(&hold.did)>{name(&hold.did)}</a></th>
                <td data-label="Health">{health(hold)}</td>
                <td data-label="Run by">{hold.owner.as_deref().map(|did| person(did, item.owner_handle.as_deref()))}</td>
                <td data-label="Access">{access(hold)}</td>
                <td data-label="Region">{hold.region.as_deref().map(format::shown)}</td>
                <td data-label="Repositories" class="number">{counted(item.repositories)}</td>
            </tr>
        }
    };
    view! {
        <table class="cards">
            <thead>
                <tr>
                    <th scope="col">"Hold"</th>
                    <th scope="col">"Health"</th>
                    <th scope="col">"Run by"</th>
                    <th scope="col">"Access"</th>
                    <th scope="col">"Region"</th>
                    <th scope="col" class="number">"Repositories"</th>
                </tr>
            </thead>
            <tbody>{holds.iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

/// A hold: who runs it, whether it answers, and what relies on it.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let asked = address::parse_repository_path(visit.path.strip_prefix("/holds/").unwrap_or_default()).owner;
    let unknown = || WebError::NoHold { did: asked.chars().take(200).collect() };
    let did = owner::did(&asked).ok_or_else(unknown)?;
    let reader = visit.web.reader();
    let hold = reader.hold(&did).await?.ok_or_else(unknown)?;
    let captain = match hold.owner.as_ref().and_then(|owner| owner.parse().ok()) {
        Some(owner) => reader.actor(&owner).await?,
        None => None,
    };
    let (repositories, reliance) = reader.reliance(&did).await?;
    let crew = reader.crew(&did, CREW_SIZE).await?;
    let after = visit.query("after");
    let place = after_place(after)?;
    let there = reader.repositories_on(&did, place, THERE + 1).await?;
    let path = address::hold(hold.did.as_str());
    let handle = captain.filter(|actor| actor.active).and_then(|actor| actor.handle);
    let body = view! {
        <div class="owner-head">
            {flag(&hold.did)}
            <div>
                <h1>{name(&hold.did)}</h1>
                <p class="muted wrap"><code>{format::shown(&hold.did)}</code>{words::copy(hold.did.clone(), "the DID")}</p>
            </div>
        </div>
        {notice::hold_down(Some(&hold))}
        <div class="split">
            <section aria-labelledby="repositories">
                <h2 id="repositories">"Repositories on it " <span class="muted">{counted(repositories)}</span></h2>
                {repositories_there(&there, &path, after)}
            </section>
            <div>
                {facts(&hold, handle.as_deref(), &reliance)}
                {crew_list(&crew, &hold)}
            </div>
        </div>
    };
    let mut page = Page::new(format!("Hold {}", name(&hold.did)), path, body);
    page.description = Some(format!("What is kept on the hold {}, and whether it answers.", name(&hold.did)));
    Ok(page.into())
}

/// The owner and the name after which the page begins.
fn after_place(after: &str) -> Result<(&str, &str), WebError> {
    match after.split_once('/') {
        Some(place) if after.len() <= 4_000 && !after.contains('\0') => Ok(place),
        None if after.is_empty() => Ok(("", "")),
        _ => Err(WebError::BadRequest("This page's address is broken: its cursor is not one of ours.".to_owned())),
    }
}

fn repositories_there(items: &[RepositoryItem], path: &str, after: &str) -> AnyView {
    if items.is_empty() {
        let what =
            if after.is_empty() { "No image that the index knows of is kept here." } else { "There are no more." };
        return view! { <p class="empty">{what}</p> }.into_any();
    }
    let first = (!after.is_empty()).then(|| view! { <a href=path.to_owned() rel="prev">"First page"</a> });
    let (shown, rest) = items.split_at(items.len().min(usize::try_from(THERE).unwrap_or_default()));
    let next = shown.last().filter(|_| !rest.is_empty()).map(|last| {
        let href = address::with_query(path, &[("after", &format!("{}/{}", last.owner.did, last.name))]);
        view! { <a href=href rel="next">"Next page"</a> }
    });
    view! { {rows(shown, "")} <nav class="pages" aria-label="Pages">{first} {next}</nav> }.into_any()
}

fn facts(hold: &HoldView, handle: Option<&str>, reliance: &Reliance) -> AnyView {
    let owner = match &hold.owner {
        Some(did) => person(did, handle),
        None => view! { <span class="muted">"nobody says, or more than one does"</span> }.into_any(),
    };
    let whose_word = if hold.captain { "its captain record" } else { "its owner’s word alone" };
    view! {
        <dl class="facts">
            {fact("Health", health(hold))}
            {hold.last_seen.map(|time| fact("Answered last", words::age(time)))}
            {hold.detail.as_deref().filter(|_| hold.reachable == Some(false)).map(|why| {
                fact("What went wrong", view! { <span class="wrap">{format::shown(why)}</span> })
            })}
            {fact("Run by", owner)}
            {hold.owner.is_some().then(|| fact("Known by", whose_word))}
            {fact("Access", access(hold))}
            {hold.region.as_deref().map(|region| fact("Region", format::shown(region)))}
            {hold.endpoint.as_deref().map(|url| fact("Endpoint", view! { <code class="wrap">{format::shown(url)}</code> }))}
            {hold.successor.as_deref().map(|did| {
                fact("Successor", view! { <a href=address::hold(did)>{name(did)}</a> })
            })}
            {fact("Manifests", words::count(reliance.manifests))}
            {fact("Their bytes", words::size(reliance.bytes))}
        </dl>
    }
    .into_any()
}

fn crew_list(crew: &[CrewView], hold: &HoldView) -> AnyView {
    let everyone = (hold.public == Some(true)).then(|| view! { <p class="muted">"Everyone may read."</p> });
    if crew.is_empty() {
        return view! { <section aria-labelledby="crew"><h2 id="crew">"Crew"</h2> {everyone} <p class="muted">"Nobody is listed."</p></section> }
            .into_any();
    }
    let member = |member: &CrewView| {
        let may = member.permissions.iter().map(|permission| format::shown(permission)).collect::<Vec<_>>().join(", ");
        view! {
            <li>
                {person(&member.member.did, member.member.handle.as_deref())}
                <span class="muted">{member.role.as_deref().map(|role| format!(" {}", format::shown(role)))} {(!may.is_empty()).then(|| format!(" · {may}"))}</span>
            </li>
        }
    };
    view! {
        <section aria-labelledby="crew">
            <h2 id="crew">"Crew"</h2>
            {everyone}
            <ul class="crew">{crew.iter().map(member).collect_view()}</ul>
        </section>
    }
    .into_any()
}

/// What people call a hold: the host of a `did:web`.
fn name(did: &str) -> String {
    let name = did.strip_prefix("did:web:").map(|host| host.replace("%3A", ":"));
    format::shown(&name.unwrap_or_else(|| did.to_owned()))
}

fn person(did: &str, handle: Option<&str>) -> AnyView {
    let shown = handle.unwrap_or(did);
    view! { <a class="wrap" href=address::user(shown)>{format::shown(shown)}</a> }.into_any()
}

fn access(hold: &HoldView) -> AnyView {
    match hold.public {
        Some(true) => "public".into_any(),
        Some(false) => view! { <span class="warn">"private"</span> }.into_any(),
        None => view! { <span class="muted">"nobody says"</span> }.into_any(),
    }
}

fn health(hold: &HoldView) -> AnyView {
    let since = hold.since.map(|since| format!(" for {}", format::duration(since, Utc::now())));
    match hold.reachable {
        Some(true) => view! { <span class="good">"answers"</span> }.into_any(),
        Some(false) => view! { <span class="bad">"down" {since}</span> }.into_any(),
        None => view! { <span class="muted">"not asked yet"</span> }.into_any(),
    }
}

fn counted(n: i64) -> AnyView {
    if n > MOST_COUNTED { "1,000+".into_any() } else { words::count(n).into_any() }
}
