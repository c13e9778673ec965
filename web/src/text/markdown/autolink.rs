//! Bare addresses become links, as GitHub's
//! [extension](https://github.github.com/gfm/#autolinks-extension-) says it, for `http://`, `https://` and `www.`.

use pulldown_cmark::{CowStr, Event, LinkType, Tag, TagEnd};

const STARTS: [&str; 3] = ["http://", "https://", "www."];

/// Adds a text to the events, its addresses as links.
pub fn push<'a>(text: CowStr<'a>, out: &mut Vec<Event<'a>>) {
    let mut done = 0;
    let mut from = 0;
    while let Some(start) = next(&text, from) {
        let length = length(&text[start..]);
        let (address, scheme) = (&text[start..start + length], scheme(&text[start..]));
        if length <= scheme.len() {
            from = start + scheme.len();
            continue;
        }
        if done < start {
            out.push(Event::Text(text[done..start].to_owned().into()));
        }
        let url = if scheme == "www." { format!("https://{address}") } else { address.to_owned() };
        let (link_type, title, id) = (LinkType::Autolink, CowStr::Borrowed(""), CowStr::Borrowed(""));
        out.push(Event::Start(Tag::Link { link_type, dest_url: url.into(), title, id }));
        out.push(Event::Text(address.to_owned().into()));
        out.push(Event::End(TagEnd::Link));
        done = start + length;
        from = done;
    }
    if done == 0 {
        out.push(Event::Text(text));
    } else if done < text.len() {
        out.push(Event::Text(text[done..].to_owned().into()));
    }
}

fn scheme(text: &str) -> &'static str {
    STARTS.into_iter().find(|start| text.starts_with(start)).unwrap_or_default()
}

/// Where the next address begins: at the text's start, or after what no word holds.
fn next(text: &str, mut from: usize) -> Option<usize> {
    loop {
        let found = from + text[from..].find(['h', 'w'])?;
        let before = text[..found].chars().next_back();
        let free =
            before.is_none_or(|c| c.is_whitespace() || matches!(c, '*' | '_' | '~' | '(' | '"' | '\'' | '[' | ':'));
        if free && !scheme(&text[found..]).is_empty() {
            return Some(found);
        }
        from = found + 1;
    }
}

/// How far an address goes: to a space or `<`, without punctuation and brackets that it did not open.
fn length(text: &str) -> usize {
    let mut address = text.split(|c: char| c.is_whitespace() || c == '<').next().unwrap_or_default();
    let count = |c: char| address.matches(c).count();
    let (opened, mut closed) = (count('('), count(')'));
    loop {
        match address.chars().next_back() {
            Some(')') if closed > opened => closed -= 1,
            Some('?' | '!' | '.' | ',' | ':' | ';' | '*' | '_' | '~' | '\'' | '"' | ']') => {}
            _ => return address.len(),
        }
        address = &address[..address.len() - 1];
    }
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Tag};

    fn links(text: &str) -> Vec<String> {
        let mut events = Vec::new();
        super::push(text.to_owned().into(), &mut events);
        let whole: String = events
            .iter()
            .filter_map(|event| if let Event::Text(text) = event { Some(&**text) } else { None })
            .collect();
        assert_eq!(whole, text, "no character is lost");
        events
            .iter()
            .filter_map(|event| {
                if let Event::Start(Tag::Link { dest_url, .. }) = event { Some(dest_url.to_string()) } else { None }
            })
            .collect()
    }

    #[test]
    fn bare_addresses_are_links() {
        for (text, expected) in [
            ("see https://example.com/a.", vec!["https://example.com/a"]),
            ("(http://a.example/x_(y)) www.b.example, end", vec!["http://a.example/x_(y)", "https://www.b.example"]),
            ("https://a.example/?q=1&r=2! https://b.example", vec!["https://a.example/?q=1&r=2", "https://b.example"]),
            ("xhttps://a.example http:// https:// www.", vec![]),
            ("javascript:https://a.example", vec!["https://a.example"]),
            ("héhttp ünï https://ünï.example/ß.", vec!["https://ünï.example/ß"]),
            ("", vec![]),
        ] {
            assert_eq!(links(text), expected, "{text}");
        }
    }

    #[test]
    fn long_lines_take_no_time() {
        for shape in ["https://", "h", ")", "https://a)", "www.", "(https://a.example"] {
            links(&shape.repeat(100_000 / shape.len()));
        }
        links(&format!("https://a{}", ")".repeat(100_000)));
    }
}
