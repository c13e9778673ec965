use proptest::prelude::*;

use super::{Base, Source};
use crate::pictures::Signer;

fn to_html(markdown: &str) -> String {
    super::to_html(markdown, &Base::default())
}

/// With a source, and with pictures through us.
fn with_base(markdown: &str) -> String {
    let base = Base { source: Source::parse("https://github.com/o/r"), pictures: Signer::new("key") };
    super::to_html(markdown, &base)
}

#[test]
fn ordinary_readmes_read_well() {
    let html = to_html(
        "# App\n\nIt *works*, see [docs](https://example.com/d).\n\n| a | b |\n|--|--:|\n| 1 | 2 |\n\n```sh\nrun <x>\n```\n",
    );
    assert!(html.contains("<h2 id=\"readme-app\">App</h2>"), "{html}");
    assert!(html.contains("<em>works</em>"), "{html}");
    assert!(html.contains(r#"<a href="https://example.com/d" rel="nofollow ugc noopener">docs</a>"#), "{html}");
    assert!(html.contains("<table") && html.contains("<td align=\"right\">2</td>"), "{html}");
    assert!(html.contains("run &lt;x&gt;"), "{html}");
}

#[test]
fn githubs_markdown_is_understood() {
    for (markdown, expected) in [
        ("- [x] done\n- [ ] open", "<li>☑ done</li>"),
        ("- [x] done\n- [ ] open", "<li>☐ open</li>"),
        ("~~gone~~", "<del>gone</del>"),
        ("> [!WARNING]\n> mind", "<blockquote class=\"markdown-alert-warning\">\n<p><strong>Warning</strong></p>"),
        (
            "at https://example.com/x.",
            "<a href=\"https://example.com/x\" rel=\"nofollow ugc noopener\">https://example.com/x</a>.",
        ),
        ("`https://example.com/x`", "<code>https://example.com/x</code>"),
        ("[a https://example.com/x](https://b.example/)", ">a https://example.com/x</a>"),
        ("## Get it!\n\n## Get it!", "<h3 id=\"readme-get-it-1\">"),
        ("[to](#get-it)", "<a href=\"#readme-get-it\""),
        ("a[^1]\n\n[^1]: b", "<div class=\"footnote-definition\" id=\"readme-1\">"),
        ("a[^1]\n\n[^1]: b", "<a href=\"#readme-1\""),
        ("<p align=\"center\">x</p>", "<p align=\"center\">x</p>"),
        ("<h1 align=\"center\">x</h1>", "<h2 align=\"center\">x</h2>"),
        ("a <H5>x</H5> <hr> <h6>y</h6>", "<h6>x</h6> <hr> <h6>y</h6>"),
        ("<details><summary>more</summary>x</details>", "<details><summary>more</summary>x</details>"),
    ] {
        let html = to_html(markdown);
        assert!(html.contains(expected), "{markdown} became {html}");
    }
}

const HOSTILE: &[&str] = &[
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
    "[x](JAVASCRIPT&colon;alert(1))",
    "<a href=\" java\tscript:alert(1)\">x</a>",
    "<https://a.example/\"onmouseover=alert(1)>",
    "https://a.example/\"onmouseover=alert(1)//<script>",
    "![x\" onerror=\"alert(1)](https://a.example/b.png \"t\" onload=alert(1)\")",
    "<img src=\"https://a.example/x.svg\" srcset=\"https://a.example/y 2x\">",
    "<picture><source srcset=https://a.example/x><img src=/y.png></picture>",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text>x</text></a></svg>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<template><script>alert(1)</script></template>",
    "<video autoplay src=https://a.example/v></video><audio src=x><object data=x><embed src=x>",
    "```\"><script>alert(1)</script>\nx\n```",
    "[a]: javascript:alert(1)\n\n[a]",
    "# <script>alert(1)</script>",
    "<h2 id=\"main\" name=\"x\" onfocus=alert(1) autofocus tabindex=1>x</h2>",
    "<a ping=https://a.example target=_top href=//evil.example>x</a>",
];

#[test]
fn nothing_hostile_survives() {
    for hostile in HOSTILE {
        for html in [to_html(hostile), with_base(hostile)] {
            assert_harmless(&html);
        }
    }
    // A picture that may not be shown leaves its description, and one that nobody described is decoration.
    let html = with_base("<img src=\"javascript:x\" alt=\"a <b>boat\"> <img> <img src=a.png>");
    assert!(
        html.contains("a &lt;b&gt;boat") && html.contains("<img src=\"/img/") && html.contains(" alt=\"\">"),
        "{html}"
    );
    assert_eq!(html.matches("<img").count(), 1, "{html}");
    let html = with_base("<a title=\"<img x\">y src=\"z\" onclick=1</a><img src=a.png>");
    assert_harmless(&html.replace("title=\"<img", "title=\"&lt;img"));
    assert!(!to_html("<style>body{display:none}</style>").contains("display"));
}

/// Each tag and each attribute is one of these, whatever was written.
fn assert_harmless(html: &str) {
    const TAGS: &str = " a abbr acronym b bdi blockquote br caption cite code col colgroup data dd del details dfn div dl dt em \
                        figcaption h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt rtc ruby s samp small span strike \
                        strong sub summary sup table tbody td th thead time tfoot tr tt u ul var wbr ";
    const ATTRIBUTES: &str = " href src alt title lang align id class rel tabindex loading width height start reversed type value \
                              colspan rowspan scope charoff char cite datetime hreflang abbr axis headers span size summary dir open ";
    for (at, _) in html.match_indices('<') {
        let tag = &html[at + 1..];
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(TAGS.contains(&format!(" {name} ")), "<{name} in {html}");
        let mut rest = &tag[tag.find(|c: char| c.is_whitespace() || c == '>').unwrap()..];
        while let Some(attribute) = rest.strip_prefix(' ') {
            let (name, value) = attribute.split_once("=\"").unwrap();
            let (value, after) = value.split_once('"').unwrap();
            assert!(ATTRIBUTES.contains(&format!(" {name} ")), "{name} in {html}");
            let harmless = match name {
                "href" => ["http://", "https://", "mailto:", "#readme-"].iter().any(|start| value.starts_with(start)),
                "src" => value.starts_with("/img/"),
                "id" => value.starts_with("readme-"),
                "class" => {
                    value.is_empty()
                        || value
                            .split(' ')
                            .all(|class| class.starts_with("markdown-alert-") || class == "footnote-definition")
                }
                _ => true,
            };
            assert!(harmless, "{name}=\"{value}\" in {html}");
            rest = after;
        }
        assert!(rest.starts_with('>'), "{rest} in {html}");
    }
}

proptest! {
    #[test]
    fn nothing_hostile_survives_in_any_company(
        parts in prop::collection::vec(prop_oneof![
            prop::sample::select(HOSTILE).prop_map(str::to_owned),
            "[\\[\\]()<>!*_`#|:/\"'=& \n\\-a-z]{0,12}",
            prop::sample::select(vec!["\n", "\n\n", "> ", "- ", "| ", "    ", "<", "\"", "'", "-->", "<!--", "<![CDATA[", "]]>", "</", "&lt;", "&#"])
                .prop_map(str::to_owned),
            any::<String>(),
        ], 0..12)
    ) {
        let markdown = parts.concat();
        assert_harmless(&to_html(&markdown));
        assert_harmless(&with_base(&markdown));
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
fn pictures_that_we_can_pass_on_are_shown() {
    let html = with_base("![a boat](img/boat.png \"Boat\") <img src=\"/x.gif\" width=\"10\" height=\"auto\">");
    assert_eq!(html.matches("<img src=\"/img/").count(), 2, "{html}");
    assert!(
        html.contains("alt=\"a boat\"") && html.contains("loading=\"lazy\"") && html.contains("width=\"10\""),
        "{html}"
    );
    assert!(!html.contains("auto"), "{html}");
    // Drawings are not passed on: a link, or inside a link its description.
    let html = with_base("![drawn](a.svg) [![badge](https://img.shields.io/x)](https://ci.example/)");
    assert!(html.contains("href=\"https://github.com/o/r/raw/HEAD/a.svg\""), "{html}");
    assert!(html.contains(">badge</a>") && !html.contains("<img"), "{html}");
}

#[test]
fn relative_links_lead_nowhere_or_to_the_source() {
    let relative = "[x](/settings) [y](docs/a.md) [z](//evil.example)";
    let html = to_html(relative);
    assert!(!html.contains("href"), "{html}");
    let html = with_base(relative);
    for to in ["github.com/o/r/blob/HEAD/settings", "github.com/o/r/blob/HEAD/docs/a.md", "evil.example/"] {
        assert!(html.contains(&format!("href=\"https://{to}\"")), "{html}");
    }
}

#[test]
fn text_cannot_be_turned_or_hidden() {
    let html = to_html("safe\u{202e}elif\u{202c} zero\u{200b}width <bdo dir=rtl>x</bdo>");
    assert!(html.contains("safeelif zerowidth") && !html.contains("bdo"), "{html}");
    let html = to_html("safe&#x202e;elif <b title=\"&#8238;x\">&#x200B;y</b>\n\n<p>&#x202e;z</p>");
    assert!(!html.contains(['\u{202e}', '\u{200b}']) && html.contains("safeelif"), "{html}");
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
        "[^a]: ",
        "[^1]",
        "https://a.example ",
        "www.",
        ")",
        "![a](b.png)",
        "# a\n",
        "- [x] ",
        "> [!NOTE]\n",
        "<img src=a.png>",
        "|a|b|\n|-|-|\n",
    ];
    for shape in shapes {
        let html = with_base(&shape.repeat(100_000 / shape.len()));
        assert!(html.len() < 3_000_000, "{shape}: {} bytes", html.len());
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
