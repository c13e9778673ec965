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

/// A DID as people write it in an address: escaped for docker, or with the colon of a port where `%3A` belongs.
pub fn did(text: &str) -> Option<Did> {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let host = text.strip_prefix("did:web:").and_then(|rest| rest.split_once(':')).filter(|(_, port)| is_port(port));
    match host {
        Some((host, port)) => format!("did:web:{host}%3A{port}").parse().ok(),
        None => text.parse().ok().or_else(|| Did::from_escaped(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::did;

    #[test]
    fn dids_as_people_write_them() {
        for (text, is) in [
            ("did:web:hold.example", Some("did:web:hold.example")),
            ("did:web:127.0.0.1:8080", Some("did:web:127.0.0.1%3A8080")),
            ("did:web:127.0.0.1%3A8080", Some("did:web:127.0.0.1%3A8080")),
            ("did:web:hold.example:path", Some("did:web:hold.example:path")),
            ("did_web_127.0.0.1__8080", Some("did:web:127.0.0.1%3A8080")),
            ("hold.example", None),
        ] {
            assert_eq!(did(text).as_ref().map(types::Did::as_str), is, "{text}");
        }
    }
}
