//! Quiet lines that say what the page cannot.

use chrono::Utc;
use leptos::prelude::*;
use store::queries::{BackfillView, HoldView};

use crate::{address, text::format};

/// While a fresh index fills: how far it is.
pub fn filling(backfill: Option<&BackfillView>) -> Option<AnyView> {
    let backfill = backfill.filter(|backfill| backfill.finished_at.is_none())?;
    let view = if backfill.total == 0 {
        view! { <p class="notice" role="status">"The index is new: looking for accounts that publish images."</p> }
            .into_any()
    } else {
        let read = format!("{} of {} accounts read", format::grouped(backfill.done), format::grouped(backfill.total));
        view! {
            <p class="notice" role="status">
                <span>"The index is filling: " {read} ". What you look for may not be here yet."</span>
                <progress max=backfill.total value=backfill.done>{backfill.done}</progress>
            </p>
        }
        .into_any()
    };
    Some(view)
}

/// A hold that is down is said on every page that depends on it.
pub fn hold_down(hold: Option<&HoldView>) -> Option<AnyView> {
    let hold = hold.filter(|hold| hold.reachable == Some(false))?;
    let since = hold.since.map(|since| format!(" for {}", format::duration(since, Utc::now())));
    let view = view! {
        <p class="notice bad" role="status">
            "The hold " <a href=address::hold(&hold.did) title=format::shown(&hold.did)>{format::hold(&hold.did)}</a> " has not answered" {since}
            ". Manifests can be read; pulls of its layers will fail until it is back."
        </p>
    };
    Some(view.into_any())
}

/// A name that no client can pull.
pub fn not_pullable(why: &str) -> impl IntoView + use<> {
    view! {
        <p class="notice warn">
            "Not pullable: this name is not legal in an image reference ("
            {why.to_owned()} "). Its records are shown as they were published."
        </p>
    }
}
