use std::{borrow::Cow, collections::HashSet};

use ammonia::{Builder, UrlRelative};

use super::{ID_PREFIX, base::Base};

/// Tags that would draw outside of the text, or turn it.
const REMOVED: [&str; 11] =
    ["map", "area", "bdo", "hgroup", "header", "footer", "nav", "article", "aside", "center", "figure"];
/// Where an `align` is harmless and usual.
const ALIGNED: [&str; 9] = ["p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "img"];
/// What the parser calls alerts.
const ALERTS: [&str; 5] = [
    "markdown-alert-note",
    "markdown-alert-tip",
    "markdown-alert-important",
    "markdown-alert-warning",
    "markdown-alert-caution",
];

/// Lets pass what is on the list: no addresses but the web's and mail's, no pictures but through us, no styles.
pub fn clean(html: &str, base: &Base) -> String {
    let mut builder = Builder::default();
    builder
        .rm_tags(REMOVED)
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        // Relative addresses are resolved, or dropped, below.
        .url_relative(UrlRelative::PassThrough)
        .id_prefix(Some(ID_PREFIX))
        // Long lines and wide tables scroll, and the keyboard must reach them.
        .set_tag_attribute_value("pre", "tabindex", "0")
        .set_tag_attribute_value("table", "tabindex", "0")
        .set_tag_attribute_value("img", "loading", "lazy")
        .link_rel(Some("nofollow ugc noopener"));
    if base.pictures.is_none() {
        builder.rm_tags(["img"]);
    }
    for tag in ALIGNED {
        builder.add_tag_attributes(tag, ["align"]);
    }
    for tag in ["h2", "h3", "h4", "h5", "h6", "div", "a"] {
        builder.add_tag_attributes(tag, ["id"]);
    }
    builder.add_allowed_classes("blockquote", ALERTS);
    builder.add_allowed_classes("div", ["footnote-definition"]);
    let base = base.clone();
    builder.attribute_filter(move |tag, attribute, value| attribute_of(&base, tag, attribute, value));
    described(&builder.clean(html).to_string())
}

/// A picture that nobody described is decoration; of one that may not be shown its description is left. In what the sanitiser
/// writes, `<` begins a tag wherever no quoted value is around it.
fn described(html: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(html.len()), html);
    while let Some((text, from_tag)) = rest.find('<').map(|at| rest.split_at(at)) {
        let mut quoted = false;
        let end = from_tag.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let (tag, after) = from_tag.split_at(end.map_or(from_tag.len(), |end| end + 1));
        out.push_str(text);
        out.push_str(&if tag.starts_with("<img ") || tag == "<img>" { picture(tag) } else { Cow::Borrowed(tag) });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn picture(tag: &str) -> Cow<'_, str> {
    let value = |name: &str| tag.split_once(name).and_then(|(_, rest)| rest.split('"').next());
    match (value(" src=\""), value(" alt=\"")) {
        (Some(_), Some(_)) => Cow::Borrowed(tag),
        (Some(_), None) => Cow::Owned(format!("{} alt=\"\">", tag.trim_end_matches('>'))),
        (None, alt) => Cow::Owned(alt.unwrap_or_default().replace('<', "&lt;").replace('>', "&gt;")),
    }
}

fn attribute_of<'v>(base: &Base, tag: &str, attribute: &str, value: &'v str) -> Option<Cow<'v, str>> {
    match (tag, attribute) {
        (_, "href") => base.link(value).map(Cow::Owned),
        ("img", "src") => base.picture(value).map(Cow::Owned),
        (_, "src" | "cite" | "longdesc") => None,
        ("img", "width" | "height") => is_length(value).then_some(Cow::Borrowed(value)),
        (_, "align") => matches!(value, "left" | "center" | "right").then_some(Cow::Borrowed(value)),
        _ => Some(Cow::Borrowed(value)),
    }
}

/// Pixels or a share, as HTML takes them.
fn is_length(value: &str) -> bool {
    let digits = value.strip_suffix('%').or(value.strip_suffix("px")).unwrap_or(value);
    (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
