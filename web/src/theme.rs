//! Light, dark, or as the visitor's system has it: the one thing that is kept of a visitor, in a cookie.

use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};
use serde::Deserialize;

use crate::state::Web;

/// A year.
const LIFETIME: u32 = 31_536_000;
/// Longer addresses lead to the first page.
const LONGEST_ADDRESS: usize = 2_000;

/// The colours of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every theme, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The theme of a request's cookie; any other cookie is none of ours.
    pub fn of(headers: &HeaderMap) -> Self {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        match pairs.find(|(name, _)| *name == "theme").map(|(_, value)| value) {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::System,
        }
    }

    /// What it is called in forms.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What people read.
    pub const fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// The `data-theme` of a page; `None` where the system decides.
    pub fn forced(self) -> Option<&'static str> {
        (self != Self::System).then(|| self.name())
    }

    /// The colour schemes that the browser may draw with.
    pub const fn schemes(self) -> &'static str {
        match self {
            Self::System => "light dark",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The form in the footer.
#[derive(Deserialize)]
pub struct Choice {
    theme: Theme,
    /// The page that it was chosen on.
    #[serde(default)]
    to: String,
}

/// `POST /theme`: keeps the choice, and goes back to where it was made.
pub async fn choose(State(web): State<Web>, Form(Choice { theme, to }): Form<Choice>) -> Response {
    let lifetime = if theme == Theme::System { 0 } else { LIFETIME };
    let secure = if web.config().public_url.scheme() == "https" { "; Secure" } else { "" };
    let cookie = format!("theme={}; Path=/; Max-Age={lifetime}; SameSite=Lax; HttpOnly{secure}", theme.name());
    let mut response = Redirect::to(own(&to)).into_response();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// An address on this site, else the first page: nobody is sent elsewhere by a form that a stranger filled in.
fn own(to: &str) -> &str {
    let leads_away = |rest: &str| rest.starts_with(['/', '\\']);
    let is_own = to.strip_prefix('/').is_some_and(|rest| !leads_away(rest))
        && to.len() <= LONGEST_ADDRESS
        && to.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { to } else { "/" }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::COOKIE};

    use super::{Theme, own};

    #[test]
    fn the_cookie_says_which() {
        for (cookie, theme) in [
            ("theme=dark", Theme::Dark),
            ("a=b; theme=light; c=d", Theme::Light),
            ("theme=purple", Theme::System),
            ("nottheme=dark", Theme::System),
            ("", Theme::System),
        ] {
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(cookie))]);
            assert_eq!(Theme::of(&headers), theme, "{cookie}");
        }
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        for (to, leads) in [
            ("/search?q=a", "/search?q=a"),
            ("/", "/"),
            ("//evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example/", "/"),
            ("", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
            ("/\tevil", "/"),
        ] {
            assert_eq!(own(to), leads, "{to:?}");
        }
    }
}
