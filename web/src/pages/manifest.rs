use leptos::prelude::*;
use store::queries::{HoldView, LayerView, ManifestView, PlatformView, Referrer};
use types::Digest;

use super::repository::{self, Repository};
use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{facts, layers, notice, provenance::provenance, pull, words},
    error::WebError,
    text::{
        artifact, format,
        history::{Execution, ImageConfig},
    },
};

/// Referrers shown of a manifest.
const MOST_REFERRERS: u64 = 50;

/// A manifest: what it holds, what made it, where it comes from.
pub async fn page(visit: &Visit, repository: &Repository, digest: &str) -> Result<Answer, WebError> {
    let reader = visit.web.reader();
    let did = &repository.account.did;
    let parsed: Digest = digest.parse().map_err(|error: types::DigestError| WebError::BadRequest(error.to_string()))?;
    let unknown = || WebError::NoManifest {
        owner: repository.account.owner.name().to_owned(),
        name: repository.name.to_string(),
        digest: digest.to_owned(),
    };
    let manifest = reader.manifest(did, &repository.name, &parsed).await?.ok_or_else(unknown)?;
    let record = repository::manifest_record(visit, repository, &manifest.rkey).await?;
    let layers = reader.layers(did, &manifest.rkey, &manifest.digest).await?;
    let platforms = reader.platforms(did, &manifest.rkey, &manifest.digest).await?;
    let referrers = reader.referrers(did, &repository.name, &parsed, MOST_REFERRERS).await?;
    let hold = repository::hold(visit, manifest.hold.as_deref()).await?;
    let config = ImageConfig::parse(manifest.config.as_deref().unwrap_or_default());
    let body = view! {
        <div class="repo">
            {repository::head(repository, hold.as_ref())}
            <div class="repo-pull">{pull_command(visit, repository, &manifest)} {notice::hold_private(hold.as_ref())}</div>
            <div class="repo-main">
                <h2 class="wrap">{artifact::name(&manifest, &layers)} " " {words::digest(&manifest.digest)}</h2>
                {platform_list(repository, &platforms)}
                {layers::section(&layers, &config.instructions())}
                {referrer_list(repository, &referrers)}
                {config.config.as_ref().map(execution)}
                {pairs("Annotations", manifest.annotations.0.iter().map(|(name, value)| (name.as_str(), value.as_str())))}
                {raw(&manifest)}
            </div>
            <aside class="repo-side" aria-label="Facts">
                {side(repository, &manifest, &layers, hold.as_ref())}
                {provenance(record.as_ref(), repository.account.pds.as_deref(), manifest.bytes.is_some())}
            </aside>
        </div>
    };
    let path = address::manifest(repository.account.owner.name(), repository.name.as_str(), &manifest.digest);
    let title = format!("{} {}", repository.title(), format::short_digest(&manifest.digest));
    Ok(Page::new(title, path, body).into())
}

/// The command that pulls a manifest: by digest, but a chart by its version if it has one.
pub fn pull_command(visit: &Visit, repository: &Repository, manifest: &ManifestView) -> Option<AnyView> {
    let name = repository.name.oci()?;
    let reference =
        pull::reference(&visit.web.config().public_url, &repository.account.owner, &name, &manifest.digest)?;
    if artifact::is_helm_chart(manifest) {
        return Some(pull::chart(visit, &reference, manifest.tags.0.iter().map(String::as_str)));
    }
    Some(pull::pull(visit, &reference))
}

fn side(repository: &Repository, manifest: &ManifestView, layers: &[LayerView], hold: Option<&HoldView>) -> AnyView {
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let about = |subject: &str| {
        view! { <a href=address::manifest(owner, name, subject)>{words::digest(subject)}</a> }
    };
    let digest = view! { <code class="wrap">{manifest.digest.clone()}</code> {words::copy(manifest.digest.clone(), "the digest")} };
    let tags = (!manifest.tags.0.is_empty()).then(|| facts::fact("Tags", facts::tags(owner, name, &manifest.tags.0)));
    let size = if layers.is_empty() { manifest.size } else { layers.iter().map(|layer| layer.size).sum() };
    view! {
        <dl class="facts">
            {facts::fact("Digest", digest)}
            {tags}
            {manifest.created_at.map(|time| facts::fact("Pushed", words::age(time)))}
            {(manifest.kind == "image").then(|| facts::size(size))}
            {manifest.subject.as_deref().map(|subject| facts::fact("About", about(subject)))}
            {facts::fact("Media type", view! { <code class="wrap">{format::shown(&manifest.media_type)}</code> })}
            {manifest.hold.as_deref().map(|did| facts::hold(did, hold))}
        </dl>
    }
    .into_any()
}

fn platform_list(repository: &Repository, platforms: &[PlatformView]) -> Option<AnyView> {
    if platforms.is_empty() {
        return None;
    }
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let row = |platform: &PlatformView| {
        let label = platform.platform.as_deref().map_or_else(|| "Attestation".to_owned(), format::shown);
        view! {
            <tr>
                <th scope="row" data-label="Platform">{label}</th>
                <td data-label="Digest">
                    <a href=address::manifest(owner, name, &platform.digest)>{words::digest(&platform.digest)}</a>
                </td>
                <td data-label="Size" class="number">
                    {platform.size.map_or_else(|| "–".into_any(), |size| words::size(size).into_any())}
                </td>
            </tr>
        }
    };
    let view = view! {
        <section aria-labelledby="platforms">
            <h3 id="platforms">"Platforms"</h3>
            <table class="cards">
                <thead>
                    <tr><th scope="col">"Platform"</th><th scope="col">"Digest"</th><th scope="col" class="number">"Size"</th></tr>
                </thead>
                <tbody>{platforms.iter().map(row).collect_view()}</tbody>
            </table>
        </section>
    };
    Some(view.into_any())
}

fn referrer_list(repository: &Repository, referrers: &[Referrer]) -> Option<AnyView> {
    if referrers.is_empty() {
        return None;
    }
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let row = |referrer: &Referrer| {
        let href = address::manifest(owner, name, &referrer.digest);
        view! { <li>{artifact::referrer(referrer)} " " <a href=href>{words::digest(&referrer.digest)}</a></li> }
    };
    let view = view! {
        <section aria-labelledby="referrers">
            <h3 id="referrers">"Published about it"</h3>
            <ul class="referrers">{referrers.iter().map(row).collect_view()}</ul>
        </section>
    };
    Some(view.into_any())
}

fn execution(config: &Execution) -> AnyView {
    let command = |words: &Option<Vec<String>>| words.as_ref().map(|words| words.join(" ")).unwrap_or_default();
    let ports = config.exposed_ports.as_ref().map(|ports| ports.keys().cloned().collect::<Vec<_>>().join(", "));
    let texts = [
        ("Entrypoint", command(&config.entrypoint)),
        ("Command", command(&config.cmd)),
        ("User", config.user.clone().unwrap_or_default()),
        ("Working folder", config.working_dir.clone().unwrap_or_default()),
        ("Ports", ports.unwrap_or_default()),
        ("Environment", config.env.as_ref().map(|env| env.join("\n")).unwrap_or_default()),
    ];
    let texts = texts.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (*name, text.as_str()));
    let labels = config.labels.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()));
    view! { {pairs("Configuration", texts)} {pairs("Labels", labels)} }.into_any()
}

/// A list of names and texts of strangers, cut at 200.
fn pairs<'a>(heading: &'static str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<AnyView> {
    let pair = |(name, value): (&str, &str)| {
        let value: String = value.chars().take(4_000).map(|c| if c == '\n' { c } else { shown_char(c) }).collect();
        view! { <dt>{format::shown(name)}</dt><dd dir="auto">{value}</dd> }
    };
    let rows: Vec<_> = pairs.take(200).map(pair).collect();
    if rows.is_empty() {
        return None;
    }
    Some(view! { <section><h3>{heading}</h3><dl class="pairs">{rows}</dl></section> }.into_any())
}

fn shown_char(c: char) -> char {
    if format::is_deceptive(c) { '\u{fffd}' } else { c }
}

/// The manifest as it is served, if its bytes are here; they are JSON, or would not have been kept.
fn raw(manifest: &ManifestView) -> Option<AnyView> {
    let value: serde_json::Value = serde_json::from_slice(manifest.bytes.as_deref()?).ok()?;
    let text = serde_json::to_string_pretty(&value).ok()?;
    let view = view! {
        <details class="raw">
            <summary>"Raw manifest"</summary>
            <pre tabindex="0"><code>{text}</code></pre>
        </details>
    };
    Some(view.into_any())
}
