//! What is around every page: head, header, footer.

use std::sync::Arc;

use leptos::prelude::*;

use super::{icon::Icon, notice};
use crate::{
    app::{Guest, Page},
    assets,
    state::{Summary, Web},
    text::format,
    theme::Theme,
};

/// A longer address is not repeated: the page's own is good enough.
const LONGEST_HERE: usize = 1_000;

/// The whole document. If the index cannot be read the page is shown all the same, without what the footer knows.
pub async fn document(web: &Web, guest: &Guest, page: Page) -> AnyView {
    let summary = web.summary().await.ok();
    let back = if guest.here.len() > LONGEST_HERE { page.canonical.clone() } else { guest.here.clone() };
    let canonical = web.config().public_url.join(&page.canonical).ok().filter(|_| !page.canonical.is_empty());
    let title = if page.title.is_empty() { "crowsnest".to_owned() } else { format!("{} – crowsnest", page.title) };
    let description = page.description.unwrap_or_else(|| "Container images published on the AT Protocol.".to_owned());
    // The first page has a larger box of its own.
    let has_search = page.canonical != "/";
    let (theme, address) = (guest.theme, canonical.as_ref().map(ToString::to_string));
    view! {
        <html lang="en" data-theme=theme.forced()>
            <head>
                <meta charset="utf-8"/>
                <title>{title.clone()}</title>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content=theme.schemes()/>
                <meta name="description" content=description.clone()/>
                {open_graph("og:title", title)}
                {open_graph("og:description", description)}
                {open_graph("og:type", "website".to_owned())}
                {open_graph("og:site_name", "crowsnest".to_owned())}
                {address.map(|address| open_graph("og:url", address))}
                {canonical.map(|url| view! { <link rel="canonical" href=url.to_string()/> })}
                <link rel="alternate" type="application/atom+xml" title="What’s new" href="/new.atom"/>
                <link rel="stylesheet" href=assets::CSS.path.as_str()/>
                <link rel="icon" type="image/svg+xml" href=assets::ICON.path.as_str()/>
                <script type="module" src=assets::JS.path.as_str()></script>
            </head>
            <body>
                <a class="skip" href="#main">"Skip to content"</a>
                {header(has_search.then_some(page.query))}
                <main id="main">
                    {notice::filling(summary.as_ref().and_then(|summary| summary.backfill.as_ref()))}
                    {page.body}
                </main>
                {footer(summary, guest, back)}
            </body>
        </html>
    }
    .into_any()
}

/// `property` is RDFa's attribute, not HTML's: the view macro does not know it.
fn open_graph(property: &'static str, content: String) -> impl IntoView {
    leptos::html::meta().attr("property", property).attr("content", content)
}

fn header(query: Option<String>) -> AnyView {
    let search = query.map(|query| {
        view! {
            <form class="search" role="search" aria-label="Site" action="/search">
                <label class="hidden" for="q">"Search images"</label>
                {Icon::Search.draw()}
                <input id="q" type="search" name="q" value=query placeholder="Search images" maxlength="200" autocomplete="off" spellcheck="false"/>
                <kbd aria-hidden="true" hidden=true>"/"</kbd>
            </form>
        }
    });
    view! {
        <header class="top">
            <div class="top-in">
                <a class="wordmark" href="/">{Icon::Mark.draw()} <span>"crowsnest"</span></a>
                {search}
                <nav aria-label="Main">
                    <a href="/explore">"Explore"</a>
                    <a href="/holds">"Holds"</a>
                    <a href="/install">"Install"</a>
                </nav>
            </div>
        </header>
    }
    .into_any()
}

fn footer(summary: Option<Arc<Summary>>, guest: &Guest, back: String) -> AnyView {
    let fresh = match summary.as_ref().map(|summary| summary.lag_ms) {
        Some(Some(lag)) => format!("Index {} behind the network", format::lag(lag)),
        Some(None) => "The index has heard nothing from the network yet".to_owned(),
        None => "The index cannot be read at the moment".to_owned(),
    };
    let fingerprint = summary.and_then(|summary| summary.fingerprint.clone()).map(|fingerprint| {
        let short: String = fingerprint.chars().take(12).collect();
        view! { <li>"Fingerprint " <code title=fingerprint>{short}</code></li> }
    });
    view! {
        <footer class="bottom">
            <div class="bottom-in">
                <ul>
                    <li><a href="/status">{fresh}</a></li>
                    {fingerprint}
                </ul>
                {themes(guest, back)}
                <ul>
                    <li><a href="/about">"About"</a></li>
                    <li><a href="/about#api">"API"</a></li>
                    <li><a href="/new.atom" type="application/atom+xml">"Feed"</a></li>
                    <li><a href="https://github.com/crowsnest-index/crowsnest" rel="noopener">"Source"</a></li>
                    <li><a href="/privacy">"Privacy"</a></li>
                    <li><a href="/terms">"Terms"</a></li>
                    <li><button type="button" class="plain" data-keys="" hidden=true>"Keys"</button></li>
                </ul>
            </div>
        </footer>
    }
    .into_any()
}

/// A form, so that it works without scripts; the cookie that it leaves is the only one. It leads back to where one is.
fn themes(guest: &Guest, back: String) -> impl IntoView + use<> {
    let chosen = guest.theme;
    let button = move |theme: Theme| {
        let pressed = if theme == chosen { "true" } else { "false" };
        view! { <button type="submit" name="theme" value=theme.name() aria-pressed=pressed>{theme.label()}</button> }
    };
    view! {
        <form class="theme" method="post" action="/theme" aria-label="Theme">
            <input type="hidden" name="to" value=back/>
            {Theme::ALL.map(button).collect_view()}
        </form>
    }
}
