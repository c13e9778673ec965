use chrono::Utc;
use outbound::{Caller, HoldError, HoldTarget, OutboundError};
use store::{observe, queries::HoldView};
use types::{Did, Digest};
use url::Url;

use crate::{
    Registry,
    errors::{Code, OciError, Result},
    owners::{self, Account},
};

/// A hold, ready to be asked.
pub(crate) struct Hold {
    pub target: HoldTarget,
    /// Its DID, or for an endpoint that no DID can carry, the endpoint.
    name: String,
    did: Option<Did>,
    view: Option<HoldView>,
}

/// Finds the hold that a record names, or the one that took over from it. `None` when the record names none.
pub(crate) async fn find(
    registry: &Registry,
    did: Option<&str>,
    legacy_endpoint: Option<&str>,
) -> Result<Option<Hold>> {
    let endpoint = legacy_endpoint.and_then(|endpoint| endpoint.parse::<Url>().ok());
    let Some(named) = did.and_then(|did| did.parse::<Did>().ok()) else {
        return Ok(endpoint.map(|endpoint| Hold::legacy(endpoint, None, None)));
    };
    let (did, view) = registry.reader.hold_in_charge(&named).await?;
    // A record that is older than the hold's DID knows its endpoint only; once the hold declares itself it speaks the new way.
    let speaks_old = did == named && !view.as_ref().is_some_and(|view| view.captain);
    if let Some(endpoint) = endpoint.filter(|_| speaks_old) {
        return Ok(Some(Hold::legacy(endpoint, Some(did), view)));
    }
    let known = || view.as_ref().and_then(|view| view.endpoint.as_deref()?.parse().ok());
    let endpoint = match Box::pin(registry.resolver.hold_endpoint(&did)).await {
        Ok(endpoint) => endpoint,
        Err(error) => known().ok_or_else(|| owners::refusal(&error, did.as_str()))?,
    };
    let target = HoldTarget::Current { did: did.clone(), endpoint };
    Ok(Some(Hold { target, name: did.to_string(), did: Some(did), view }))
}

impl Hold {
    fn legacy(endpoint: Url, did: Option<Did>, view: Option<HoldView>) -> Self {
        let name = did.as_ref().map_or_else(|| endpoint.to_string(), ToString::to_string);
        Self { target: HoldTarget::Legacy { endpoint }, name, did, view }
    }

    /// Its DID, or for an endpoint that no DID can carry, the endpoint.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its DID.
    pub const fn did(&self) -> Option<&Did> {
        self.did.as_ref()
    }

    /// Whether who may say so says that anyone may read from it.
    pub fn is_public(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.public == Some(true))
    }

    /// Whether who may say so says that not everyone may.
    pub fn is_private(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.public == Some(false))
    }

    /// The hold says where its bytes are, and they cannot be had there.
    pub fn bytes_are_away(&self) -> OciError {
        let message = format!("the bytes of the hold {} cannot be reached at the moment: try again later", self.name);
        OciError::new(Code::Unavailable, message)
    }

    /// Where a caller finds a blob; `None` when the hold does not serve it to this one.
    pub async fn ask(
        &self,
        registry: &Registry,
        target: &HoldTarget,
        caller: Caller<'_>,
        account: &Account,
        digest: &Digest,
    ) -> Result<Option<Url>> {
        if !registry.breakers.admits(&self.name) {
            return Err(self.is_down());
        }
        let asking = Box::pin(registry.holds.locate_blob_for(caller, target, &account.did, digest));
        let located = match tokio::time::timeout(registry.config.patience.hold, asking).await {
            Ok(located) => located,
            Err(_) => return Err(self.down(registry, None).await),
        };
        if matches!(located, Ok(_) | Err(HoldError::Denied(_) | HoldError::NotFound(_))) {
            registry.breakers.note(&self.name, true);
        }
        match located {
            Ok(url) => {
                self.up(registry).await;
                Ok(Some(url))
            }
            Err(HoldError::Denied(_)) => Ok(None),
            Err(HoldError::NotFound(_)) => {
                let message = format!("the hold {} does not have {digest}", self.name);
                Err(OciError::new(Code::BlobUnknown, message))
            }
            Err(error @ HoldError::Down(_)) => Err(self.down(registry, Some(&error)).await),
            Err(error @ HoldError::Unusable(OutboundError::Blocked { .. })) => {
                let message =
                    format!("the hold {} sends to an address where nobody may be sent, for {digest}", self.name);
                Err(OciError::new(Code::Upstream, message).because(&error))
            }
            Err(error) => {
                let message = format!("the hold {} gave an unusable answer for {digest}", self.name);
                Err(OciError::new(Code::Upstream, message).because(&error))
            }
        }
    }

    /// Notes that the hold does not answer (`None`: not in time), and says so, with since when.
    pub async fn down(&self, registry: &Registry, error: Option<&HoldError>) -> OciError {
        registry.breakers.note(&self.name, false);
        self.note(registry, Some(error.map_or("no answer in time".to_owned(), reason))).await;
        let refusal = self.is_down();
        match error {
            Some(error) => refusal.because(error),
            None => {
                tracing::warn!(hold = self.name, "a hold did not answer in time");
                refusal
            }
        }
    }

    fn is_down(&self) -> OciError {
        let known = self.view.as_ref().filter(|view| view.reachable == Some(false)).and_then(|view| view.since);
        let since = known.unwrap_or_else(Utc::now).format("%Y-%m-%d %H:%M UTC");
        let message =
            format!("the hold {} does not answer, since {since}; the image's layers are nowhere else", self.name);
        OciError::new(Code::Unavailable, message)
    }

    /// Notes that the hold answers, if that is news.
    async fn up(&self, registry: &Registry) {
        if self.view.as_ref().and_then(|view| view.reachable) != Some(true) {
            self.note(registry, None).await;
        }
    }

    /// What we saw helps others, but no pull fails because it could not be written down.
    async fn note(&self, registry: &Registry, problem: Option<String>) {
        let Some(did) = &self.did else { return };
        let noted = async {
            let connection = registry.writes.lock().await?;
            observe::hold_health(&connection.client, did, problem.as_deref()).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(hold = self.name, %error, "the health of a hold was not noted");
        }
    }
}

fn reason(error: &HoldError) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause.unwrap_or_else(|| error.to_string())
}
