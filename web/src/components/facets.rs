//! What a search's candidates are, counted, each a link that narrows the search; and what it is narrowed to, to be taken back.

use leptos::prelude::*;
use store::queries::{Facet, SearchAsked, SearchPage};
use types::search::{Query, Sort, Term};

use crate::{address, text::format};

/// The address of a search.
pub fn link(query: &Query, sort: Sort, cursor: &str) -> String {
    let sort = if sort == Sort::Relevance { "" } else { sort.as_str() };
    address::with_query("/search", &[("q", &query.to_string()), ("sort", sort), ("cursor", cursor)])
}

/// The conditions of a query, each with the address of the search without it.
pub fn chips(asked: &SearchAsked) -> AnyView {
    let is_condition = |term: &&Term| !matches!(term, Term::Word(_));
    let chip = |term: &Term| {
        let said = format::shown(&term.to_string());
        let href = link(&asked.query.without(term), asked.sort, "");
        view! {
            <li><a href=href><bdi>{said.clone()}</bdi> <span aria-hidden="true">" ×"</span><span class="hidden">" (remove)"</span></a></li>
        }
    };
    let chips: Vec<_> = asked.query.terms.iter().filter(is_condition).map(chip).collect();
    if chips.is_empty() {
        return ().into_any();
    }
    view! { <ul class="chips" aria-label="Narrowed to">{chips}</ul> }.into_any()
}

/// The most values of a facet that are shown at once.
const MOST: usize = 8;
/// A longer search is not narrowed by one more term: each value's link would repeat it.
const LONGEST: usize = 150;

/// The facets, beside the results; folded on a phone. Of the one that is `open` all values are shown.
pub fn facets(asked: &SearchAsked, found: &SearchPage, open: &str) -> AnyView {
    let counts = &found.facets;
    let (held, checked): (Vec<Facet>, Vec<Facet>) =
        counts.is.iter().cloned().partition(|facet| facet.value == "public");
    let groups: [(&str, &str, &[Facet]); 6] = [
        ("Kind", "kind", &counts.kind),
        ("Platform", "platform", &counts.platform),
        ("Licence", "license", &counts.license),
        ("Checked", "is", &checked),
        ("Hold", "is", &held),
        ("Updated within", "updated", &counts.updated),
    ];
    let some = groups.into_iter().filter(|(.., values)| !values.is_empty());
    let groups = some.map(|(title, key, values)| group(asked, title, key, values, open == key)).collect_view();
    let of = if found.more { "Counted over the best 1,000 matches." } else { "Counted over all matches." };
    let long = (!may_grow(asked)).then_some(" This search is too long to be narrowed by one more part.");
    let is_open = !open.is_empty();
    view! {
        <aside class="facets" aria-label="Narrow the search">
            <details open=is_open>
                <summary>"Narrow the search"</summary>
                <div class="facet-groups">{groups}<p class="muted">{of} {long}</p></div>
            </details>
        </aside>
    }
    .into_any()
}

fn may_grow(asked: &SearchAsked) -> bool {
    asked.query.to_string().len() <= LONGEST
}

/// The condition of a facet's value, unless what a stranger called a licence cannot be one.
pub fn condition(key: &str, value: &str) -> Option<Term> {
    let said = if value.contains(' ') { format!("{key}:\"{value}\"") } else { format!("{key}:{value}") };
    match Query::parse(&said).terms.as_slice() {
        [term] if !matches!(term, Term::Word(_)) => Some(term.clone()),
        _ => None,
    }
}

fn group(
    asked: &SearchAsked,
    title: &'static str,
    key: &'static str,
    values: &[Facet],
    is_open: bool,
) -> impl IntoView + use<> {
    let facet = |facet: &Facet| {
        let name = named(key, &facet.value);
        let count = format::count(i64::try_from(facet.count).unwrap_or(i64::MAX));
        let shown = match condition(key, &facet.value).filter(|_| may_grow(asked)) {
            None => view! { <span>{name}</span> }.into_any(),
            Some(term) if asked.query.has(&term) => {
                view! { <a href=link(&asked.query.without(&term), asked.sort, "") aria-current="true">{name}</a> }
                    .into_any()
            }
            Some(term) => view! { <a href=link(&asked.query.with(term), asked.sort, "")>{name}</a> }.into_any(),
        };
        view! { <li>{shown}<span class="muted">{count}</span></li> }
    };
    let here = link(&asked.query, asked.sort, "");
    let join = if here.contains('?') { '&' } else { '?' };
    let more = match (values.len() > MOST, is_open) {
        (false, _) => None,
        (true, false) => Some((format!("{here}{join}facet={key}"), format!("All {}", values.len()))),
        (true, true) => Some((here, "Fewer".to_owned())),
    };
    let more = more.map(|(href, text)| {
        view! { <p><a href=href>{text} <span class="hidden">" of “" {title} "”"</span></a></p> }
    });
    let most = if is_open { values.len() } else { MOST };
    view! {
        <section>
            <h2>{title}</h2>
            <ul>{values.iter().take(most).map(facet).collect_view()}</ul>
            {more}
        </section>
    }
}

/// A value in people's words.
pub fn named(key: &str, value: &str) -> String {
    let text = match (key, value) {
        ("kind", kind) => kind_name(kind),
        ("is", "signed") => "Signed",
        ("is", "sbom") => "Has a bill of materials",
        ("is", "scanned") => "Scanned by its hold",
        ("is", "public") => "On a public hold",
        ("updated", "7d") => "7 days",
        ("updated", "30d") => "30 days",
        ("updated", "90d") => "90 days",
        ("updated", "365d") => "a year",
        _ => value,
    };
    format::shown(text)
}

/// What an artifact's kind is called.
pub fn kind_name(kind: &str) -> &str {
    match kind {
        "image" => "Image",
        "chart" => "Helm chart",
        "wasm" => "WebAssembly",
        "artifact" => "Other artifact",
        other => other,
    }
}
