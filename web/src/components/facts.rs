//! Facts beside a repository or a manifest.

use leptos::prelude::*;
use store::queries::{HoldView, PlatformView, ScanView};
use url::Url;

use super::words;
use crate::{address, text::format};

/// Tags of one manifest that are shown.
const MOST_TAGS: usize = 50;

/// One fact: a name and what is known.
pub fn fact(name: &'static str, value: impl IntoAny) -> AnyView {
    view! { <div class="fact"><dt>{name}</dt><dd>{value.into_any()}</dd></div> }.into_any()
}

/// Facts that fold on a phone; beside a page there is nothing to fold.
pub fn folded(facts: impl IntoAny) -> AnyView {
    view! { <details class="fold"><summary>"Facts"</summary><dl class="facts">{facts.into_any()}</dl></details> }
        .into_any()
}

/// Where the blobs are, and whether it answers.
pub fn hold(did: &str, hold: Option<&HoldView>) -> AnyView {
    let state = match hold.map(|hold| (hold.reachable, hold.public)) {
        Some((Some(false), _)) => view! { <span class="bad">"does not answer"</span> }.into_any(),
        Some((_, Some(false))) => view! { <span class="warn">"private: pulls need a sign-in"</span> }.into_any(),
        Some((Some(true), _)) => view! { <span class="good">"answers"</span> }.into_any(),
        _ => view! { <span class="muted">"not asked yet"</span> }.into_any(),
    };
    let link = view! { <a class="wrap" href=address::hold(did) title=format::shown(did)>{format::hold(did)}</a> };
    fact("Hold", view! { {link} " " {state} })
}

/// What a scan found, the worst first.
pub fn findings(scan: &ScanView) -> AnyView {
    match scan.status.as_str() {
        "ok" => {}
        "skipped" => return view! { <span class="muted">"not scanned"</span> }.into_any(),
        _ => return view! { <span class="muted">"the scan failed"</span> }.into_any(),
    }
    let found = [
        ("critical", "bad", scan.critical),
        ("high", "bad", scan.high),
        ("medium", "warn", scan.medium),
        ("low", "muted", scan.low),
    ];
    let found = found
        .map(|(severity, class, n)| (n > 0).then(|| view! { <li class=class>{format::count(n)} " " {severity}</li> }));
    if scan.total == 0 && found.iter().all(Option::is_none) {
        return view! { <span class="good">"nothing found"</span> }.into_any();
    }
    if found.iter().all(Option::is_none) {
        return view! { <span class="muted">{format::count(scan.total)} " unrated"</span> }.into_any();
    }
    view! { <ul class="labels findings" aria-label="Findings">{found}</ul> }.into_any()
}

/// Known vulnerabilities: what was found, by whom and when.
pub fn scan(scan: &ScanView) -> AnyView {
    let scanner = scan.scanner.as_deref().map(|scanner| view! { " with " {format::shown_lines(scanner, 100)} });
    let when = scan.scanned_at.map(|time| view! { ", " {words::age(time)} });
    let reason = scan.reason.as_deref().filter(|_| scan.status != "ok").map(|reason| {
        let reason: String = reason.chars().take(200).collect();
        view! { <p class="muted small" dir="auto">{format::shown(&reason)}</p> }
    });
    let view = view! {
        {findings(scan)}
        {reason}
        <p class="muted small">"By its hold" {scanner} {when}</p>
    };
    fact("Vulnerabilities", view)
}

/// An index's images: which platform, how large; each leads to its manifest.
pub fn platform_sizes(owner: &str, name: &str, platforms: &[PlatformView]) -> AnyView {
    let row = |platform: &PlatformView| {
        let label = format::shown_lines(platform.platform.as_deref()?, 100);
        let href = address::manifest(owner, name, &platform.digest);
        let size = platform.size.map_or_else(|| "–".into_any(), |size| words::size(size).into_any());
        Some(view! { <li><a href=href>{label}</a> " " {size}</li> })
    };
    let rows = platforms.iter().filter_map(row).collect_view();
    fact("Compressed size", view! { <ul class="sizes">{rows}</ul> })
}

/// Labels and annotations that no other fact shows, folded.
pub fn labels<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<AnyView> {
    const SHOWN_ELSEWHERE: [&str; 4] = ["title", "description", "licenses", "source"];
    let ours =
        |name: &str| name.strip_prefix("org.opencontainers.image.").is_some_and(|name| SHOWN_ELSEWHERE.contains(&name));
    let shown = pairs.filter(|(name, _)| !ours(name)).take(30).map(|(name, value)| {
        let [name, value] = [name, value].map(|text| format::shown(&text.chars().take(300).collect::<String>()));
        view! { <dt>{name}</dt><dd dir="auto">{value}</dd> }
    });
    let shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        return None;
    }
    let many = shown.len();
    Some(
        view! { <details class="provenance"><summary>{format!("Labels ({many})")}</summary><dl>{shown}</dl></details> }
            .into_any(),
    )
}

/// A stranger's link: only to the web, and marked as theirs.
pub fn link(text: &str) -> AnyView {
    let web = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    match web {
        Some(url) => {
            let label = format::shown_lines(text.trim_start_matches("https://").trim_end_matches('/'), 200);
            view! { <a class="wrap" href=url.to_string() rel="nofollow ugc noopener">{label}</a> }.into_any()
        }
        None => view! { <span class="wrap">{format::shown_lines(text, 200)}</span> }.into_any(),
    }
}

/// Platforms as small labels.
pub fn platforms(platforms: &[String]) -> AnyView {
    let labels = platforms
        .iter()
        .take(30)
        .map(|platform| view! { <li>{format::shown_lines(platform, 100)}</li> })
        .collect_view();
    view! { <ul class="labels" aria-label="Platforms">{labels}</ul> }.into_any()
}

/// Tags as links into their repository.
pub fn tags(owner: &str, name: &str, tags: &[String]) -> AnyView {
    let link = |tag: &String| {
        let href = address::with_query(&address::repository(owner, name), &[("tag", tag)]);
        view! { <li><a href=href>{tag.clone()}</a></li> }
    };
    let more = tags.len().saturating_sub(MOST_TAGS);
    let more = (more > 0).then(|| view! { <li>{more} " more"</li> });
    let shown = tags.iter().take(MOST_TAGS).map(link).collect_view();
    view! { <ul class="labels" aria-label="Tags">{shown}{more}</ul> }.into_any()
}

/// Pulls: those that we served, and what holds claim, which nobody can check.
pub fn pulls(ours: i64, claimed: i64) -> AnyView {
    let claimed = (claimed > 0).then(|| view! { ", " {words::count(claimed)} " by its holds’ own count" });
    view! { {words::count(ours)} " " <span class="muted">"through this index" {claimed}</span> }.into_any()
}

/// Compressed size.
pub fn size(bytes: i64) -> AnyView {
    fact("Compressed size", words::size(bytes))
}
