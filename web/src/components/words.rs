//! Small texts with the exact value behind them.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use crate::text::format;

/// “3 h ago”, with the exact time in the title.
pub fn age(time: DateTime<Utc>) -> impl IntoView {
    view! {
        <time datetime=time.to_rfc3339() title=format::exact(time)>
            {format::age(time, Utc::now())}
        </time>
    }
}

/// [`age`], or a dash when nobody said when.
pub fn age_or_dash(time: Option<DateTime<Utc>>) -> AnyView {
    time.map_or_else(|| "–".into_any(), |time| age(time).into_any())
}

/// “3.4 MB”, with the bytes in the title.
pub fn size(bytes: i64) -> impl IntoView {
    view! { <span title=format::bytes(bytes)>{format::size(bytes)}</span> }
}

/// A digest's first characters, the whole of it in the title.
pub fn digest(digest: &str) -> impl IntoView + use<> {
    view! { <code class="digest" title=digest.to_owned()>{format::short_digest(digest)}</code> }
}

/// “12.3k”, with every digit in the title.
pub fn count(n: i64) -> impl IntoView {
    view! { <span title=format::grouped(n)>{format::count(n)}</span> }
}

/// A button that copies; hidden until the script is there to make it work.
pub fn copy(text: String, what: &str) -> impl IntoView + use<> {
    view! { <button type="button" class="copy" data-copy=text aria-label=format!("Copy {what}") hidden=true>"Copy"</button> }
}

/// The same for what stands before it with the whole of it in its title.
pub fn copy_beside(what: &str) -> impl IntoView + use<> {
    copy(String::new(), what)
}
