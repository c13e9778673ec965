//! The icon of a repository, or else its owner's flag.

use leptos::prelude::*;

use super::flag::flag;
use crate::pictures::{Signer, blob};

/// The same in a list, by whoever signs what this page shows (the context's).
pub fn small(did: &str, cid: Option<&str>) -> AnyView {
    match use_context::<Signer>().zip(cid) {
        Some((signer, cid)) => {
            let src = signer.path(&blob(did, cid));
            view! { <img class="avatar" src=src alt="" width="32" height="32" loading="lazy" decoding="async"/> }
                .into_any()
        }
        None => flag(did).into_any(),
    }
}

/// The icon, a blob of the owner's that comes through us; without one, or without anybody to sign its address, the flag. An
/// icon that cannot be had is the flag too, by [`crate::pictures`].
pub fn avatar(did: &str, cid: Option<&str>, signer: Option<&Signer>) -> AnyView {
    match signer.zip(cid) {
        Some((signer, cid)) => {
            let src = signer.path(&blob(did, cid));
            view! { <img class="avatar" src=src alt="" width="48" height="48" decoding="async"/> }.into_any()
        }
        None => flag(did).into_any(),
    }
}
