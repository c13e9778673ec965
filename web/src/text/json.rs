//! JSON as its author wrote it, indented and coloured: order and numbers are kept, since a digest is of those very bytes.

use serde::de::IgnoredAny;

use super::format::is_deceptive;

/// HTML of a JSON document, each token escaped; `None` if it is none.
pub fn highlighted(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<IgnoredAny>(bytes).ok()?;
    let mut rest = std::str::from_utf8(bytes).ok()?.trim();
    let (mut html, mut depth) = (String::new(), 0_usize);
    while let Some(first) = rest.chars().next() {
        let token = match first {
            '"' => &rest[..end_of_string(rest)],
            '{' | '}' | '[' | ']' | ',' | ':' => &rest[..1],
            _ => &rest[..rest.find([',', ']', '}', ' ', '\n', '\t', '\r']).unwrap_or(rest.len())],
        };
        let after = rest[token.len()..].trim_start();
        match first {
            '{' | '[' if after.starts_with(['}', ']']) => html.push(first),
            '{' | '[' => {
                depth += 1;
                html.push(first);
                line(&mut html, depth);
            }
            '}' | ']' => {
                if !html.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    line(&mut html, depth);
                }
                html.push(first);
            }
            ',' => {
                html.push(',');
                line(&mut html, depth);
            }
            ':' => html.push_str(": "),
            '"' if after.starts_with(':') => span(&mut html, "k", token),
            '"' => span(&mut html, "s", token),
            _ => span(&mut html, "n", token),
        }
        rest = after;
    }
    Some(html)
}

/// Behind the closing quotation mark.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn line(html: &mut String, depth: usize) {
    html.push('\n');
    html.extend(std::iter::repeat_n("  ", depth.min(40)));
}

fn span(html: &mut String, class: &str, token: &str) {
    html.push_str("<span class=\"");
    html.push_str(class);
    html.push_str("\">");
    for c in token.chars() {
        match c {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            c if is_deceptive(c) => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
    html.push_str("</span>");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::highlighted;

    /// The document without its colours, as a browser would read it.
    fn text(html: &str) -> String {
        let plain = ["<span class=\"k\">", "<span class=\"s\">", "<span class=\"n\">", "</span>"];
        let text = plain.iter().fold(html.to_owned(), |text, tag| text.replace(tag, ""));
        assert!(!text.contains(['<', '>']), "{html}");
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }

    #[test]
    fn documents_keep_their_order_and_their_numbers() {
        let html = highlighted(br#" {"b":1.50,"a":[true,{"x\"<":"</span><script>"},[],{}], "c":null}"#).unwrap();
        let expected = "{\n  \"b\": 1.50,\n  \"a\": [\n    true,\n    {\n      \"x\\\"<\": \"</span><script>\"\n    },\n    [],\n    {}\n  ],\n  \"c\": null\n}";
        assert_eq!(text(&html), expected);
        assert!(html.contains("<span class=\"k\">\"b\"</span>: <span class=\"n\">1.50</span>"), "{html}");
        assert!(!html.contains("<script"), "{html}");
        assert_eq!(
            highlighted("\"a\u{202e}b\"".as_bytes()).as_deref(),
            Some("<span class=\"s\">\"a\u{fffd}b\"</span>")
        );
        for no_json in ["", "{", "{\"a\":}", "nonsense", "[1,]", "\u{feff}{}"] {
            assert_eq!(highlighted(no_json.as_bytes()), None, "{no_json}");
        }
        assert_eq!(highlighted(&b"[".repeat(100_000)), None, "too deep");
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_text(value in prop::collection::btree_map(".{0,20}", ".{0,40}", 0..8)) {
            let document = serde_json::to_vec(&value).unwrap();
            let shown = text(&highlighted(&document).unwrap());
            if !String::from_utf8_lossy(&document).chars().any(super::is_deceptive) {
                let again: std::collections::BTreeMap<String, String> = serde_json::from_str(&shown).unwrap();
                prop_assert_eq!(again, value);
            }
        }
    }
}
