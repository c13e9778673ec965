use http::StatusCode;
use leptos::prelude::*;
use store::queries::{LayerView, ManifestView, PlatformView, TagsAsked};

use super::{
    manifest,
    repository::{self, Repository, Tab},
};
use crate::{
    address,
    app::{Answer, Page, Visit},
    components::{layers, words},
    error::WebError,
    text::{
        compare::{self, Difference, In},
        format,
        history::ImageConfig,
    },
};

/// What a value is cut to.
const MOST_CHARACTERS: usize = 600;
/// Values that are shown, at most.
const MOST_VALUES: usize = 200;

/// One of the two that are compared.
struct Side {
    /// A tag or a digest, as it was asked for.
    asked: String,
    manifest: ManifestView,
    /// Of an index.
    platforms: Vec<PlatformView>,
}

/// An image: what was asked for, or the one for the platform that both have.
struct Image {
    manifest: ManifestView,
    layers: Vec<LayerView>,
    config: ImageConfig,
}

/// Two tags or digests side by side; before both are chosen, the form that asks.
pub async fn page(visit: &Visit, repository: &Repository) -> Result<Answer, WebError> {
    let [from, to] = ["from", "to"].map(|name| visit.query(name).trim());
    let (mut status, mut unknown) = (StatusCode::OK, [false, false]);
    let compared = if from.is_empty() || to.is_empty() {
        view! { <p class="empty">"Choose two tags, or two digests, of this repository."</p> }.into_any()
    } else {
        match (side(visit, repository, from).await, side(visit, repository, to).await) {
            (Ok(from), Ok(to)) => compared(visit, repository, &from, &to).await?,
            (from, to) => {
                let errors = [from.err(), to.err()];
                unknown = [errors[0].is_some(), errors[1].is_some()];
                let errors: Vec<WebError> = errors.into_iter().flatten().collect();
                if let Some(at) = errors.iter().position(|error| matches!(error, WebError::Store(_))) {
                    return Err(errors.into_iter().nth(at).unwrap_or(WebError::Busy));
                }
                status = errors.first().map_or(StatusCode::OK, WebError::status);
                said(&errors)
            }
        }
    };
    let form = form(visit, repository, [from, to], unknown).await?;
    let hold = repository::hold(visit, repository.view.hold.as_deref()).await?;
    let body = view! {
        <div class="repo wide">
            {repository::head(repository, hold.as_ref())}
            <div class="repo-main compare">
                {repository::tabs(repository, Tab::Compare)}
                <h2>"Compare"</h2>
                {form}
                {compared}
            </div>
        </div>
    };
    let [from, to] = ["from", "to"].map(|name| visit.short(name).trim());
    let path = address::compare(repository.account.owner.name(), repository.name.as_str(), from, to);
    let mut page = Page::new(format!("Compare in {}", repository.title()), path, body);
    page.status = status;
    Ok(page.into())
}

/// What cannot be compared, one line for each.
fn said(errors: &[WebError]) -> AnyView {
    let line =
        |error: &WebError| view! { <p class="notice warn wrap"><bdi>{format::shown(&error.to_string())}</bdi></p> };
    view! { <div role="alert">{errors.iter().map(line).collect_view()}</div> }.into_any()
}

async fn side(visit: &Visit, repository: &Repository, asked: &str) -> Result<Side, WebError> {
    let reader = visit.web.reader();
    let manifest = if asked.contains(':') {
        manifest::find(visit, repository, &manifest::parse(asked)?).await?
    } else {
        let tag = repository::tag(visit, repository, asked).await?;
        let digest = tag.digest.as_deref().ok_or_else(|| repository.no_tag(asked))?;
        manifest::find(visit, repository, &manifest::parse(digest)?).await?
    };
    let platforms = match manifest.kind.as_str() {
        "index" => reader.platforms(&repository.account.did, &manifest.rkey, &manifest.digest).await?,
        _ => Vec::new(),
    };
    let platforms = platforms.into_iter().filter(|platform| platform.platform.is_some()).collect();
    Ok(Side { asked: asked.to_owned(), manifest, platforms })
}

impl Side {
    fn digest_for(&self, platform: &str) -> Option<&str> {
        if self.platforms.is_empty() {
            return Some(&self.manifest.digest);
        }
        let found = self.platforms.iter().find(|entry| entry.platform.as_deref() == Some(platform));
        found.map(|entry| entry.digest.as_str())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.platforms.iter().filter_map(|entry| entry.platform.as_deref())
    }
}

async fn image(visit: &Visit, repository: &Repository, digest: Option<&str>) -> Result<Option<Image>, WebError> {
    let (reader, did) = (visit.web.reader(), &repository.account.did);
    let Some(digest) = digest.and_then(|digest| digest.parse().ok()) else { return Ok(None) };
    let Some(manifest) = reader.manifest(did, &repository.name, &digest).await? else { return Ok(None) };
    let layers = reader.layers(did, &manifest.rkey, &manifest.digest).await?;
    let config = ImageConfig::parse(manifest.config.as_deref().unwrap_or_default());
    Ok(Some(Image { manifest, layers, config }))
}

async fn compared(visit: &Visit, repository: &Repository, from: &Side, to: &Side) -> Result<AnyView, WebError> {
    if from.manifest.digest == to.manifest.digest {
        let view = view! {
            <p class="same">"Both are the same manifest, " {words::digest(&from.manifest.digest)} ": nothing differs."</p>
        };
        return Ok(view.into_any());
    }
    let common: Vec<&str> = match (from.platforms.is_empty(), to.platforms.is_empty()) {
        (true, true) => Vec::new(),
        (true, false) => to.names().collect(),
        (false, true) => from.names().collect(),
        (false, false) => from.names().filter(|name| to.names().any(|other| other == *name)).collect(),
    };
    let asked = visit.query("platform");
    let chosen = [asked, "linux/amd64"].into_iter().find(|name| common.contains(name)).or(common.first().copied());
    let chosen = chosen.unwrap_or_default();
    let before = image(visit, repository, from.digest_for(chosen)).await?;
    let after = image(visit, repository, to.digest_for(chosen)).await?;
    let images = match (before, after) {
        (Some(before), Some(after)) => both(&before, &after),
        _ => view! {
            <p class="empty">"There is no image for the same platform in both, or it is not in the index: only the lists of platforms can be compared."</p>
        }
        .into_any(),
    };
    Ok(view! {
        {summary(repository, from, to)}
        {platforms(visit, from, to, &common, chosen)}
        {images}
    }
    .into_any())
}

fn both(before: &Image, after: &Image) -> AnyView {
    let size = |image: &Image| image.layers.iter().map(|layer| layer.size.max(0)).fold(0, i64::saturating_add);
    let (old, new) = (size(before), size(after));
    // On one scale, so that the smaller one is the shorter one.
    let whole = old.max(new);
    let units = layers::units(&before.layers, whole).max(layers::units(&after.layers, whole));
    let shared = compare::layers(&before.layers, &after.layers);
    let count = |within| shared.iter().filter(|(place, ..)| *place == within).count();
    let words = format!(
        "{} shared, {} gone, {} new. Compressed: {} → {} ({}). Whoever has the first downloads {} for the second.",
        layers::many(count(In::Both)),
        count(In::From),
        count(In::To),
        format::size(old),
        format::size(new),
        format::grown(new.saturating_sub(old)),
        format::size(compare::to_download(&before.layers, &after.layers)),
    );
    // A layer that is shared lies in both, so that its position there tells nothing of the first.
    let own = |place, index| shared.iter().any(|&(within, at, _)| within == place && at == index);
    let class = |place, index| match (own(place, index), place) {
        (true, In::From) => "fill-gone",
        (true, _) => "fill-new",
        (false, _) => "fill-same",
    };
    let differences = compare::values(values(before), values(after));
    let known = |image: &Image| image.manifest.config.is_some();
    let unknown = (!known(before) || !known(after)).then(|| {
        view! { <p class="muted">"The configuration of an image on a private hold, or not fetched yet, is not known and not compared."</p> }
    });
    view! {
        <section aria-labelledby="layers">
            <h3 id="layers">"Layers"</h3>
            <p>{words}</p>
            {layers::bar(&before.layers, |index| class(In::From, index), units, whole)}
            {layers::bar(&after.layers, |index| class(In::To, index), units, whole)}
            {layer_table(before, after, &shared)}
        </section>
        <section aria-labelledby="configuration">
            <h3 id="configuration">"Configuration and annotations"</h3>
            {unknown}
            {value_table(&differences)}
        </section>
    }
    .into_any()
}

/// What an image says of itself. What is not known of one is compared of neither.
fn values(image: &Image) -> Vec<(String, String)> {
    let mut values = image.config.execution();
    values.extend(image.config.platform().map(|platform| ("Platform".to_owned(), platform)));
    let labels = image.config.config.iter().filter_map(|config| config.labels.as_ref()).flatten();
    values.extend(labels.map(|(name, value)| (format!("Label {name}"), value.clone())));
    values
        .extend(image.manifest.annotations.0.iter().map(|(name, value)| (format!("Annotation {name}"), value.clone())));
    values
}

fn layer_table(before: &Image, after: &Image, shared: &[(In, usize, &LayerView)]) -> AnyView {
    let histories = (before.config.instructions(), after.config.instructions());
    let made_by = (layers::made_by(&before.layers, &histories.0), layers::made_by(&after.layers, &histories.1));
    let row = |&(within, index, layer): &(In, usize, &LayerView)| {
        let (class, sign, words) = match within {
            In::Both => ("is-same", "=", "shared"),
            In::From => ("is-gone", "−", "gone"),
            In::To => ("is-new", "+", "new"),
        };
        let made_by = if within == In::From { made_by.0[index] } else { made_by.1[index] };
        view! {
            <tr class=class>
                <td data-label="Layer"><span><span aria-hidden="true" class="sign">{sign}</span>" "{words}</span></td>
                <td data-label="Made by"><code class="wrap">{layers::described(layer, made_by)}</code></td>
                <td data-label="Digest">{words::digest(&layer.digest)}</td>
                <td data-label="Size" class="number">{words::size(layer.size)}</td>
            </tr>
        }
    };
    view! {
        <table class="cards layers">
            <thead>
                <tr>
                    <th scope="col">"Layer"</th>
                    <th scope="col">"Made by"</th>
                    <th scope="col">"Digest"</th>
                    <th scope="col" class="number">"Size"</th>
                </tr>
            </thead>
            <tbody>{shared.iter().take(300).map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn value_table(differences: &[Difference]) -> AnyView {
    if differences.is_empty() {
        return view! { <p class="same">"Nothing differs."</p> }.into_any();
    }
    let value = |value: &Option<String>| match value {
        Some(value) => {
            view! { <code class="wrap" dir="auto">{format::shown_lines(value, MOST_CHARACTERS)}</code> }.into_any()
        }
        None => view! { <span class="muted">"not set"</span> }.into_any(),
    };
    let row = |difference: &Difference| {
        view! {
            <tr>
                <th scope="row" data-label="Name">{format::shown_lines(&difference.name, 200)}</th>
                <td data-label="First">{value(&difference.from)}</td>
                <td data-label="Second">{value(&difference.to)}</td>
            </tr>
        }
    };
    let more = differences.len().saturating_sub(MOST_VALUES);
    let more = (more > 0).then(|| view! { <p class="muted">{more} " more values differ"</p> });
    view! {
        <table class="cards values">
            <thead><tr><th scope="col">"Name"</th><th scope="col">"First"</th><th scope="col">"Second"</th></tr></thead>
            <tbody>{differences.iter().take(MOST_VALUES).map(row).collect_view()}</tbody>
        </table>
        {more}
    }
    .into_any()
}

fn summary(repository: &Repository, from: &Side, to: &Side) -> AnyView {
    let (owner, name) = (repository.account.owner.name(), repository.name.as_str());
    let row = |label: &'static str, side: &Side| {
        let href = address::manifest(owner, name, &side.manifest.digest);
        let asked = if side.asked.contains(':') { format::short_digest(&side.asked) } else { side.asked.clone() };
        view! {
            <tr>
                <th scope="row" data-label="Side">{label}</th>
                <td data-label="Asked for" class="wrap">{asked}</td>
                <td data-label="Digest"><a href=href>{words::digest(&side.manifest.digest)}</a></td>
                <td data-label="Pushed">{words::age_or_dash(side.manifest.created_at)}</td>
            </tr>
        }
    };
    view! {
        <table class="cards sides">
            <thead>
                <tr><th scope="col">"Side"</th><th scope="col">"Asked for"</th><th scope="col">"Digest"</th><th scope="col">"Pushed"</th></tr>
            </thead>
            <tbody>{row("First", from)} {row("Second", to)}</tbody>
        </table>
    }
    .into_any()
}

/// Which platforms are only in one, and a switch between those that are in both.
fn platforms(visit: &Visit, from: &Side, to: &Side, common: &[&str], chosen: &str) -> Option<AnyView> {
    if from.platforms.is_empty() && to.platforms.is_empty() {
        return None;
    }
    let only = |here: &Side, there: &Side| {
        let gone: Vec<String> =
            here.names().filter(|name| !there.names().any(|other| other == *name)).map(format::shown).collect();
        (!gone.is_empty() && !there.platforms.is_empty()).then(|| gone.join(", "))
    };
    let link = |name: &&str| {
        let href = address::with_query(&visit.path, &[("from", &from.asked), ("to", &to.asked), ("platform", name)]);
        view! { <li><a href=href aria-current=(*name == chosen).then_some("true") rel="nofollow">{format::shown(name)}</a></li> }
    };
    let view = view! {
        <section aria-labelledby="platforms">
            <h3 id="platforms">"Platforms"</h3>
            {only(from, to).map(|gone| view! { <p>"Only in the first: " {gone}</p> })}
            {only(to, from).map(|new| view! { <p>"Only in the second: " {new}</p> })}
            <ul class="clients" aria-label="Platform">{common.iter().map(link).collect_view()}</ul>
        </section>
    };
    Some(view.into_any())
}

async fn form(
    visit: &Visit,
    repository: &Repository,
    [from, to]: [&str; 2],
    unknown: [bool; 2],
) -> Result<AnyView, WebError> {
    let asked = TagsAsked { limit: 100, ..TagsAsked::default() };
    let tags = visit.web.reader().tags(&repository.account.did, &repository.name, &asked).await?.items;
    let options = tags.iter().map(|tag| view! { <option value=tag.tag.clone()></option> }).collect_view();
    let field = |name: &'static str, label: &'static str, value: &str, is_unknown: bool| {
        let value: String = value.chars().take(200).collect();
        view! {
            <label for=name>{label}</label>
            <input id=name type="search" name=name value=value list="tags" maxlength="200" autocomplete="off" spellcheck="false" placeholder="tag or digest" aria-invalid=is_unknown.then_some("true")/>
        }
    };
    let owner = repository.account.owner.name();
    let view = view! {
        <form class="filter" action=address::compare(owner, repository.name.as_str(), "", "")>
            {field("from", "From", from, unknown[0])}
            {field("to", "To", to, unknown[1])}
            <datalist id="tags">{options}</datalist>
            <button type="submit">"Compare"</button>
        </form>
    };
    Ok(view.into_any())
}
