//! What searching means, without a database: which words a text has, what a query asks for, how near two words are, and what a
//! manifest is, by its types.

mod kind;
mod license;
mod note;
mod pasted;
mod query;
mod spelling;
mod words;

pub use kind::{ArtifactKind, Evidence, UnknownKind};
pub use license::{license_answers, licenses_meant};
pub use note::{Fate, Note};
pub use pasted::{Pasted, PastedReference};
pub use query::{Flag, Query, Sort, Term, UnknownSort};
pub use spelling::{distance, is_number, neighbours, variants};
pub use words::{LONGEST_WORD, squashed, words};
