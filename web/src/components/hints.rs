//! What a search says besides its results: what it did not read, what it looked for instead, what may be meant.

use leptos::prelude::*;
use store::queries::{Correction, Meant, SearchAsked, SearchPage};
use types::{
    Digest,
    search::{Note, PastedReference, Query, Sort, Term},
};

use super::facets::link;
use crate::{address, error::WebError, owner, state::Web, text::format};

/// The most corrections, and the most words of each: every link repeats the search.
const CORRECTIONS: usize = 4;
const WORDS: usize = 3;

/// A quiet box of lines; nothing if there are none.
fn said(lines: Vec<AnyView>) -> AnyView {
    if lines.is_empty() {
        return ().into_any();
    }
    view! { <div class="meant" role="note">{lines}</div> }.into_any()
}

fn labels(links: Vec<(String, String)>) -> AnyView {
    let links = links.into_iter().map(|(href, text)| view! { <li><a href=href>{format::shown(&text)}</a></li> });
    view! { <ul class="labels">{links.collect_view()}</ul> }.into_any()
}

/// What was not read as it was written.
pub fn notes(asked: &SearchAsked) -> AnyView {
    let note = |note: &Note| {
        let text = format::shown(&note.to_string());
        let near = note.near.clone().map(|near| {
            let mut query = asked.query.clone();
            // It was read as words, which are not meant.
            for word in Query::parse(&note.typed).words() {
                query = query.without(&Term::Word(word.to_owned()));
            }
            labels(vec![(link(&query.with(near.clone()), asked.sort, ""), near.to_string())])
        });
        let ask = near.is_some().then_some(" Did you mean");
        view! { <div><p>{text} {ask}</p> {near}</div> }.into_any()
    };
    let mut lines: Vec<AnyView> = asked.query.notes.iter().take(CORRECTIONS).map(note).collect();
    if asked.query.is_cut {
        lines
            .push(view! { <div><p>"Only the beginning of this search was read: it is too long."</p></div> }.into_any());
    }
    said(lines)
}

/// Words that were looked for in the place of others, or may be meant. Where nothing was found each is searched for alone.
pub fn corrections(asked: &SearchAsked, found: &SearchPage) -> AnyView {
    let is_empty = found.items.is_empty();
    let line = |Correction { word, nearest, used, known }: &Correction| {
        let is_condition = word.contains(':');
        let to = |near: &String| {
            let query = if is_empty && !is_condition { Query::parse(near) } else { asked.query.corrected(word, near) };
            (link(&query, asked.sort, ""), near.clone())
        };
        let links = labels(nearest.iter().take(WORDS).map(to).collect());
        let wrong = view! { "“" <bdi>{format::shown(word)}</bdi> "”" };
        let text = match (is_condition, is_empty, used, known) {
            (true, ..) => view! { <p>"There is nobody of " {wrong} ". Did you mean"</p> }.into_any(),
            (_, true, _, false) => view! { <p>"Nothing has " {wrong} ". Did you mean"</p> }.into_any(),
            (_, _, true, false) => {
                view! { <p>"Nothing has " {wrong} ". Words like it were looked for instead:"</p> }.into_any()
            }
            (_, _, true, true) => {
                view! { <p>"Nothing has " {wrong} " with the rest. Words like it were looked for too:"</p> }.into_any()
            }
            (_, _, false, _) => view! { <p>"Few have " {wrong} ". Did you mean"</p> }.into_any(),
        };
        view! { <div>{text} {links}</div> }.into_any()
    };
    said(found.corrections.iter().take(CORRECTIONS).map(line).collect())
}

/// Words that name a condition.
pub fn conditions(asked: &SearchAsked, found: &SearchPage) -> AnyView {
    let to = |Meant { word, condition }: &Meant| {
        (link(&asked.query.corrected(word, condition), asked.sort, ""), condition.clone())
    };
    let links: Vec<_> = found.meant.iter().take(CORRECTIONS).map(to).collect();
    if links.is_empty() {
        return ().into_any();
    }
    said(vec![view! { <div><p>"Meant as a condition?"</p> {labels(links)}</div> }.into_any()])
}

/// What a pull reference names, or that there is no such thing.
pub async fn place(web: &Web, reference: &PastedReference) -> Result<AnyView, WebError> {
    let PastedReference { owner, name, tag, digest } = reference;
    let account = match owner::find(web.reader(), owner).await {
        Ok(account) => Some(account),
        Err(WebError::NoOwner { .. } | WebError::Hidden { .. }) => None,
        Err(error) => return Err(error),
    };
    let named = match (&account, name.parse()) {
        (Some(account), Ok(name)) => web.reader().repository(&account.did, &name).await?,
        _ => None,
    };
    let text = format::shown(&reference.to_string());
    let Some(named) = named else {
        let unknown = view! { <div><p>"There is no " <bdi><code>{text}</code></bdi> " in the index."</p></div> };
        return Ok(said(vec![unknown.into_any()]));
    };
    let owner = named.item.owner.name();
    let href = match (digest, tag) {
        (Some(digest), _) => address::manifest(owner, name, &digest.to_string()),
        (None, Some(tag)) => address::with_query(&address::repository(owner, name), &[("tag", tag)]),
        (None, None) => address::repository(owner, name),
    };
    let go = view! { <div><p>"Go to " <a href=href><bdi>{text}</bdi></a></p></div> };
    Ok(said(vec![go.into_any()]))
}

/// Where a digest is a manifest's.
pub async fn manifests(web: &Web, digest: &Digest) -> Result<AnyView, WebError> {
    let found = web.reader().repositories_with(digest).await?;
    if found.is_empty() {
        return Ok(view! {
            <div class="empty">
                <p>"No manifest in the index has this digest. Layers and configurations are not searched."</p>
                <p><a href="/search">"See every repository"</a></p>
            </div>
        }
        .into_any());
    }
    let row = |(owner, name): &(store::queries::Owner, String)| {
        let href = address::manifest(owner.name(), name, &digest.to_string());
        view! { <li><a href=href><bdi>{format::shown(&format!("{}/{name}", owner.name()))}</bdi></a></li> }
    };
    Ok(view! { <p>"A manifest with this digest is in:"</p> <ul class="plain-list">{found.iter().map(row).collect_view()}</ul> }
        .into_any())
}

/// Why nothing was found, as far as it is known.
pub fn why(asked: &SearchAsked, found: &SearchPage) -> AnyView {
    let is_word = |said: &&String| asked.query.words().any(|word| word.contains(said.as_str()));
    let (words, conditions): (Vec<&String>, Vec<&String>) = found.unmet.iter().partition(is_word);
    let each = |texts: &[&String]| {
        texts.iter().map(|text| format!("“{}”", format::shown(text))).collect::<Vec<_>>().join(" or ")
    };
    let of_words = (!words.is_empty())
        .then(|| view! { <p>"No name, description, README or owner has " <bdi>{each(&words)}</bdi> "."</p> });
    let of_conditions = (!conditions.is_empty())
        .then(|| view! { <p>"No repository in the index meets " <bdi>{each(&conditions)}</bdi> "."</p> });
    let of_all = found.unmet.is_empty().then(|| match asked.query.terms.as_slice() {
        [_] => view! { <p>"No repository meets this."</p> },
        _ => view! { <p>"Each part of this search may be somewhere, but no repository has all of them."</p> },
    });
    view! { {of_words} {of_conditions} {of_all} }.into_any()
}

/// Every part of a search by itself.
pub fn one_at_a_time(asked: &SearchAsked) -> Option<AnyView> {
    let alone = |term: &Term| {
        let query = Query { terms: vec![term.clone()], ..Query::default() };
        (link(&query, Sort::Relevance, ""), term.to_string())
    };
    (asked.query.terms.len() > 1).then(|| {
        let links = labels(asked.query.terms.iter().map(alone).collect());
        view! { <p>"All parts of a search must match. One at a time:"</p> {links} }.into_any()
    })
}
