//! A stranger's README becomes HTML that can do nothing: Markdown by `pulldown-cmark`, then every tag and attribute that
//! is not on a list is removed by `ammonia`.

use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

use super::format::is_deceptive;

/// Lets no pictures through (they would tell their host who reads), no addresses but these, and no styles.
static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder
        .rm_tags(["img", "map", "area", "bdo", "hgroup", "header", "footer", "nav", "article", "aside", "center"])
        .url_schemes(["http", "https", "mailto"].into())
        // A relative address would lead into our pages; where the source is, nobody said.
        .url_relative(UrlRelative::Deny)
        // Long lines scroll, and the keyboard must reach them.
        .set_tag_attribute_value("pre", "tabindex", "0")
        .link_rel(Some("nofollow ugc noopener"));
    builder
});

/// Renders a README. Headings begin at the second level: the page has its own first.
pub fn to_html(markdown: &str) -> String {
    let markdown: String = markdown.chars().filter(|c| matches!(c, '\n' | '\t') || !is_deceptive(*c)).collect();
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let (mut links, mut shallow) = (0_usize, Shallow::default());
    let events = Parser::new_ext(&markdown, options)
        .filter_map(|event| shallow.pass(event))
        .map(|event| without_pictures(event, &mut links))
        .map(lowered);
    let mut unsafe_html = String::new();
    html::push_html(&mut unsafe_html, events);
    SANITISER.clean(&unsafe_html).to_string()
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

/// A picture becomes a link to it, or inside a link just its description.
fn without_pictures<'a>(event: Event<'a>, links: &mut usize) -> Event<'a> {
    match event {
        Event::Start(Tag::Link { .. }) => {
            *links += 1;
            event
        }
        Event::End(TagEnd::Link) => {
            *links = links.saturating_sub(1);
            event
        }
        Event::Start(Tag::Image { dest_url, .. }) if *links == 0 => Event::Start(Tag::Link {
            link_type: LinkType::Inline,
            dest_url,
            title: CowStr::Borrowed("A picture elsewhere"),
            id: CowStr::Borrowed(""),
        }),
        Event::End(TagEnd::Image) if *links == 0 => Event::End(TagEnd::Link),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => Event::Text(CowStr::Borrowed("")),
        other => other,
    }
}

fn lowered(event: Event<'_>) -> Event<'_> {
    let lower = |level: HeadingLevel| HeadingLevel::try_from(level as usize + 1).unwrap_or(HeadingLevel::H6);
    match event {
        Event::Start(Tag::Heading { level, .. }) => {
            Event::Start(Tag::Heading { level: lower(level), id: None, classes: Vec::new(), attrs: Vec::new() })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::to_html;

    #[test]
    fn ordinary_readmes_read_well() {
        let html = to_html(
            "# App\n\nIt *works*, see [docs](https://example.com/d).\n\n| a | b |\n|--|--:|\n| 1 | 2 |\n\n```sh\nrun <x>\n```\n",
        );
        assert!(html.contains("<h2>App</h2>"), "{html}");
        assert!(html.contains("<em>works</em>"), "{html}");
        assert!(html.contains(r#"<a href="https://example.com/d" rel="nofollow ugc noopener">docs</a>"#), "{html}");
        assert!(html.contains("<table>") && html.contains("<td>2</td>"), "{html}");
        assert!(html.contains("run &lt;x&gt;"), "{html}");
    }

    #[test]
    fn nothing_hostile_survives() {
        for hostile in [
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "[x](vbscript:x)",
            "<script>alert(1)</script>",
            "<svg onload=alert(1)><script>alert(1)</script></svg>",
            "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
            "<img src=x onerror=alert(1)>",
            "<a href=\"javascript:alert(1)\" onclick=\"x()\">x</a>",
            "<p style=\"position:fixed\" class=\"frame\" id=\"main\">x</p>",
            "<iframe src=https://evil.example></iframe>",
            "<form action=https://evil.example><input name=q><button>x</button></form>",
            "<style>body{display:none}</style>",
            "<meta http-equiv=refresh content=0>",
            "<base href=https://evil.example>",
            "![x](javascript:alert(1))",
        ] {
            let html = to_html(hostile).to_lowercase();
            for bad in [
                "<script",
                "<svg",
                "<img",
                "<iframe",
                "<form",
                "<input",
                "<style",
                "<meta",
                "<base",
                "<math",
                "javascript:",
                "data:",
                "vbscript:",
                "onerror",
                "onload",
                "onclick",
                "style=",
                "class=",
                "id=",
            ] {
                let tag_or_link =
                    html.contains(&format!("href=\"{bad}")) || (!bad.ends_with(':') && html.contains(bad));
                assert!(!tag_or_link, "{hostile} became {html}");
            }
        }
    }

    #[test]
    fn pictures_are_links() {
        let html = to_html("![a badge](https://img.example/b.svg)");
        assert!(html.contains("href=\"https://img.example/b.svg\"") && html.contains(">a badge</a>"), "{html}");
        assert!(!html.contains("<img"), "{html}");
        let html = to_html("[![badge](https://img.example/b.svg)](https://ci.example/)");
        assert_eq!(html.matches("<a ").count(), 1, "{html}");
        assert!(html.contains("href=\"https://ci.example/\"") && html.contains("badge"), "{html}");
    }

    #[test]
    fn relative_links_lead_nowhere() {
        let html = to_html("[x](/settings) [y](docs/a.md) [z](//evil.example)");
        assert!(!html.contains("href"), "{html}");
    }

    #[test]
    fn text_cannot_be_turned_or_hidden() {
        let html = to_html("safe\u{202e}elif\u{202c} zero\u{200b}width <bdo dir=rtl>x</bdo>");
        assert!(html.contains("safeelif zerowidth") && !html.contains("bdo"), "{html}");
    }

    #[test]
    fn a_line_of_100_kb_is_no_trouble() {
        let shapes = [
            "*",
            "[",
            "> ",
            "- ",
            "`a",
            "x",
            "<div>",
            "<b>",
            "<div>\n",
            "<a href=x>",
            "![](",
            "[a](b)",
            "*a_",
            "> <div>\n",
        ];
        for shape in shapes {
            let html = to_html(&shape.repeat(100_000 / shape.len()));
            assert!(html.len() < 1_000_000, "{shape}: {} bytes", html.len());
        }
        let deep = to_html(&format!("{}{}", "<div>\n".repeat(400), "a *b* \n\n".repeat(10_000)));
        assert!(deep.matches("<div>").count() <= 400);
    }

    #[test]
    fn what_is_nested_too_deep_is_flattened() {
        let html = to_html(&format!("{}deep", "> ".repeat(1_000)));
        assert_eq!((html.matches("<blockquote>").count(), html.matches("</blockquote>").count()), (64, 64));
        assert!(html.contains("deep"), "{html}");
    }
}
