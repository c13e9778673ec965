//! One file a page. Each loads what it shows, then shows it; none knows the frame.

pub mod about;
pub mod activity;
pub mod compare;
pub mod error;
pub mod explore;
pub mod holds;
pub mod home;
pub mod install;
pub mod manifest;
pub mod new;
pub mod overview;
pub mod repository;
pub mod search;
pub mod status;
pub mod tags;
pub mod terms;
pub mod user;

use crate::error::WebError;

/// Lists end here; the store ranks no more candidates.
const LAST_OFFSET: i64 = 1_000;

/// Where a page of a list begins: the value that the page before it gave as `next`.
pub fn offset(cursor: &str) -> Result<i64, WebError> {
    match cursor.parse() {
        _ if cursor.is_empty() => Ok(0),
        Ok(offset) if (0..=LAST_OFFSET).contains(&offset) => Ok(offset),
        Ok(offset) if offset > LAST_OFFSET => {
            Err(WebError::BadRequest("Lists end after 1,000 entries: narrow the search instead.".to_owned()))
        }
        _ => Err(WebError::BadRequest("This page's address is broken: its cursor is not one of ours.".to_owned())),
    }
}
