use store::{
    Reader,
    queries::{ActorView, Owner},
};
use types::{Did, Handle};

use crate::error::WebError;

/// An account that may be shown.
#[derive(Clone, Debug)]
pub struct Account {
    /// The DID: rows are keyed by it.
    pub did: Did,
    /// What pages call it.
    pub owner: Owner,
    /// Where its records are.
    pub pds: Option<String>,
}

/// Finds the account behind a handle, a DID, or docker's escape of a DID.
///
/// # Errors
/// [`WebError::NoOwner`] when the index has not heard of it, [`WebError::Hidden`] while its host hides it.
pub async fn find(reader: &Reader, text: &str) -> Result<Account, WebError> {
    let unknown = || WebError::NoOwner { owner: text.to_owned() };
    let actor = if let Some(did) = text.parse().ok().or_else(|| Did::from_escaped(text)) {
        reader.actor(&did).await?
    } else {
        reader.actor_by_handle(&text.parse::<Handle>().map_err(|_| unknown())?).await?
    };
    let ActorView { did, handle, pds, active, status, .. } = actor.ok_or_else(unknown)?;
    if !active {
        return Err(WebError::Hidden { owner: text.to_owned(), status });
    }
    let parsed = did.parse().map_err(store::StoreError::Row)?;
    Ok(Account { did: parsed, owner: Owner { did, handle }, pds })
}
