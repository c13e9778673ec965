//! Words, numbers and the markup of strangers.

pub mod artifact;
pub mod format;
pub mod history;
pub mod markdown;
