//! What a PDS does for an account that signs in: sessions, and tokens for other services.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use types::Did;
use url::Url;

use super::{AccountState, Pds};
use crate::{
    Limits, OutboundError,
    xrpc::{self, bearer},
};

/// The most that an answer about a session may have; it carries a DID document.
const SESSION_BYTES: u64 = 256 << 10;

/// A session at a PDS. It does not show what it holds.
#[derive(Clone, Debug)]
pub struct Session {
    /// Whose it is, by the word of the PDS.
    pub did: Did,
    /// Opens what an account may do, for a while.
    pub access: SecretString,
    /// Gets the next session, once.
    pub refresh: SecretString,
}

/// Why a PDS gives no session, or no token. It holds nothing of what the PDS says about it: that could repeat the secret
/// that it was sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionError {
    /// The password is wrong, or the token no good.
    #[error("the PDS refuses the credentials")]
    Refused,
    /// The account asks for a code besides its main password.
    #[error("the account asks for a second factor")]
    SecondFactor,
    /// The account may not sign in.
    #[error("the account is {0}")]
    Account(AccountState),
    /// A session of another account than was asked for.
    #[error("the PDS answered for {0}")]
    WrongAccount(Did),
    /// Too many sign-ins of this account, or from us.
    #[error("the PDS limits how often it is asked")]
    Limited,
    /// It cannot be reached, or is in trouble: later may be better.
    #[error("the PDS is down")]
    Down(#[source] OutboundError),
    /// It answers, but with nothing that can be used.
    #[error("the PDS's answer is unusable")]
    Unusable(#[source] OutboundError),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    did: Did,
    access_jwt: String,
    refresh_jwt: String,
    active: Option<bool>,
    status: Option<String>,
}

impl Pds {
    /// `com.atproto.server.createSession`
    ///
    /// # Errors
    /// Any [`SessionError`].
    pub async fn create_session(&self, account: &Did, password: &SecretString) -> Result<Session, SessionError> {
        #[derive(Serialize)]
        struct Input<'a> {
            identifier: &'a Did,
            password: &'a str,
        }
        let input = Input { identifier: account, password: password.expose_secret() };
        let url = xrpc::url(&self.base, "com.atproto.server.createSession", &[]).map_err(SessionError::of)?;
        let body = serde_json::to_vec(&input).map_err(|_| unusable(&url))?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        session(account, self.ask(Method::POST, &url, headers, body.into()).await?)
    }

    /// `com.atproto.server.refreshSession`: the next session. The refresh token of this one is good for nothing then.
    ///
    /// # Errors
    /// Any [`SessionError`].
    pub async fn refresh_session(&self, old: &Session) -> Result<Session, SessionError> {
        let url = xrpc::url(&self.base, "com.atproto.server.refreshSession", &[]).map_err(SessionError::of)?;
        let headers = bearer(&url, &old.refresh).map_err(SessionError::of)?;
        session(&old.did, self.ask(Method::POST, &url, headers, Bytes::new()).await?)
    }

    /// `com.atproto.server.getServiceAuth`: a token with which the account may call one method of one service, until
    /// `expires` (seconds since 1970).
    ///
    /// # Errors
    /// Any [`SessionError`].
    pub async fn service_token(
        &self,
        session: &Session,
        audience: &Did,
        method: &str,
        expires: i64,
    ) -> Result<SecretString, SessionError> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
        }
        let expires = expires.to_string();
        let params = [("aud", audience.as_str()), ("lxm", method), ("exp", &expires)];
        let url = xrpc::url(&self.base, "com.atproto.server.getServiceAuth", &params).map_err(SessionError::of)?;
        let headers = bearer(&url, &session.access).map_err(SessionError::of)?;
        let Token { token } = self.ask(Method::GET, &url, headers, Bytes::new()).await?;
        Ok(token.into())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<T, SessionError> {
        let limits = Limits::SMALL.with_max_bytes(SESSION_BYTES);
        let answer = self.outbound.send_once(method, url, headers, body, limits).await.map_err(SessionError::of)?;
        serde_json::from_slice(&answer.body).map_err(|_| unusable(url))
    }
}

fn session(account: &Did, answer: Answer) -> Result<Session, SessionError> {
    if answer.did != *account {
        return Err(SessionError::WrongAccount(answer.did));
    }
    if answer.active == Some(false) {
        return Err(SessionError::Account(match answer.status.as_deref() {
            Some("takendown") => AccountState::Takendown,
            Some("suspended") => AccountState::Suspended,
            _ => AccountState::Deactivated,
        }));
    }
    Ok(Session { did: answer.did, access: answer.access_jwt.into(), refresh: answer.refresh_jwt.into() })
}

fn unusable(url: &Url) -> SessionError {
    SessionError::Unusable(OutboundError::malformed(url, "it is not what was asked for"))
}

impl SessionError {
    fn of(error: OutboundError) -> Self {
        let name = xrpc::refusal(&error).map_or("", |(name, _)| name);
        match (error.status(), name) {
            (Some(StatusCode::TOO_MANY_REQUESTS), _) => Self::Limited,
            (_, "AuthFactorTokenRequired") => Self::SecondFactor,
            (_, "AccountTakedown" | "RepoTakendown") => Self::Account(AccountState::Takendown),
            (_, "AccountSuspended" | "RepoSuspended") => Self::Account(AccountState::Suspended),
            (_, "AccountDeactivated" | "RepoDeactivated") => Self::Account(AccountState::Deactivated),
            (Some(StatusCode::UNAUTHORIZED), _) => Self::Refused,
            (Some(StatusCode::BAD_REQUEST), "ExpiredToken" | "InvalidToken" | "AuthenticationRequired") => {
                Self::Refused
            }
            _ if error.is_transient() => Self::Down(silenced(error)),
            _ => Self::Unusable(silenced(error)),
        }
    }
}

/// The error without the peer's words.
fn silenced(error: OutboundError) -> OutboundError {
    match error {
        OutboundError::Status { url, status, .. } => {
            OutboundError::Status { url, status, error: None, message: String::new() }
        }
        error => error,
    }
}
