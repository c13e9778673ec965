//! The icon of a repository over its owner's flag, which is seen until the icon is there, and when it is not.

use leptos::prelude::*;

use super::flag::flag;
use crate::pictures::{Signer, blob};

/// The icon, a blob of the owner's that comes through us; without it, or without anybody to sign its address, the flag.
pub fn avatar(did: &str, cid: Option<&str>, signer: Option<&Signer>) -> impl IntoView + use<> {
    let address = signer.zip(cid).map(|(signer, cid)| signer.path(&blob(did, cid)));
    view! {
        <span class="avatar">
            {flag(did)}
            {address.map(|src| view! { <img src=src alt="" width="48" height="48" decoding="async"/> })}
        </span>
    }
}
