use leptos::prelude::*;
use store::queries::{HoldView, LayerView, ManifestView, PlatformView, Referrer, TagView};
use types::Digest;

use super::repository::{self, Repository, Tab};
use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{
        facts, layers,
        provenance::provenance,
        pull::{self, Subject},
        words,
    },
    error::WebError,
    text::{artifact, format, history::ImageConfig, json},
};

/// Referrers shown of a manifest.
const MOST_REFERRERS: u64 = 50;
/// Platforms shown of an index.
const MOST_PLATFORMS: usize = 100;
/// Bytes of a manifest that come with its page, folded; larger ones are shown when they are asked for, up to the second.
const RAW_BESIDES: usize = 4_000;
const RAW_ALONE: usize = 256_000;

/// A manifest: what it holds, what made it, where it comes from.
pub async fn page(visit: &Visit, repository: &Repository, digest: &str) -> Result<Answer, WebError> {
    let reader = visit.web.reader();
    let did = &repository.account.did;
    let parsed = parse(digest)?;
    let manifest = find(visit, repository, &parsed).await?;
    let record = repository::manifest_record(visit, repository, &manifest.rkey).await?;
    let layers = reader.layers(did, &manifest.rkey, &manifest.digest).await?;
    let platforms = reader.platforms(did, &manifest.rkey, &manifest.digest).await?;
    let referrers = reader.referrers(did, &repository.name, &parsed, MOST_REFERRERS).await?;
    let scan = reader.scan(did, &parsed).await?;
    let hold = repository::hold(visit, manifest.hold.as_deref()).await?;
    let config = ImageConfig::parse(manifest.config.as_deref().unwrap_or_default());
    let history = config.instructions();
    let body = view! {
        <div class="repo">
            {repository::head(repository, hold.as_ref())}
            <div class="repo-pull">{pull_command(visit, repository, &manifest, None, hold.as_ref())}</div>
            <div class="repo-main">
                {repository::tabs(repository, Tab::None)}
                <h2 class="wrap">{artifact::name(&manifest, &layers)} " " {words::digest(&manifest.digest)}</h2>
                {platform_list(repository, &platforms)}
                {layers::section(&layers, &history)}
                {referrer_list(repository, &referrers)}
                {pairs("Configuration", config.execution().iter().map(|(name, value)| (name.as_str(), value.as_str())))}
                {layers::dockerfile(&layers, &history)}
                {pairs("Annotations", manifest.annotations.0.iter().map(|(name, value)| (name.as_str(), value.as_str())))}
                {config.config.iter().flat_map(|config| &config.labels).map(|labels| {
                    pairs("Labels", labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
                }).collect_view()}
                {raw(visit, repository, &manifest)}
            </div>
            <aside class="repo-side" aria-label="Facts">
                {facts::folded(view! {
                    {side(repository, &manifest, &layers, &config)}
                    {scan.as_ref().map(facts::scan)}
                    {manifest.hold.as_deref().map(|did| facts::hold(did, hold.as_ref()))}
                })}
                {provenance(record.as_ref(), repository.account.pds.as_deref(), manifest.fetched_at)}
            </aside>
        </div>
    };
    let path = address::manifest(repository.account.owner.name(), repository.name.as_str(), &manifest.digest);
    let title = format!("{} {}", repository.title(), format::short_digest(&manifest.digest));
    Ok(Page::new(title, path, body).into())
}

/// A digest as it was written.
pub fn parse(digest: &str) -> Result<Digest, WebError> {
    digest.parse().map_err(|error: types::DigestError| WebError::BadRequest(error.to_string()))
}

/// A manifest of the repository.
pub async fn find(visit: &Visit, repository: &Repository, digest: &Digest) -> Result<ManifestView, WebError> {
    let unknown = || WebError::NoManifest {
        owner: repository.account.owner.name().to_owned(),
        name: repository.name.to_string(),
        digest: digest.to_string(),
    };
    visit.web.reader().manifest(&repository.account.did, &repository.name, digest).await?.ok_or_else(unknown)
}

/// The commands that pull a manifest: by the tag that is meant, if one is, and by digest. A chart has a version if any of
/// its tags is one.
pub fn pull_command(
    visit: &Visit,
    repository: &Repository,
    manifest: &ManifestView,
    tag: Option<&TagView>,
    hold: Option<&HoldView>,
) -> Option<AnyView> {
    let (owner, name) = (&repository.account.owner, repository.name.oci()?);
    let kind = artifact::kind(manifest);
    let mut tags: Vec<&str> = tag.iter().map(|tag| tag.tag.as_str()).collect();
    if kind == artifact::Kind::Chart {
        tags.extend(manifest.tags.0.iter().map(String::as_str));
    }
    pull::pull(visit, &Subject { owner, name: &name, kind, tags, digest: Some(&manifest.digest), hold })
}

fn side(repository: &Repository, manifest: &ManifestView, layers: &[LayerView], config: &ImageConfig) -> AnyView {
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let about = |subject: &str| {
        view! { <a href=address::manifest(owner, name, subject)>{words::digest(subject)}</a> }
    };
    let digest = view! { <code class="wrap">{manifest.digest.clone()}</code> {words::copy(manifest.digest.clone(), "the digest")} };
    let tags = (!manifest.tags.0.is_empty()).then(|| facts::fact("Tags", facts::tags(owner, name, &manifest.tags.0)));
    let size = if layers.is_empty() { manifest.size } else { layers.iter().map(|layer| layer.size).sum() };
    let built = config.created.as_deref().and_then(|text| text.parse().ok());
    let compare = view! { <a href=address::compare(owner, name, &manifest.digest, "") rel="nofollow">"with another manifest"</a> };
    view! {
        {facts::fact("Digest", digest)}
        {tags}
        {config.platform().map(|platform| facts::fact("Platform", format::shown_lines(&platform, 100)))}
        {manifest.created_at.map(|time| facts::fact("Pushed", words::age(time)))}
        {built.map(|time| facts::fact("Built", words::age(time)))}
        {(manifest.kind == "image").then(|| facts::size(size))}
        {manifest.subject.as_deref().map(|subject| facts::fact("About", about(subject)))}
        {facts::fact("Media type", view! { <code class="wrap">{format::shown_lines(&manifest.media_type, 200)}</code> })}
        {facts::fact("Compare", compare)}
    }
    .into_any()
}

fn platform_list(repository: &Repository, platforms: &[PlatformView]) -> Option<AnyView> {
    if platforms.is_empty() {
        return None;
    }
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let largest = platforms.iter().filter_map(|platform| platform.size).max().unwrap_or_default().max(1);
    let row = |platform: &PlatformView| {
        let label = platform
            .platform
            .as_deref()
            .map_or_else(|| "Attestation".to_owned(), |name| format::shown_lines(name, 100));
        let href = address::manifest(owner, name, &platform.digest);
        view! {
            <tr>
                <th scope="row" data-label="Platform"><a href=href>{label}</a></th>
                <td data-label="Digest">{words::digest(&platform.digest)} {words::copy_beside("the digest")}</td>
                <td data-label="Size" class="number">
                    {platform.size.map_or_else(|| "–".into_any(), |size| words::size(size).into_any())}
                </td>
                <td class="meter">{platform.size.map(|size| meter(size, largest))}</td>
            </tr>
        }
    };
    let more = (platforms.len() > MOST_PLATFORMS)
        .then(|| view! { <p class="muted">{platforms.len() - MOST_PLATFORMS} " more entries"</p> });
    let view = view! {
        <section aria-labelledby="platforms">
            <h3 id="platforms">"Platforms"</h3>
            <table class="cards platforms">
                <thead>
                    <tr>
                        <th scope="col">"Platform"</th>
                        <th scope="col">"Digest"</th>
                        <th scope="col" class="number">"Size"</th>
                        <th scope="col" class="meter"><span class="hidden">"Beside the largest"</span></th>
                    </tr>
                </thead>
                <tbody>{platforms.iter().take(MOST_PLATFORMS).map(row).collect_view()}</tbody>
            </table>
            {more}
        </section>
    };
    Some(view.into_any())
}

/// How large something is beside the largest.
fn meter(size: i64, largest: i64) -> AnyView {
    let width = i64::try_from(i128::from(size.max(0)) * 100 / i128::from(largest)).unwrap_or(100).clamp(1, 100);
    view! {
        <svg viewBox="0 0 100 8" width="100" height="8" preserveAspectRatio="none" aria-hidden="true">
            <rect class="fill-0" x="0" y="0" width=width height="8" rx="2"></rect>
        </svg>
    }
    .into_any()
}

fn referrer_list(repository: &Repository, referrers: &[Referrer]) -> Option<AnyView> {
    if referrers.is_empty() {
        return None;
    }
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let row = |referrer: &Referrer| {
        let href = address::manifest(owner, name, &referrer.digest);
        let media_type =
            referrer.artifact_type.as_deref().or(referrer.config_media_type.as_deref()).unwrap_or_default();
        let media_type = (!media_type.is_empty())
            .then(|| view! { <code class="muted wrap">{format::shown_lines(media_type, 100)}</code> });
        view! { <li><a href=href>{artifact::referrer(referrer)}</a> " " {words::digest(&referrer.digest)} " " {media_type}</li> }
    };
    let view = view! {
        <section aria-labelledby="referrers">
            <h3 id="referrers">"Published about it"</h3>
            <ul class="referrers">{referrers.iter().map(row).collect_view()}</ul>
        </section>
    };
    Some(view.into_any())
}

/// A list of names and texts of strangers: at most 200, each at most 1,000 characters, all at most 12,000.
fn pairs<'a>(heading: &'static str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<AnyView> {
    let mut left = 12_000_usize;
    let pair = |(name, value): (&str, &str)| {
        let name = format::shown_lines(name, 200);
        let value = format::shown_lines(value, left.min(1_000));
        left = left.saturating_sub(name.len() + value.len());
        view! { <dt>{name}</dt><dd dir="auto">{value}</dd> }
    };
    let rows: Vec<_> = pairs.take(200).map(pair).collect();
    if rows.is_empty() {
        return None;
    }
    Some(view! { <section><h3>{heading}</h3><dl class="pairs">{rows}</dl></section> }.into_any())
}

/// The manifest as it is served, if its bytes are here: folded, or behind a link when it is long.
fn raw(visit: &Visit, repository: &Repository, manifest: &ManifestView) -> Option<AnyView> {
    let bytes = manifest.bytes.as_deref()?;
    let is_asked = !visit.query("raw").is_empty();
    let size = view! { <span class="muted">" " {format::size(i64::try_from(bytes.len()).unwrap_or(i64::MAX))}</span> };
    if bytes.len() > if is_asked { RAW_ALONE } else { RAW_BESIDES } {
        let path = address::manifest(repository.account.owner.name(), repository.name.as_str(), &manifest.digest);
        let href = format!("{}#raw", address::with_query(&path, &[("raw", "1")]));
        let view = match is_asked {
            true => view! { <p class="muted">"The manifest is too long to be shown here. Clients get it whole."</p> }
                .into_any(),
            false => view! { <p><a href=href rel="nofollow">"Raw manifest"</a>{size}</p> }.into_any(),
        };
        return Some(view! { <section id="raw" class="raw">{view}</section> }.into_any());
    }
    let html = json::highlighted(bytes)?;
    let view = view! {
        <details class="raw" id="raw" open=is_asked>
            <summary>"Raw manifest"{size}</summary>
            <pre class="json" tabindex="0"><code inner_html=html></code></pre>
        </details>
    };
    Some(view.into_any())
}
