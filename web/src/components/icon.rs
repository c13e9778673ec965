//! A handful of strokes, always beside words.

use leptos::prelude::*;

/// Which icon.
#[derive(Clone, Copy)]
pub enum Icon {
    /// A magnifying glass.
    Search,
    /// A star.
    Star,
    /// An arrow into a tray: pulls.
    Pull,
    /// A label.
    Tag,
    /// A spyglass's eye on the water: our mark.
    Mark,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Search => "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
            Self::Star => "M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.7l5.9-.8z",
            Self::Pull => "M12 3v11m-4.5-4.5L12 14l4.5-4.5M4 17v3h16v-3",
            Self::Tag => "M4 4h7l9 9-7 7-9-9zM8 8h.01",
            Self::Mark => "M12 2v20M7 6h10l-1.5 6h-7zM5 22h14M12 2l5 2-5 2",
        }
    }

    /// Draws it; screen readers pass over it.
    pub fn draw(self) -> impl IntoView {
        view! {
            <svg class="icon" viewBox="0 0 24 24" width="16" height="16" aria-hidden="true">
                <path d=self.path()></path>
            </svg>
        }
    }
}
