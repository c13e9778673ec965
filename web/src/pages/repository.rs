use leptos::prelude::*;
use store::queries::{HoldView, ManifestView, RecordView, RepositoryView, TagView};
use types::{Collection, RecordId, RepositoryName, Rkey, Tag};

use super::{manifest, tags};
use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{facts, flag::flag, icon::Icon, notice, provenance::provenance, pull, words},
    error::WebError,
    owner::{self, Account},
    text::{artifact, format, markdown},
};

/// A repository as its pages need it.
pub struct Repository {
    /// Whose.
    pub account: Account,
    /// Its name.
    pub name: RepositoryName,
    /// What the index knows.
    pub view: RepositoryView,
    /// The hold of the latest manifest.
    pub hold: Option<HoldView>,
}

impl Repository {
    /// Finds a repository by its owner and its name as they were written.
    pub async fn find(visit: &Visit, owner: &str, name: &str) -> Result<Self, WebError> {
        let reader = visit.web.reader();
        let account = owner::find(reader, owner).await?;
        let unknown = || WebError::NoRepository { owner: account.owner.name().to_owned(), name: name.to_owned() };
        let name: RepositoryName = name.parse().map_err(|_| unknown())?;
        let view = reader.repository(&account.did, &name).await?.ok_or_else(unknown)?;
        let hold = hold(visit, view.hold.as_deref()).await?;
        Ok(Self { account, name, view, hold })
    }

    /// Its page.
    pub fn path(&self) -> String {
        address::repository(self.account.owner.name(), self.name.as_str())
    }

    /// Its parts, by their names in the change log. What manifests say is fetched once and told under the repository.
    pub fn made_of(&self) -> Vec<String> {
        let hold = self
            .view
            .hold
            .iter()
            .flat_map(|hold| [format!("hold:{hold}"), format!("captain:{hold}"), format!("did:{hold}")]);
        let own = [format!("repository:{}/{}", self.account.did, self.name), format!("did:{}", self.account.did)];
        own.into_iter().chain(hold).collect()
    }

    /// `owner/name`, to be shown.
    pub fn title(&self) -> String {
        format::shown(&format!("{}/{}", self.account.owner.name(), self.name))
    }
}

/// Everything under `/r/`: a repository, or one of its manifests.
pub async fn page(visit: Visit) -> Result<Answer, WebError> {
    let asked = address::parse_repository_path(visit.path.strip_prefix("/r/").unwrap_or_default());
    if asked.name.is_empty() {
        return Ok(Answer::Redirect(address::user(&asked.owner)));
    }
    let repository = Repository::find(&visit, &asked.owner, &asked.name).await?;
    if repository.account.owner.name() != asked.owner {
        let path = match &asked.digest {
            Some(digest) => address::manifest(repository.account.owner.name(), &asked.name, digest),
            None => repository.path(),
        };
        let kept = ["tab", "tag", "filter", "client"].map(|name| (name, visit.query(name)));
        return Ok(Answer::Redirect(address::with_query(&path, &kept)));
    }
    if let Some(digest) = asked.digest {
        return manifest::page(&visit, &repository, &digest).await;
    }
    show(&visit, &repository).await
}

async fn show(visit: &Visit, repository: &Repository) -> Result<Answer, WebError> {
    let chosen = chosen_tag(visit, repository).await?;
    let record = match &repository.view.latest_rkey {
        Some(rkey) => manifest_record(visit, repository, rkey).await?,
        None => None,
    };
    let latest = manifest_of(visit, repository, repository.view.latest_digest.as_deref()).await?;
    let hashed = latest.as_ref().is_some_and(|latest| latest.bytes.is_some());
    let shown = match &chosen {
        Some(tag) => manifest_of(visit, repository, tag.digest.as_deref()).await?,
        None => latest,
    };
    let main = if visit.query("tab") == "tags" {
        tags::section(visit, repository).await?
    } else {
        overview(visit, repository).await?
    };
    let body = view! {
        <div class="repo">
            {head(repository, repository.hold.as_ref())}
            <div class="repo-pull">
                {pull_command(visit, repository, chosen.as_ref(), shown.as_ref())}
                {notice::hold_private(repository.hold.as_ref())}
            </div>
            <div class="repo-main">
                {tabs(visit, repository)}
                {main}
            </div>
            <aside class="repo-side" aria-label="Facts">
                {side(repository, chosen.as_ref())}
                {provenance(record.as_ref(), repository.account.pds.as_deref(), hashed)}
            </aside>
        </div>
    };
    let mut page = Page::new(repository.title(), repository.path(), body);
    page.description = repository.view.item.description.as_deref().map(format::shown);
    page.made_of = repository.made_of();
    Ok(page.into())
}

/// The manifest behind a digest of the repository, when it is known.
async fn manifest_of(
    visit: &Visit,
    repository: &Repository,
    digest: Option<&str>,
) -> Result<Option<ManifestView>, WebError> {
    match digest.and_then(|digest| digest.parse().ok()) {
        Some(digest) => Ok(visit.web.reader().manifest(&repository.account.did, &repository.name, &digest).await?),
        None => Ok(None),
    }
}

/// The tag in the address, which must exist.
async fn chosen_tag(visit: &Visit, repository: &Repository) -> Result<Option<TagView>, WebError> {
    let asked = visit.query("tag");
    if asked.is_empty() {
        return Ok(None);
    }
    let unknown = || WebError::NoTag {
        owner: repository.account.owner.name().to_owned(),
        name: repository.name.to_string(),
        tag: asked.chars().take(200).collect(),
    };
    let tag: Tag = asked.parse().map_err(|_| unknown())?;
    visit.web.reader().tag(&repository.account.did, &repository.name, &tag).await?.ok_or_else(unknown).map(Some)
}

/// What is known of a hold.
pub async fn hold(visit: &Visit, did: Option<&str>) -> Result<Option<HoldView>, WebError> {
    match did.and_then(|did| did.parse().ok()) {
        Some(did) => Ok(visit.web.reader().hold(&did).await?),
        None => Ok(None),
    }
}

/// The ledger's row of a manifest.
pub async fn manifest_record(
    visit: &Visit,
    repository: &Repository,
    rkey: &str,
) -> Result<Option<RecordView>, WebError> {
    let rkey: Rkey = rkey.parse().map_err(store::StoreError::Row)?;
    let id = RecordId { did: repository.account.did.clone(), collection: Collection::Manifest, rkey };
    Ok(visit.web.reader().record(&id).await?)
}

/// Who and what, and what is wrong with it: its name, or the hold of what is shown.
pub fn head(repository: &Repository, hold: Option<&HoldView>) -> AnyView {
    let owner = repository.account.owner.name();
    let item = &repository.view.item;
    let not_pullable = repository
        .name
        .as_str()
        .parse::<types::OciName>()
        .err()
        .map(|error| notice::not_pullable(error.why).into_any());
    view! {
        <div class="repo-head">
            {flag(&repository.account.owner.did)}
            <div>
                <h1>
                    <a href=address::user(owner)>{format::shown(owner)}</a>
                    <span class="slash">"/"</span>
                    <wbr/>
                    <a href=repository.path()><bdi>{format::shown(repository.name.as_str())}</bdi></a>
                </h1>
                {item.description.as_deref().map(|text| view! { <p class="about" dir="auto">{format::shown(text)}</p> })}
            </div>
            {not_pullable}
            {notice::hold_down(hold)}
        </div>
    }
    .into_any()
}

fn tabs(visit: &Visit, repository: &Repository) -> impl IntoView + use<> {
    let path = repository.path();
    let on_tags = visit.query("tab") == "tags";
    let tags = address::with_query(&path, &[("tab", "tags")]);
    view! {
        <nav class="tabs" aria-label="Tabs">
            <a href=path aria-current=(!on_tags).then_some("page")>"Overview"</a>
            <a href=tags aria-current=on_tags.then_some("page")>
                "Tags " <span class="muted">{words::count(repository.view.tags.into())}</span>
            </a>
        </nav>
    }
}

/// The README, or else the tags.
async fn overview(visit: &Visit, repository: &Repository) -> Result<AnyView, WebError> {
    if let Some(readme) = repository.view.readme.as_deref() {
        let html = markdown::to_html(readme);
        return Ok(view! { <article class="readme" dir="auto" inner_html=html></article> }.into_any());
    }
    let tags = tags::section(visit, repository).await?;
    Ok(view! { <p class="muted no-readme">"The owner has not written a README; these are the tags."</p> {tags} }
        .into_any())
}

fn pull_command(
    visit: &Visit,
    repository: &Repository,
    chosen: Option<&TagView>,
    shown: Option<&ManifestView>,
) -> Option<AnyView> {
    if let Some(chart) = shown.filter(|shown| artifact::is_helm_chart(shown)) {
        return manifest::pull_command(visit, repository, chart);
    }
    let name = repository.name.oci()?;
    let view = &repository.view;
    let what =
        chosen.map(|tag| tag.tag.as_str()).or(view.item.latest_tag.as_deref()).or(view.latest_digest.as_deref())?;
    let reference = pull::reference(&visit.web.config().public_url, &repository.account.owner, &name, what)?;
    Some(pull::pull(visit, &reference))
}

fn side(repository: &Repository, chosen: Option<&TagView>) -> AnyView {
    let view = &repository.view;
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let (tag, digest, size, platforms, updated) = match chosen {
        Some(tag) => (Some(&tag.tag), tag.digest.as_deref(), tag.size, &tag.platforms, tag.updated_at),
        None => (
            view.item.latest_tag.as_ref(),
            view.latest_digest.as_deref(),
            view.size,
            &view.item.platforms,
            view.item.updated_at,
        ),
    };
    let label = if chosen.is_some() { "Tag" } else { "Latest tag" };
    let to_manifest = |digest: &str| {
        view! { <a href=address::manifest(owner, name, digest)>{words::digest(digest)}</a> }
    };
    let link = view.source.as_deref().map(|source| facts::fact("Source", facts::link(source)));
    view! {
        <dl class="facts">
            {tag.map(|tag| facts::fact(label, view! { {Icon::Tag.draw()} " " {tag.clone()} }))}
            {updated.map(|time| facts::fact("Updated", words::age(time)))}
            {digest.map(|digest| facts::fact("Digest", to_manifest(digest)))}
            {size.map(facts::size)}
            {(!platforms.0.is_empty()).then(|| facts::fact("Platforms", facts::platforms(&platforms.0)))}
            {view.licenses.as_deref().map(|licence| facts::fact("Licence", format::shown(licence)))}
            {link}
            {view.hold.as_deref().map(|did| facts::hold(did, repository.hold.as_ref()))}
            {facts::fact("Stars", view! { <span class="stars">{Icon::Star.draw()}</span> " " {words::count(view.item.stars.into())} })}
            {facts::fact("Pulls", facts::pulls(view.item.pulls, view.item.claimed_pulls))}
        </dl>
    }
    .into_any()
}
