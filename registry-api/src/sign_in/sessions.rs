//! Sessions at the readers' own PDSs, kept where every process finds them and nobody else can read them: in Postgres, under
//! a hash of the session's id, sealed with a key that follows from that id and the service's key file. The id is in the reader's
//! tokens. Neither the database alone, nor the file, nor a token opens anything.

use std::{fmt, str::FromStr, sync::Weak, time::Duration};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use outbound::Session;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use store::sign_ins::{self, RowId};
use tokio::time::sleep;
use types::Did;
use url::Url;

use crate::{
    Registry,
    errors::{Code, OciError, Result},
    tokens::Tokens,
};

/// Bytes of a nonce; random ones of this length do not meet.
const NONCE: usize = 24;

/// The name of a session, which only the reader's tokens tell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId([u8; 16]);

/// A session, and where it is one.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub pds: Url,
    pub session: Session,
    /// Which one after a refresh.
    pub version: i32,
}

impl SessionId {
    pub fn random() -> Self {
        Self(rand::random())
    }

    fn row(self) -> RowId {
        Sha256::new().chain_update("crowsnest registry session\0").chain_update(self.0).finalize().into()
    }

    fn cipher(self, tokens: &Tokens) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&tokens.derive("registry session", &self.0).into())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// It opens a session, with the file's help: it is not shown.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

impl FromStr for SessionId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map(|()| Self(id))
    }
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Content {
    pds: Url,
    did: Did,
    access: String,
    refresh: String,
}

fn seal(tokens: &Tokens, id: SessionId, pds: &Url, session: &Session) -> Result<Vec<u8>> {
    let content = Content {
        pds: pds.clone(),
        did: session.did.clone(),
        access: session.access.expose_secret().to_owned(),
        refresh: session.refresh.expose_secret().to_owned(),
    };
    let text = SecretString::from(serde_json::json!(content).to_string());
    let nonce = rand::random::<[u8; NONCE]>();
    let payload = Payload { msg: text.expose_secret().as_bytes(), aad: &id.row() };
    let sealed = id.cipher(tokens).encrypt(&nonce.into(), payload);
    let sealed = sealed.map_err(|_| OciError::new(Code::Internal, Code::Internal.row().2))?;
    Ok([&nonce[..], &sealed].concat())
}

/// `None` when it was sealed with another key, or changed.
fn open(tokens: &Tokens, id: SessionId, sealed: &[u8]) -> Option<(Url, Session)> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: sealed, aad: &id.row() };
    let text = id.cipher(tokens).decrypt(&(*nonce).into(), payload).ok()?;
    let Content { pds, did, access, refresh } = serde_json::from_slice(&text).ok()?;
    Some((pds, Session { did, access: access.into(), refresh: refresh.into() }))
}

/// Keeps a new session, and says how it is found again.
pub(crate) async fn keep(registry: &Registry, pds: &Url, session: &Session, lifetime: Duration) -> Result<SessionId> {
    let id = SessionId::random();
    let sealed = seal(&registry.tokens, id, pds, session)?;
    let connection = registry.writes.lock().await?;
    sign_ins::keep(&connection.client, &id.row(), &sealed, lifetime).await?;
    Ok(id)
}

/// Whether a session is still kept.
pub(crate) async fn is_kept(registry: &Registry, id: SessionId) -> Result<bool> {
    let connection = registry.writes.lock().await?;
    Ok(sign_ins::find(&connection.client, &id.row()).await?.is_some())
}

/// A session, until its time is over.
pub(crate) async fn find(registry: &Registry, id: SessionId) -> Result<Option<Kept>> {
    let found = {
        let connection = registry.writes.lock().await?;
        sign_ins::find(&connection.client, &id.row()).await?
    };
    let Some(sealed) = found else { return Ok(None) };
    let opened = open(&registry.tokens, id, &sealed.bytes);
    Ok(opened.map(|(pds, session)| Kept { pds, session, version: sealed.version }))
}

/// For how long one process alone may refresh a session.
const LEASE: Duration = Duration::from_secs(15);

/// Takes the turn to refresh this version of a session; `false` when another process has it, or it is done.
pub(crate) async fn lease(registry: &Registry, id: SessionId, version: i32) -> Result<bool> {
    let connection = registry.writes.lock().await?;
    Ok(sign_ins::lease(&connection.client, &id.row(), version, LEASE).await?)
}

/// Puts what came of a refresh in the place of what was refreshed.
pub(crate) async fn replace(registry: &Registry, id: SessionId, kept: &Kept) -> Result<()> {
    let sealed = seal(&registry.tokens, id, &kept.pds, &kept.session)?;
    let connection = registry.writes.lock().await?;
    sign_ins::replace(&connection.client, &id.row(), kept.version, &sealed).await?;
    Ok(())
}

/// Gives the turn back.
pub(crate) async fn release(registry: &Registry, id: SessionId, version: i32) -> Result<()> {
    let connection = registry.writes.lock().await?;
    Ok(sign_ins::release(&connection.client, &id.row(), version).await?)
}

/// Forgets a session that its PDS does not know any more.
pub(crate) async fn forget(registry: &Registry, id: SessionId) -> Result<()> {
    let connection = registry.writes.lock().await?;
    Ok(sign_ins::forget(&connection.client, &id.row()).await?)
}

/// How often sessions whose time is over are removed.
const SWEEP: Duration = Duration::from_secs(60);

/// Removes the sessions whose time is over, as long as the registry is there.
pub(crate) async fn sweep(registry: Weak<Registry>) {
    loop {
        sleep(SWEEP).await;
        let Some(registry) = registry.upgrade() else { return };
        let swept = async { sign_ins::sweep(&registry.writes.lock().await?.client).await };
        if let Err(error) = swept.await {
            tracing::debug!(%error, "sessions that are over were not removed; later");
        }
    }
}

#[cfg(test)]
mod tests {
    use outbound::Session;
    use secrecy::ExposeSecret as _;

    use super::{SessionId, open, seal};
    use crate::tokens::Tokens;

    #[test]
    fn only_the_same_id_and_the_same_key_open_a_session() {
        let url = "https://crowsnest.example".parse().unwrap();
        let [ours, others] = [(), ()].map(|()| Tokens::open(&url, None).unwrap());
        let session = Session { did: "did:plc:a".parse().unwrap(), access: "ACCESS".into(), refresh: "REFRESH".into() };
        assert!(!format!("{session:?}").contains("ACCESS") && !format!("{session:?}").contains("REFRESH"));
        let (id, pds) = (SessionId::random(), "https://pds.example/".parse().unwrap());
        let sealed = seal(&ours, id, &pds, &session).unwrap();
        let found = |text: &[u8]| sealed.windows(text.len()).any(|window| window == text);
        assert!(!found(b"ACCESS") && !found(b"did:plc:a") && !found(b"pds.example"));
        let (opened_pds, opened) = open(&ours, id, &sealed).unwrap();
        assert_eq!((opened_pds, opened.access.expose_secret(), opened.did), (pds, "ACCESS", session.did));
        assert!(open(&others, id, &sealed).is_none(), "another key file");
        assert!(open(&ours, SessionId::random(), &sealed).is_none(), "another token");
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(open(&ours, id, &changed).is_none());
        assert!(open(&ours, id, &sealed[..10]).is_none());
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        assert!(!format!("{id:?}").contains(&id.to_string()));
    }
}
