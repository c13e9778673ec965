//! What is new as a feed ([Atom](https://www.rfc-editor.org/rfc/rfc4287)).

use std::fmt::Write as _;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use store::queries::RepositoryItem;
use url::Url;

use crate::{address, error::WebError, state::Web, text::format};

/// Entries.
const MOST: i64 = 50;

/// `GET /new.atom`: each push is an entry of its own.
pub async fn atom(State(web): State<Web>) -> Result<Response, WebError> {
    let items = web.reader().newest(None, MOST).await?;
    let origin = &web.config().public_url;
    let updated = items.first().and_then(|item| item.updated_at).unwrap_or(DateTime::UNIX_EPOCH);
    let page = link(origin, "/new");
    let mut feed = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>{page}</id>\n\
         <title>What’s new on crowsnest</title>\n<updated>{}</updated>\n<link href=\"{page}\"/>\n\
         <link rel=\"self\" type=\"application/atom+xml\" href=\"{}\"/>\n",
        time(updated),
        link(origin, "/new.atom"),
    );
    items.iter().for_each(|item| entry(&mut feed, origin, item));
    feed.push_str("</feed>\n");
    let headers = [(CONTENT_TYPE, "application/atom+xml; charset=utf-8"), (CACHE_CONTROL, "public, max-age=60")];
    Ok((headers, feed).into_response())
}

fn entry(feed: &mut String, origin: &Url, item: &RepositoryItem) {
    let Some(updated) = item.updated_at else { return };
    let owner = item.owner.name();
    let tag = item.updated_tag.as_deref().map(|tag| format!(":{tag}")).unwrap_or_default();
    let title = escaped(&format!("{owner}/{}{tag}", item.name));
    let page = link(origin, &address::repository(owner, &item.name));
    // Writing into memory never fails.
    let _ = write!(
        feed,
        "<entry>\n<id>{page}#{}</id>\n<title>{title}</title>\n<updated>{}</updated>\n<author><name>{}</name></author>\n\
         <link href=\"{page}\"/>\n",
        updated.timestamp_micros(),
        time(updated),
        escaped(owner),
    );
    if let Some(about) = item.description.as_deref() {
        let _ = writeln!(feed, "<summary>{}</summary>", escaped(about));
    }
    feed.push_str("</entry>\n");
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn link(origin: &Url, path: &str) -> String {
    escaped(origin.join(path).as_ref().map_or(path, Url::as_str))
}

/// A stranger's text as text of XML, without what XML cannot hold.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in format::shown(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn texts_of_strangers_are_no_markup() {
        assert_eq!(
            super::escaped("<a b=\"c\">&\u{0}\u{202e}\u{ffff}"),
            "&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}\u{fffd}\u{fffd}"
        );
    }
}
