//! Tokens that a reader's PDS gives for one hold and one method, for a minute
//! ([inter-service authentication](https://atproto.com/specs/xrpc#inter-service-authentication-jwt)).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::Utc;
use moka::future::Cache;
use outbound::{Pds, SessionError};
use secrecy::SecretString;
use tokio::time::{Instant, sleep};
use types::Did;

use crate::{
    Registry,
    errors::{Code, OciError, Result},
    sign_in::{
        self, SessionId, SignedIn,
        sessions::{self, Kept},
    },
};

/// How long a token is good for, and for how long it is used: clocks differ.
const LIFETIME: Duration = Duration::from_secs(60);
const USED: Duration = Duration::from_secs(40);
/// The one method that it opens.
const METHOD: &str = "com.atproto.sync.getBlob";
/// How long the refresh by another process is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The tokens that are good for a while yet, by reader and hold.
pub(crate) struct ServiceTokens(Cache<(Did, Did), SecretString>);

impl ServiceTokens {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(USED).build())
    }
}

/// A token with which the reader may read blobs of this hold, and whether it was made just now.
pub(super) async fn get(registry: &Registry, reader: &SignedIn, hold: &Did) -> Result<(SecretString, bool)> {
    let is_new = AtomicBool::new(false);
    let minting = Box::pin(async {
        is_new.store(true, Ordering::Relaxed);
        mint(registry, reader, hold).await
    });
    let minted = registry.service_tokens.0.try_get_with((reader.did.clone(), hold.clone()), minting).await;
    let token = minted.map_err(|error: Arc<OciError>| (*error).clone())?;
    Ok((token, is_new.load(Ordering::Relaxed)))
}

/// A token that nobody else uses.
pub(super) async fn mint(registry: &Registry, reader: &SignedIn, hold: &Did) -> Result<SecretString> {
    let kept = sessions::find(registry, reader.session).await?;
    let kept = kept.filter(|kept| kept.session.did == reader.did).ok_or_else(ended)?;
    match ask(registry, &kept, hold).await? {
        Some(token) => Ok(token),
        None => {
            let kept = refresh(registry, reader.session, kept).await?;
            ask(registry, &kept, hold).await?.ok_or_else(ended)
        }
    }
}

/// `None` when the access token is good no more.
async fn ask(registry: &Registry, kept: &Kept, hold: &Did) -> Result<Option<SecretString>> {
    let _permits = registry.read_through.permit_for(registry, &kept.pds).await?;
    let pds = Pds::new(registry.outbound.clone(), kept.pds.clone());
    let expires = Utc::now().timestamp() + i64::try_from(LIFETIME.as_secs()).unwrap_or_default();
    match pds.service_token(&kept.session, hold, METHOD, expires).await {
        Ok(token) => Ok(Some(token)),
        Err(SessionError::Refused) => Ok(None),
        Err(error) => Err(sign_in::refusal(&error, &kept.session.did, &kept.pds)),
    }
}

/// The session with new tokens. A refresh token is good for once, so of all processes one refreshes, and the others wait.
async fn refresh(registry: &Registry, id: SessionId, mut kept: Kept) -> Result<Kept> {
    let deadline = Instant::now() + PATIENCE;
    while !sessions::lease(registry, id, kept.version).await? {
        let now = sessions::find(registry, id).await?.ok_or_else(ended)?;
        if now.version != kept.version {
            return Ok(now);
        }
        if Instant::now() > deadline {
            return Err(OciError::new(Code::Unavailable, "your session is being refreshed: try again"));
        }
        sleep(Duration::from_millis(50)).await;
    }
    let refreshed = {
        let _permits = registry.read_through.permit_for(registry, &kept.pds).await?;
        Pds::new(registry.outbound.clone(), kept.pds.clone()).refresh_session(&kept.session).await
    };
    match refreshed {
        Ok(session) => {
            kept.session = session;
            sessions::replace(registry, id, &kept).await?;
            kept.version += 1;
            Ok(kept)
        }
        Err(SessionError::Refused) => {
            sessions::forget(registry, id).await?;
            Err(ended())
        }
        Err(error) => {
            sessions::release(registry, id, kept.version).await?;
            Err(sign_in::refusal(&error, &kept.session.did, &kept.pds))
        }
    }
}

fn ended() -> OciError {
    OciError::new(Code::Unauthorized, "your session at your own server has ended: sign in again")
}
