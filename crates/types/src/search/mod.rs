//! What searching means, without a database: which words a text has, what a query asks for, how near two words are, and what a
//! manifest is, by its types.

mod kind;
mod query;
mod spelling;
mod words;

pub use kind::{ArtifactKind, Evidence, UnknownKind};
pub use query::{Flag, Query, Sort, Term, UnknownSort};
pub use spelling::{distance, variants};
pub use words::{LONGEST_WORD, squashed, words};
