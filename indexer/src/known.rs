use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

/// The accounts that the index has heard of: identity and account events of anyone else are dropped. Cheap to clone; every
/// clone is the same set.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<RwLock<HashSet<Box<str>>>>);

impl Known {
    /// Whether the index has heard of an account.
    pub fn contains(&self, did: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(did)
    }

    /// Adds accounts.
    pub fn extend(&self, dids: impl IntoIterator<Item = impl AsRef<str>>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for did in dids {
            if !known.contains(did.as_ref()) {
                known.insert(did.as_ref().into());
            }
        }
    }
}
