use chrono::Utc;
use leptos::prelude::*;
use store::queries::{CrewView, HoldItem, HoldView, MOST_COUNTED, Reliance, RepositoryItem};
use types::Did;

use super::offset;
use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{facts::fact, flag::flag, notice, row::rows, ways::Ways, words},
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
    let link = |at: i64| match at {
        ..=0 => "/holds".to_owned(),
        at => address::with_query("/holds", &[("cursor", &at.to_string())]),
    };
    let ways = Ways {
        first: (begin > PAGE_SIZE).then(|| link(0)),
        previous: (begin > 0).then(|| link(begin - PAGE_SIZE)),
        next: has_more.then(|| link(begin + PAGE_SIZE)),
    };
    let body = view! {
        <div class="page-head"><h1>"Holds"</h1></div>
        <p class="muted lead">
            "A hold is a storage service that anyone can run: it keeps the layers of images, while their manifests are records of their
            owners. When a hold is down, pages and manifests of what it keeps can be read here, and pulls of its layers fail."
        </p>
        {table(&holds)}
        {ways.draw()}
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
                <th scope="row" data-label="Hold"><a href=address::hold(&hold.did)>{format::hold(&hold.did)}</a></th>
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
    let path = address::hold(hold.did.as_str());
    let Some(there) = There::find(&visit, &did).await? else { return Ok(Answer::Redirect(path)) };
    let handle = captain.filter(|actor| actor.active).and_then(|actor| actor.handle);
    let body = view! {
        <div class="owner-head">
            {flag(&hold.did)}
            <div>
                <h1>{format::hold(&hold.did)}</h1>
                <p class="muted wrap"><code>{format::shown(&hold.did)}</code>{words::copy(hold.did.clone(), "the DID")}</p>
            </div>
        </div>
        {notice::hold_down(Some(&hold))}
        <div class="split">
            <section aria-labelledby="repositories">
                <h2 id="repositories">"Repositories on it " <span class="muted">{counted(repositories)}</span></h2>
                {there.draw(&path)}
            </section>
            <div>
                {facts(&hold, handle.as_deref(), &reliance)}
                {crew_list(&crew, &hold)}
            </div>
        </div>
    };
    let mut page = Page::new(format!("Hold {}", format::hold(&hold.did)), path, body);
    page.description = Some(format!("What is kept on the hold {}, and whether it answers.", format::hold(&hold.did)));
    Ok(page.into())
}

/// A page of the repositories on a hold, by owner and name.
struct There {
    items: Vec<RepositoryItem>,
    is_first: bool,
    has_more: bool,
}

impl There {
    /// The page after or before the place in the address; `None` where the first page is before it.
    async fn find(visit: &Visit, hold: &Did) -> Result<Option<Self>, WebError> {
        let reader = visit.web.reader();
        let size = usize::try_from(THERE).unwrap_or_default();
        let (before, after) = (visit.query("before"), visit.query("after"));
        if before.is_empty() {
            let mut items = reader.repositories_on(hold, place(after)?, THERE + 1).await?;
            let has_more = items.len() > size;
            items.truncate(size);
            return Ok(Some(Self { items, is_first: after.is_empty(), has_more }));
        }
        let mut items = reader.repositories_on_before(hold, place(before)?, THERE + 1).await?;
        let is_whole = items.len() > size;
        Ok(is_whole.then(|| Self { items: items.split_off(1), is_first: false, has_more: true }))
    }

    fn draw(&self, path: &str) -> AnyView {
        if self.items.is_empty() {
            let what =
                if self.is_first { "No image that the index knows of is kept here." } else { "There are no more." };
            return view! { <p class="empty">{what}</p> }.into_any();
        }
        let link = |way, item: Option<&RepositoryItem>| {
            item.map(|item| address::with_query(path, &[(way, &format!("{}/{}", item.owner.did, item.name))]))
        };
        let ways = Ways {
            first: (!self.is_first).then(|| path.to_owned()),
            previous: link("before", self.items.first().filter(|_| !self.is_first)),
            next: link("after", self.items.last().filter(|_| self.has_more)),
        };
        view! { {rows(&self.items, "")} {ways.draw()} }.into_any()
    }
}

/// An owner and a name, as addresses carry them.
fn place(text: &str) -> Result<(&str, &str), WebError> {
    match text.split_once('/') {
        Some(place) if text.len() <= 4_000 && !text.contains('\0') => Ok(place),
        None if text.is_empty() => Ok(("", "")),
        _ => Err(WebError::BadRequest("This page's address is broken: its cursor is not one of ours.".to_owned())),
    }
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
                fact("Successor", view! { <a href=address::hold(did)>{format::hold(did)}</a> })
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
