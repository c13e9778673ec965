//! The ways on and back in a list that has pages: plain links.

use leptos::prelude::*;

/// Addresses of other pages of a list, where there are any.
#[derive(Default)]
pub struct Ways {
    /// Of the first page.
    pub first: Option<String>,
    /// Of the page before.
    pub previous: Option<String>,
    /// Of the page after.
    pub next: Option<String>,
}

impl Ways {
    /// Draws them in the words of a list that is turned page by page.
    pub fn draw(self) -> AnyView {
        self.draw_as(["First page", "Previous page", "Next page"])
    }

    /// Draws them in other words.
    pub fn draw_as(self, [first, previous, next]: [&'static str; 3]) -> AnyView {
        let first = self.first.map(|href| view! { <a href=href>{first}</a> });
        let previous = self.previous.map(|href| view! { <a href=href rel="prev">{previous}</a> });
        let next = self.next.map(|href| view! { <a href=href rel="next">{next}</a> });
        view! { <nav class="pages" aria-label="Pages">{first} {previous} {next}</nav> }.into_any()
    }
}
