//! DIDs to documents, handles to DIDs, and the check that both agree.

mod cache;
mod did_web;
mod document;
mod handle;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use types::{Did, Handle};
use url::Url;

pub use did_web::did_web_origin;
pub use document::DidDocument;

use crate::{Limits, Outbound, OutboundError};
use cache::{Ages, Answers};
use handle::HandleLookup;

/// Identities as the network has them ([identity](https://atproto.com/specs/identity)), remembered: an answer is trusted for
/// ten minutes, then given once more while it is looked up again in the background, and never older than a day. A handle
/// that resolves to nothing is forgotten after five seconds. Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct Resolver {
    lookups: Arc<Lookups>,
    documents: Answers<Did, Arc<DidDocument>>,
    handles: Answers<Handle, Option<Did>>,
}

/// A DID with what the network says of it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its document.
    pub document: Arc<DidDocument>,
    /// The handle under which it may be shown, checked in both directions.
    pub handle: Option<Handle>,
}

/// Whom to ask.
#[derive(Clone, Debug)]
pub struct ResolverConfig {
    /// The PLC directory.
    pub plc_url: Url,
    /// A server whose `com.atproto.identity.resolveHandle` is asked instead of DNS and the handle's own host.
    pub handle_resolver_url: Option<Url>,
}

/// Why an identity is not known.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IdentityError {
    /// Nobody has this DID.
    #[error("{0} does not exist")]
    NotFound(Did),
    /// The DID was given up, for ever.
    #[error("{0} was deleted")]
    Tombstoned(Did),
    /// Neither `did:plc` nor a `did:web` of a host.
    #[error("{0} is of a kind that the AT Protocol does not use")]
    Unsupported(Did),
    /// A document of somebody else.
    #[error("the document of {asked} names {found}")]
    WrongId {
        /// The DID that was asked for.
        asked: Did,
        /// The one that the document names.
        found: Did,
    },
    /// The document names no server that could answer.
    #[error("{0} names no server")]
    NoEndpoint(Did),
    /// The look-up itself failed.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
}

impl IdentityError {
    /// Whether asking again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Outbound(error) if error.is_transient())
    }
}

impl Resolver {
    /// Sets up the look-ups.
    ///
    /// # Errors
    /// [`OutboundError::Setup`] when the machine's DNS configuration cannot be read.
    pub fn new(outbound: Outbound, config: &ResolverConfig) -> Result<Self, OutboundError> {
        Self::with_ages(outbound, config, Ages::USUAL)
    }

    fn with_ages(outbound: Outbound, config: &ResolverConfig, ages: Ages) -> Result<Self, OutboundError> {
        let handle = HandleLookup::new(config.handle_resolver_url.clone())?;
        Ok(Self {
            lookups: Arc::new(Lookups { outbound, plc_url: config.plc_url.clone(), handle }),
            documents: Answers::new(ages, |_| false),
            handles: Answers::new(ages, Option::is_none),
        })
    }

    /// What the network says of a DID right now, its handle checked in both directions; what is remembered of either is
    /// replaced. This is what an identity event asks for.
    ///
    /// # Errors
    /// As [`Resolver::did_document`]. When the handle's direction cannot be asked, that is an error too: it says nothing
    /// about the handle.
    pub async fn renew(&self, did: &Did) -> Result<Identity, IdentityError> {
        let document = self.documents.renew(did, self.lookups.clone().document(did.clone())).await?;
        let Some(handle) = document.handles().next() else { return Ok(Identity { document, handle: None }) };
        let owner = match self.is_refused(&handle) {
            true => None,
            false => self.handles.renew(&handle, self.lookups.clone().handle(handle.clone())).await?,
        };
        let handle = (owner.as_ref() == Some(did)).then_some(handle);
        Ok(Identity { document, handle })
    }

    /// The account that a handle stands for right now, asked afresh in both directions: a password goes to its PDS. `None`
    /// when there is none, or its document does not claim the handle.
    ///
    /// # Errors
    /// Any [`IdentityError`].
    pub async fn renew_handle(&self, handle: &Handle) -> Result<Option<Arc<DidDocument>>, IdentityError> {
        if self.is_refused(handle) {
            return Ok(None);
        }
        let did = self.handles.renew(handle, self.lookups.clone().handle(handle.clone())).await?;
        let Some(did) = did else { return Ok(None) };
        let document = self.renew_document(&did).await?;
        let claimed = document.handles().next();
        Ok((claimed.as_ref() == Some(handle)).then_some(document))
    }

    /// A DID's document as it is right now.
    ///
    /// # Errors
    /// As [`Resolver::did_document`].
    pub async fn renew_document(&self, did: &Did) -> Result<Arc<DidDocument>, IdentityError> {
        self.documents.renew(did, self.lookups.clone().document(did.clone())).await
    }

    /// A DID's document.
    ///
    /// # Errors
    /// Any [`IdentityError`] but [`IdentityError::NoEndpoint`].
    pub async fn did_document(&self, did: &Did) -> Result<Arc<DidDocument>, IdentityError> {
        self.documents.get(did, || self.lookups.clone().document(did.clone())).await
    }

    /// The DID that a handle stands for; `None` when it stands for none. A reserved handle (`.test`, `.local`, …) stands
    /// for none unless a private network is allowed. This is one direction only: see [`Resolver::verified_handle`].
    ///
    /// # Errors
    /// [`IdentityError::Outbound`] when nobody could be asked.
    pub async fn resolve_handle(&self, handle: &Handle) -> Result<Option<Did>, IdentityError> {
        if self.is_refused(handle) {
            return Ok(None);
        }
        self.handles.get(handle, || self.lookups.clone().handle(handle.clone())).await
    }

    fn is_refused(&self, handle: &Handle) -> bool {
        handle.is_reserved() && !self.lookups.outbound.guard().allows_private_network()
    }

    /// The DID of a handle, if its document claims the handle back.
    ///
    /// # Errors
    /// Any [`IdentityError`].
    pub async fn verified_did(&self, handle: &Handle) -> Result<Option<Did>, IdentityError> {
        let Some(did) = self.resolve_handle(handle).await? else { return Ok(None) };
        let document = self.did_document(&did).await?;
        Ok((document.handles().next().as_ref() == Some(handle)).then_some(did))
    }

    /// The handle under which a DID may be shown: the first that its document claims, if that resolves back to the DID.
    ///
    /// # Errors
    /// Any [`IdentityError`]; none of them says that the handle is wrong.
    pub async fn verified_handle(&self, did: &Did) -> Result<Option<Handle>, IdentityError> {
        let document = self.did_document(did).await?;
        let Some(handle) = document.handles().next() else { return Ok(None) };
        Ok((self.resolve_handle(&handle).await?.as_ref() == Some(did)).then_some(handle))
    }

    /// The PDS of an account.
    ///
    /// # Errors
    /// Any [`IdentityError`].
    pub async fn pds_endpoint(&self, did: &Did) -> Result<Url, IdentityError> {
        self.did_document(did).await?.pds().ok_or_else(|| IdentityError::NoEndpoint(did.clone()))
    }

    /// Where a hold answers: its document's hold service, else its PDS (a hold is its own), else, for a `did:web`, the host
    /// itself, whether or not it serves a document.
    ///
    /// # Errors
    /// Any [`IdentityError`], of a `did:plc`.
    pub async fn hold_endpoint(&self, did: &Did) -> Result<Url, IdentityError> {
        let host = did_web_origin(did, self.lookups.outbound.guard().allows_private_network());
        match (self.did_document(did).await, host) {
            (Ok(document), host) => document
                .hold()
                .or_else(|| document.pds())
                .or(host)
                .ok_or_else(|| IdentityError::NoEndpoint(did.clone())),
            (Err(_), Some(host)) => Ok(host),
            (Err(error), None) => Err(error),
        }
    }

    /// Forgets a DID's document: an identity event says that it may have changed.
    pub async fn invalidate(&self, did: &Did) {
        self.documents.forget(did).await;
    }

    /// Forgets what a handle stands for.
    pub async fn invalidate_handle(&self, handle: &Handle) {
        self.handles.forget(handle).await;
    }
}

/// The look-ups themselves, without memory.
struct Lookups {
    outbound: Outbound,
    plc_url: Url,
    handle: HandleLookup,
}

impl Lookups {
    async fn handle(self: Arc<Self>, handle: Handle) -> Result<Option<Did>, IdentityError> {
        Ok(self.handle.resolve(&self.outbound, &handle).await?)
    }

    async fn document(self: Arc<Self>, did: Did) -> Result<Arc<DidDocument>, IdentityError> {
        let unsupported = || IdentityError::Unsupported(did.clone());
        let url = match did.method() {
            "plc" => self.plc_url.join(&format!("/{did}")).map_err(|_| unsupported())?,
            "web" => {
                let private = self.outbound.guard().allows_private_network();
                did_web::document_url(&did, private).ok_or_else(unsupported)?
            }
            _ => return Err(unsupported()),
        };
        let limits = Limits::SMALL.with_max_bytes(256 << 10).with_timeout(Duration::from_secs(10));
        let document: DidDocument =
            self.outbound.get_json(&url, limits).await.map_err(|error| match error.status() {
                Some(StatusCode::NOT_FOUND) => IdentityError::NotFound(did.clone()),
                Some(StatusCode::GONE) => IdentityError::Tombstoned(did.clone()),
                _ => error.into(),
            })?;
        if document.id != did {
            return Err(IdentityError::WrongId { asked: did, found: document.id });
        }
        Ok(Arc::new(document))
    }
}
