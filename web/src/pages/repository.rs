use leptos::prelude::*;
use store::queries::{HoldView, ManifestView, PlatformView, RecordView, RepositoryView, TagView};
use types::{Collection, RecordId, RepositoryName, Rkey, Tag};

use super::{activity, compare, manifest, overview, tags};
use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{
        avatar::avatar,
        facts,
        icon::Icon,
        notice,
        provenance::provenance,
        pull::{self, Subject},
        words,
    },
    error::WebError,
    owner::{self, Account},
    pictures::Signer,
    text::{artifact::Kind, format, history::ImageConfig},
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
    /// Signs its pictures, if any may be fetched.
    pub signer: Option<Signer>,
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
        let signer = visit.web.signer().await;
        Ok(Self { account, name, view, hold, signer })
    }

    /// Its page.
    pub fn path(&self) -> String {
        address::repository(self.account.owner.name(), self.name.as_str())
    }

    /// It has no such tag, or none that leads anywhere.
    pub fn no_tag(&self, tag: &str) -> WebError {
        WebError::NoTag {
            owner: self.account.owner.name().to_owned(),
            name: self.name.to_string(),
            tag: tag.chars().take(200).collect(),
        }
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
        let owner = repository.account.owner.name();
        let path = match &asked.digest {
            Some(digest) => address::manifest(owner, &asked.name, digest),
            None if asked.compares => address::compare(owner, &asked.name, "", ""),
            None => repository.path(),
        };
        let kept =
            ["tab", "tag", "filter", "sort", "client", "from", "to", "platform"].map(|name| (name, visit.short(name)));
        return Ok(Answer::Redirect(address::with_query(&path, &kept)));
    }
    if let Some(digest) = asked.digest {
        return manifest::page(&visit, &repository, &digest).await;
    }
    if asked.compares {
        return compare::page(&visit, &repository).await;
    }
    show(&visit, &repository).await
}

/// What is shown of a repository: the tag in the address, or else the one that people mean, and what is behind it.
struct Shown {
    tag: Option<TagView>,
    is_chosen: bool,
    manifest: Option<ManifestView>,
    record: Option<RecordView>,
    /// Of an index.
    platforms: Vec<PlatformView>,
    hold: Option<HoldView>,
}

impl Shown {
    async fn load(visit: &Visit, repository: &Repository) -> Result<Self, WebError> {
        let (reader, did) = (visit.web.reader(), &repository.account.did);
        let chosen = chosen_tag(visit, repository).await?;
        let is_chosen = chosen.is_some();
        let tag = match (chosen, &repository.view.item.latest_tag) {
            (Some(chosen), _) => Some(chosen),
            (None, Some(latest)) => match latest.parse() {
                Ok(tag) => reader.tag(did, &repository.name, &tag).await?,
                Err(_) => None,
            },
            (None, None) => None,
        };
        let digest = match &tag {
            Some(tag) => tag.digest.as_deref(),
            None => repository.view.latest_digest.as_deref(),
        };
        let manifest = manifest_of(visit, repository, digest).await?;
        let (mut record, mut platforms) = (None, Vec::new());
        if let Some(manifest) = &manifest {
            record = manifest_record(visit, repository, &manifest.rkey).await?;
            if manifest.kind == "index" {
                platforms = reader.platforms(did, &manifest.rkey, &manifest.digest).await?;
            }
        }
        let named = manifest.as_ref().and_then(|manifest| manifest.hold.as_deref());
        let hold =
            if named == repository.view.hold.as_deref() { repository.hold.clone() } else { hold(visit, named).await? };
        Ok(Self { tag, is_chosen, manifest, record, platforms, hold })
    }
}

async fn show(visit: &Visit, repository: &Repository) -> Result<Answer, WebError> {
    let shown = Shown::load(visit, repository).await?;
    let tab = Tab::of(visit);
    let main = match tab {
        Tab::Tags => tags::section(visit, repository).await?,
        Tab::Activity => activity::section(visit, repository).await?,
        _ => overview::section(visit, repository).await?,
    };
    let fetched = shown.manifest.as_ref().and_then(|manifest| manifest.fetched_at);
    let body = view! {
        <div class="repo" class:wide=tab == Tab::Tags>
            {head(repository, shown.hold.as_ref())}
            <div class="repo-pull">{pull_command(visit, repository, &shown)}</div>
            <div class="repo-main">
                {tabs(repository, tab)}
                {main}
            </div>
            <aside class="repo-side" aria-label="Facts">
                {facts::folded(side(repository, &shown))}
                {labels(&shown)}
                {provenance(shown.record.as_ref(), repository.account.pds.as_deref(), fetched)}
            </aside>
        </div>
    };
    let mut page = Page::new(repository.title(), repository.path(), body);
    page.description = repository.view.item.description.as_deref().map(|text| format::shown_lines(text, 300));
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
    match visit.query("tag") {
        "" => Ok(None),
        asked => tag(visit, repository, asked).await.map(Some),
    }
}

/// A tag of the repository as it was written.
pub async fn tag(visit: &Visit, repository: &Repository, asked: &str) -> Result<TagView, WebError> {
    let unknown = || repository.no_tag(asked);
    let tag: Tag = asked.parse().map_err(|_| unknown())?;
    visit.web.reader().tag(&repository.account.did, &repository.name, &tag).await?.ok_or_else(unknown)
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
            {avatar(&repository.account.owner.did, item.avatar_cid.as_deref(), repository.signer.as_ref())}
            <div>
                <h1>
                    <a href=address::user(owner)>{format::shown(owner)}</a>
                    <span class="slash">"/"</span>
                    <wbr/>
                    <a href=repository.path()><bdi>{format::shown(repository.name.as_str())}</bdi></a>
                </h1>
                {item.description.as_deref().map(|text| view! { <p class="about" dir="auto">{format::shown_lines(text, 500)}</p> })}
            </div>
            {not_pullable}
            {notice::hold_down(hold)}
        </div>
    }
    .into_any()
}

/// The tabs of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// The README.
    Overview,
    /// Its tags.
    Tags,
    /// What happened to its tags.
    Activity,
    /// Two of its tags side by side.
    Compare,
    /// A page below them.
    None,
}

impl Tab {
    fn of(visit: &Visit) -> Self {
        match visit.query("tab") {
            "tags" => Self::Tags,
            "activity" => Self::Activity,
            _ => Self::Overview,
        }
    }
}

/// The way from each part of a repository to the others.
pub fn tabs(repository: &Repository, current: Tab) -> impl IntoView + use<> {
    let path = repository.path();
    let [tags, activity] = ["tags", "activity"].map(|tab| address::with_query(&path, &[("tab", tab)]));
    let is = |tab| (tab == current).then_some("page");
    let compare = address::compare(repository.account.owner.name(), repository.name.as_str(), "", "");
    view! {
        <nav class="tabs" aria-label="Tabs">
            <a href=path aria-current=is(Tab::Overview)>"Overview"</a>
            <a href=tags aria-current=is(Tab::Tags)>
                "Tags " <span class="muted">{words::count(repository.view.tags.into())}</span>
            </a>
            <a href=activity aria-current=is(Tab::Activity)>"Activity"</a>
            <a href=compare rel="nofollow" aria-current=is(Tab::Compare)>"Compare"</a>
        </nav>
    }
}

fn pull_command(visit: &Visit, repository: &Repository, shown: &Shown) -> Option<AnyView> {
    if let Some(manifest) = &shown.manifest {
        return manifest::pull_command(visit, repository, manifest, shown.tag.as_ref(), shown.hold.as_ref());
    }
    // What a tag points at may not be known yet; clients ask for the tag all the same.
    let (owner, name) = (&repository.account.owner, repository.name.oci()?);
    let tags = shown.tag.iter().map(|tag| tag.tag.as_str()).collect();
    let digest = repository.view.latest_digest.as_deref().filter(|_| shown.tag.is_none());
    pull::pull(visit, &Subject { owner, name: &name, kind: Kind::Image, tags, digest, hold: shown.hold.as_ref() })
}

fn side(repository: &Repository, shown: &Shown) -> AnyView {
    let view = &repository.view;
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let tag = shown.tag.as_ref();
    let digest = tag.and_then(|tag| tag.digest.as_deref()).or(view.latest_digest.as_deref());
    let is_newest = |pushed: &str| tag.is_some_and(|tag| tag.tag == pushed);
    let updated = view.item.updated_at.map(|time| {
        // Of the tag that is shown this is said once.
        let by = view.item.updated_tag.clone().filter(|tag| !is_newest(tag)).map(|tag| {
            let href = address::with_query(&repository.path(), &[("tag", &tag)]);
            view! { " " <span class="muted">"as "</span> <a class="wrap" href=href>{tag}</a> }
        });
        facts::fact("Updated", view! { {words::age(time)} {by} })
    });
    let size = tag.map_or(view.size, |tag| tag.size);
    let platforms = tag.map_or(&view.item.platforms, |tag| &tag.platforms);
    let label = if shown.is_chosen { "Tag" } else { "Latest tag" };
    let to_manifest = |digest: &str| {
        view! { <a href=address::manifest(owner, name, digest)>{words::digest(digest)}</a> }
    };
    let link = view.source.as_deref().map(|source| facts::fact("Source", facts::link(source)));
    let sizes = if shown.platforms.iter().any(|platform| platform.platform.is_some()) {
        facts::platform_sizes(owner, name, &shown.platforms)
    } else {
        let platforms = (!platforms.0.is_empty()).then(|| facts::fact("Platforms", facts::platforms(&platforms.0)));
        view! { {size.map(facts::size)} {platforms} }.into_any()
    };
    let hold = shown.manifest.as_ref().and_then(|manifest| manifest.hold.as_deref()).or(view.hold.as_deref());
    view! {
            {tag.map(|tag| {
                let pushed = tag.updated_at.filter(|_| view.item.updated_tag.as_deref().is_none_or(|tag| !is_newest(tag))).map(|time| view! { <span class="muted">", pushed " {words::age(time)}</span> });
                facts::fact(label, view! { {Icon::Tag.draw()} " " <span class="wrap">{tag.tag.clone()}</span> {pushed} })
            })}
            {updated}
            {digest.map(|digest| facts::fact("Digest", to_manifest(digest)))}
            {sizes}
            {tag.and_then(|tag| tag.scan.as_ref()).map(facts::scan)}
            {view.licenses.as_deref().map(|licence| facts::fact("Licence", format::shown_lines(licence, 200)))}
            {link}
            {hold.map(|did| facts::hold(did, shown.hold.as_ref()))}
            {facts::fact("Stars", view! { <span class="stars">{Icon::Star.draw()}</span> " " {words::count(view.item.stars.into())} })}
            {facts::fact("Pulls", facts::pulls(view.item.pulls, view.item.claimed_pulls))}
    }
    .into_any()
}

/// The manifest's annotations and the image's labels; of two that agree, one.
fn labels(shown: &Shown) -> Option<AnyView> {
    let manifest = shown.manifest.as_ref()?;
    let config = ImageConfig::parse(manifest.config.as_deref().unwrap_or_default());
    let labels = config.config.and_then(|config| config.labels).unwrap_or_default();
    let annotations = &manifest.annotations.0;
    let both = labels.iter().filter(|(name, value)| annotations.get(*name) != Some(value)).chain(annotations);
    facts::labels(both.map(|(name, value)| (name.as_str(), value.as_str())))
}
