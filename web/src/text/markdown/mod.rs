//! A stranger's README becomes HTML that can do nothing: CommonMark and GitHub's tables, task lists, strikethrough,
//! footnotes, alerts and bare addresses by `pulldown-cmark`; then every tag and attribute that is not on a list is removed
//! by `ammonia`.

mod autolink;
mod base;
mod sanitise;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use pulldown_cmark::{
    BlockQuoteKind, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream, html,
};

pub use base::{Base, Source};

use super::format::is_deceptive;

/// Before every id and every link to one, so that a README names nothing of the page around it.
const ID_PREFIX: &str = "readme-";

/// Renders a README whose links and pictures stand on `base`. Headings begin at the second level: the page has its own
/// first.
pub fn to_html(markdown: &str, base: &Base) -> String {
    let markdown: String = markdown.chars().filter(|c| matches!(c, '\n' | '\t') || !is_deceptive(*c)).collect();
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM;
    let mut shallow = Shallow::default();
    let parsed = Parser::new_ext(&markdown, options).filter_map(|event| shallow.pass(event));
    let mut rewriter = Rewriter { base, links: 0, verbatim: 0, pictures: Vec::new(), out: Vec::new() };
    TextMergeStream::new(parsed).for_each(|event| rewriter.pass(event));
    let mut events = rewriter.out;
    name_headings(&mut events);
    let mut unsafe_html = String::new();
    html::push_html(&mut unsafe_html, events.into_iter());
    let html = sanitise::clean(&aligned(&unsafe_html), base);
    // What was written as an entity is a character by now.
    html.chars().filter(|c| matches!(c, '\n' | '\t') || !is_deceptive(*c)).collect()
}

/// Blocks and spans within each other, at most; the sanitiser's time grows with the square of this.
const DEEPEST: usize = 64;
/// Tags of raw HTML, at most, for the same reason: each may open what nothing closes. The rest is shown as text.
const MOST_TAGS: usize = 500;

/// Flattens what is nested too deep.
#[derive(Default)]
struct Shallow {
    depth: usize,
    tags: usize,
}

impl Shallow {
    fn pass<'a>(&mut self, event: Event<'a>) -> Option<Event<'a>> {
        match event {
            Event::Start(_) => {
                self.depth += 1;
                (self.depth <= DEEPEST).then_some(event)
            }
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                (self.depth < DEEPEST).then_some(event)
            }
            Event::Html(html) | Event::InlineHtml(html) if self.tags > MOST_TAGS => Some(Event::Text(html)),
            Event::Html(ref html) | Event::InlineHtml(ref html) => {
                let tags = html.matches('<').count();
                self.tags += tags;
                if self.tags > MOST_TAGS { Some(Event::Text(html.clone())) } else { Some(event) }
            }
            other => Some(other),
        }
    }
}

/// Says in plain Markdown what the sanitiser would not let through otherwise.
struct Rewriter<'a, 'b> {
    base: &'b Base,
    /// Links around what comes.
    links: usize,
    /// Code blocks and pictures around what comes, whose text is no place for links.
    verbatim: usize,
    /// How each picture that is open ends.
    pictures: Vec<Option<TagEnd>>,
    out: Vec<Event<'a>>,
}

impl<'a> Rewriter<'a, '_> {
    fn pass(&mut self, event: Event<'a>) {
        match event {
            Event::Start(Tag::Link { .. }) => {
                self.links += 1;
                self.out.push(event);
            }
            Event::End(TagEnd::Link) => {
                self.links = self.links.saturating_sub(1);
                self.out.push(event);
            }
            Event::Start(Tag::CodeBlock(_)) => {
                self.verbatim += 1;
                self.out.push(event);
            }
            Event::End(TagEnd::CodeBlock) => {
                self.verbatim = self.verbatim.saturating_sub(1);
                self.out.push(event);
            }
            Event::Start(Tag::Image { dest_url, title, .. }) => self.picture(&dest_url, title),
            Event::End(TagEnd::Image) => self.end_of_picture(),
            Event::Start(Tag::Heading { level, .. }) => self.out.push(Event::Start(heading(lower(level), None))),
            Event::End(TagEnd::Heading(level)) => self.out.push(Event::End(TagEnd::Heading(lower(level)))),
            Event::Start(Tag::BlockQuote(Some(kind))) => {
                self.out.push(event);
                self.out.push(Event::Html(CowStr::Borrowed(alert(kind))));
            }
            Event::Html(html) => self.out.push(Event::Html(lowered(&html).map_or(html, Into::into))),
            Event::InlineHtml(html) => self.out.push(Event::InlineHtml(lowered(&html).map_or(html, Into::into))),
            Event::TaskListMarker(done) => self.out.push(Event::Text(if done { "☑ " } else { "☐ " }.into())),
            Event::Text(text) if self.links == 0 && self.verbatim == 0 => autolink::push(text, &mut self.out),
            other => self.out.push(other),
        }
    }

    /// A picture that can be shown is one; any other becomes a link to it, or inside a link just its description.
    fn picture(&mut self, url: &CowStr<'a>, title: CowStr<'a>) {
        self.verbatim += 1;
        let (link_type, id) = (LinkType::Inline, CowStr::Borrowed(""));
        let start = match self.base.picture_address(url) {
            Some(address) if self.base.shows(&address) => {
                Some(Tag::Image { link_type, dest_url: url.clone(), title, id })
            }
            Some(address) if self.links == 0 => {
                let (dest_url, title) = (address.to_string().into(), CowStr::Borrowed("A picture elsewhere"));
                Some(Tag::Link { link_type, dest_url, title, id })
            }
            _ => None,
        };
        self.pictures.push(start.as_ref().map(Tag::to_end));
        self.out.extend(start.map(Event::Start));
    }

    fn end_of_picture(&mut self) {
        self.verbatim = self.verbatim.saturating_sub(1);
        self.out.extend(self.pictures.pop().flatten().map(Event::End));
    }
}

fn heading<'a>(level: HeadingLevel, id: Option<CowStr<'a>>) -> Tag<'a> {
    Tag::Heading { level, id, classes: Vec::new(), attrs: Vec::new() }
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    HeadingLevel::try_from(level as usize + 1).unwrap_or(HeadingLevel::H6)
}

/// Raw HTML with each heading a level lower, as Markdown's are; `None` if it has none.
fn lowered(html: &str) -> Option<String> {
    let bytes = html.as_bytes();
    let level = |at: usize| {
        let name = if bytes.get(at + 1) == Some(&b'/') { at + 2 } else { at + 1 };
        let is_heading = bytes.get(name).is_some_and(|c| c.eq_ignore_ascii_case(&b'h'))
            && bytes.get(name + 1).is_some_and(|c| (b'1'..b'6').contains(c))
            && bytes.get(name + 2).is_none_or(|c| !c.is_ascii_alphanumeric());
        is_heading.then_some(name + 1)
    };
    let levels: Vec<usize> = html.match_indices('<').filter_map(|(at, _)| level(at)).collect();
    let lower = |(at, c): (usize, char)| if levels.binary_search(&at).is_ok() { (c as u8 + 1) as char } else { c };
    (!levels.is_empty()).then(|| html.char_indices().map(lower).collect())
}

fn alert(kind: BlockQuoteKind) -> &'static str {
    match kind {
        BlockQuoteKind::Note => "<p><strong>Note</strong></p>\n",
        BlockQuoteKind::Tip => "<p><strong>Tip</strong></p>\n",
        BlockQuoteKind::Important => "<p><strong>Important</strong></p>\n",
        BlockQuoteKind::Warning => "<p><strong>Warning</strong></p>\n",
        BlockQuoteKind::Caution => "<p><strong>Caution</strong></p>\n",
    }
}

/// Headings get the names that tables of contents link to, as code forges make them.
fn name_headings(events: &mut [Event<'_>]) {
    let mut taken: HashMap<String, usize> = HashMap::new();
    for start in 0..events.len() {
        let Event::Start(Tag::Heading { level, .. }) = events[start] else { continue };
        let mut text = String::new();
        for event in &events[start + 1..] {
            match event {
                Event::End(TagEnd::Heading(_)) => break,
                Event::Text(part) | Event::Code(part) => text.push_str(part),
                _ => {}
            }
        }
        let name = slug(&text);
        let times = taken.entry(name.clone()).or_default();
        let id = if *times == 0 { name } else { format!("{name}-{times}") };
        *times += 1;
        events[start] = Event::Start(heading(level, Some(format!("{ID_PREFIX}{id}").into())));
    }
}

/// Lower case, hyphens for spaces, no punctuation; at most 200 characters.
fn slug(text: &str) -> String {
    let lowered = text.trim().to_lowercase();
    let kept = lowered.chars().take(200).filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c),
        _ => None,
    });
    kept.collect()
}

/// Columns are aligned by attributes: styles do not pass. Inside text a quotation mark is escaped, so that only tags change.
fn aligned(html: &str) -> String {
    let mut html = html.to_owned();
    for side in ["left", "center", "right"] {
        html = html.replace(&format!(" style=\"text-align: {side}\""), &format!(" align=\"{side}\""));
    }
    html
}
