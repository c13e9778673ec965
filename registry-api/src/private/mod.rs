//! Blobs of private holds: first our own table says whether a reader may have one, then the hold is asked in the reader's name.
//! The hold decides.

mod crew;
mod service_token;

use outbound::{Caller, HoldTarget};
use types::{Digest, permission::Declared};
use url::Url;

pub(crate) use self::{crew::Crews, service_token::ServiceTokens};
use crate::{
    Registry,
    errors::{Code, OciError, Result},
    holds::Hold,
    names::Name,
    owners::{self, Account},
    sign_in::SignedIn,
    tokens::{Claims, pull_scope},
};

/// Who asks, and for an image of which name.
pub(crate) struct Asker<'a> {
    pub claims: Option<&'a Claims>,
    pub name: &'a Name,
}

impl Asker<'_> {
    /// The reader, if the token opens this name; else the way to a token that does.
    fn reader(&self, registry: &Registry, hold: &Hold) -> Result<SignedIn> {
        let scope = pull_scope(self.name);
        let Some((claims, reader)) = self.claims.and_then(|claims| Some((claims, claims.signed_in()?))) else {
            let message = format!("the hold {} is private: sign in with your handle and an app password", hold.name());
            return Err(
                OciError::new(Code::Unauthorized, message).with_challenge(registry.tokens.challenge(Some(&scope)))
            );
        };
        if !claims.may_pull(self.name) {
            let message = format!("the token is not for {}, which is on a private hold", self.name);
            let challenge = registry.tokens.challenge_of_scope(&scope);
            return Err(OciError::new(Code::Unauthorized, message).with_challenge(challenge));
        }
        Ok(reader)
    }
}

/// Where a reader finds a blob of a private hold.
pub(crate) async fn locate(
    registry: &Registry,
    hold: &Hold,
    account: &Account,
    digest: &Digest,
    asker: &Asker<'_>,
) -> Result<Url> {
    let reader = asker.reader(registry, hold)?;
    let located = match &hold.target {
        // Old holds admit whoever is signed in, and take our word for who that is.
        HoldTarget::Legacy { .. } => {
            hold.ask(registry, &hold.target, Caller::Account(&reader.did), account, digest).await?
        }
        HoldTarget::Current { did, .. } => {
            permit(registry, hold, did, &reader).await?;
            // A service token goes where the DID's document says, whatever else is known of the hold.
            let document = registry.resolver.did_document(did).await;
            let document = document.map_err(|error| owners::refusal(&error, did.as_str()))?;
            let Some(endpoint) = document.hold().or_else(|| document.pds()) else {
                let message = format!("the document of the hold {did} does not say where it answers");
                return Err(OciError::new(Code::Upstream, message));
            };
            let target = HoldTarget::Current { did: did.clone(), endpoint };
            let again = |error| signed_out(registry, asker, error);
            let (token, is_new) = service_token::get(registry, &reader, did).await.map_err(again)?;
            match hold.ask(registry, &target, Caller::Token(&token), account, digest).await? {
                // A hold may take a token once only.
                None if !is_new => {
                    let token = service_token::mint(registry, &reader, did).await.map_err(again)?;
                    hold.ask(registry, &target, Caller::Token(&token), account, digest).await?
                }
                found => found,
            }
        }
    };
    located.ok_or_else(|| {
        let message = format!("the hold {} does not serve this to {}, and the hold decides", hold.name(), reader.did);
        OciError::new(Code::Denied, message)
    })
}

/// Says no to who may not read. The index may be behind: nobody is refused before the hold itself was read.
async fn permit(registry: &Registry, hold: &Hold, did: &types::Did, reader: &SignedIn) -> Result<()> {
    let known = registry.reader.standing(did, &reader.did).await?;
    if known.is_some_and(|known| known.declared.may_read(Some(&reader.did), &known.permissions)) {
        return Ok(());
    }
    let crew = crew::read(registry, hold, did).await?;
    if crew.declared.may_read(Some(&reader.did), crew.permissions_of(&reader.did)) {
        return Ok(());
    }
    let owner = match &crew.declared {
        Declared::Captain { owner, .. } => format!(" ({owner})"),
        Declared::Legacy { .. } => String::new(),
    };
    let message = format!(
        "the hold {} is private: its captain{owner} and those of its crew who have blob:read or blob:write may read, and {} is \
         none of them",
        hold.name(),
        reader.did
    );
    Err(OciError::new(Code::Denied, message))
}

/// A session that is over is no fault of the token's: with the way to the next one, clients sign in again by themselves.
fn signed_out(registry: &Registry, asker: &Asker<'_>, error: OciError) -> OciError {
    match error.code {
        Code::Unauthorized => error.with_challenge(registry.tokens.challenge(Some(&pull_scope(asker.name)))),
        _ => error,
    }
}
