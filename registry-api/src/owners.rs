use outbound::IdentityError;
use service::client::Client;
use store::queries::ActorView;
use tokio::time::timeout;
use types::{Did, Handle};
use url::Url;

use crate::{
    Registry,
    errors::{Code, OciError, Result},
    names::Owner,
};

/// The account behind an owner's name.
pub(crate) struct Account {
    pub did: Did,
    /// Whether the change log would tell that the name means another account now.
    pub is_indexed: bool,
    /// Its PDS, if the index knows it.
    pds: Option<Url>,
}

/// Finds the account. A handle that the index does not know, or has not checked within a day, is looked up on the network.
pub(crate) async fn find(registry: &Registry, client: Client, owner: &Owner) -> Result<Account> {
    match owner {
        Owner::Did(did) => account(did.clone(), registry.reader.actor(did).await?, owner, true),
        Owner::Handle(handle) => match registry.reader.actor_by_handle(handle).await? {
            Some(actor) => account(actor.did.parse().map_err(store::StoreError::from)?, Some(actor), owner, true),
            None => {
                // Boxed, as all that leaves the machine: it is rare, and large.
                let did = Box::pin(look_up(registry, client, handle)).await?;
                let actor = registry.reader.actor(&did).await?;
                account(did, actor, owner, false)
            }
        },
    }
}

fn account(did: Did, actor: Option<ActorView>, owner: &Owner, is_indexed: bool) -> Result<Account> {
    if actor.as_ref().is_some_and(|actor| !actor.active) {
        return Err(OciError::new(Code::NameUnknown, format!("the account of {owner} is not available")));
    }
    Ok(Account { did, is_indexed, pds: actor.and_then(|actor| actor.pds?.parse().ok()) })
}

async fn look_up(registry: &Registry, client: Client, handle: &Handle) -> Result<Did> {
    if registry.read_through.is_news(handle) {
        registry.limits.lookup(client)?;
    }
    let did = ask(registry, handle.as_str(), registry.resolver.verified_did(handle)).await?;
    did.ok_or_else(|| OciError::new(Code::NameUnknown, format!("no account has the handle {handle}")))
}

/// Asks the network about an identity, in turn and not for long: who is asked may be whom the client chose.
async fn ask<T>(
    registry: &Registry,
    who: &str,
    question: impl Future<Output = std::result::Result<T, IdentityError>>,
) -> Result<T> {
    let _permit = registry.read_through.permit_for_identity().await?;
    let answer = timeout(registry.config.patience.identity, question).await;
    answer.map_err(|elapsed| silent(who).because(&elapsed))?.map_err(|error| refusal(&error, who))
}

impl Account {
    /// Where its records are.
    pub async fn pds(&self, registry: &Registry) -> Result<Url> {
        if let Some(pds) = &self.pds {
            return Ok(pds.clone());
        }
        Box::pin(ask(registry, self.did.as_str(), registry.resolver.pds_endpoint(&self.did))).await
    }
}

/// What an identity that cannot be read means to a client.
pub(crate) fn refusal(error: &IdentityError, who: &str) -> OciError {
    match error {
        IdentityError::NotFound(_) | IdentityError::Tombstoned(_) | IdentityError::Unsupported(_) => {
            OciError::new(Code::NameUnknown, format!("there is no account {who}: {error}"))
        }
        IdentityError::NoEndpoint(_) => OciError::new(Code::NameUnknown, format!("the account of {who} has no server")),
        _ if error.is_transient() => silent(who).because(error),
        _ => OciError::new(Code::Upstream, format!("the identity of {who} cannot be read")).because(error),
    }
}

fn silent(who: &str) -> OciError {
    OciError::new(Code::Unavailable, format!("{who} cannot be looked up at the moment"))
}
