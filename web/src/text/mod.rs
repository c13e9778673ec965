//! Words, numbers and the markup of strangers.

pub mod artifact;
pub mod compare;
pub mod format;
pub mod history;
pub mod json;
pub mod markdown;
