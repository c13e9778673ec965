//! The pages and the JSON API, read-only over the index.
//!
//! In data-flow order: [`router`] (what answers which address, with which headers), `app` (the routes of the pages and
//! how one is rendered), `address` (names in URLs, both ways), `owner` (a handle or a DID becomes an account), `pages` and
//! `api` (one file a noun), `live` (what is new, as it comes), `feed` (the same for feed readers), `components` and `text` (what pages are made of), `pictures` (those
//! of strangers, through us), `kept` (pages of a moment ago), `theme`, `error` (the one edge type), `assets`.

mod address;
mod api;
mod app;
mod assets;
mod components;
mod config;
mod error;
mod feed;
mod kept;
mod live;
mod owner;
mod pages;
mod pictures;
mod place;
mod router;
mod state;
mod text;
mod theme;

pub use config::{Lag, WebConfig, leptos_options};
pub use router::router;
