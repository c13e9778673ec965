//! What a PDS tells about the repositories that it hosts, without authentication; and sessions of those who sign in.

mod answers;
mod session;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use types::{Cid, Collection, Did, Rkey};
use url::Url;

pub use answers::{LatestCommit, RecordEntry, RecordPage, RepoDescription, RepoStatus};
pub use session::{Session, SessionError};

use crate::{Limits, Outbound, OutboundError, error::shown, xrpc};

/// The most bytes of a page of records: one of up to 1 MB of CBOR, which grows as JSON, and any usual page.
pub const PAGE_BYTES: u64 = 8 << 20;
/// The most bytes of a record's JSON, or of its proof as a CAR.
pub const RECORD_BYTES: u64 = 4 << 20;

/// A PDS, by its base URL. A hold is one too.
#[derive(Clone)]
pub struct Pds {
    outbound: Outbound,
    base: Url,
}

/// Why a PDS gives no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PdsError {
    /// The account is not served, and the PDS says why.
    #[error("{did} is {state}")]
    Account {
        /// Whose repository was asked for.
        did: Did,
        /// What became of it.
        state: AccountState,
    },
    /// Bytes that are not the ones asked for.
    #[error("the bytes that {url} sent do not hash to {cid}")]
    WrongHash {
        /// The PDS.
        url: String,
        /// What they should hash to.
        cid: Cid,
    },
    /// The request itself failed.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
}

/// Why a PDS does not serve an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// `RepoNotFound`: deleted, moved away, or never here.
    NotFound,
    /// `RepoTakendown`
    Takendown,
    /// `RepoSuspended`
    Suspended,
    /// `RepoDeactivated`
    Deactivated,
}

impl std::fmt::Display for AccountState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not on this PDS",
            Self::Takendown => "taken down",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
        })
    }
}

impl PdsError {
    /// Whether asking again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Outbound(error) if error.is_transient())
    }
}

impl Pds {
    /// The PDS at a base URL.
    pub fn new(outbound: Outbound, base: Url) -> Self {
        Self { outbound, base }
    }

    /// `com.atproto.repo.getRecord`; `None` when the repository has no such record.
    ///
    /// # Errors
    /// Any [`PdsError`] but [`PdsError::WrongHash`]; the CID is not checked.
    pub async fn get_record(
        &self,
        did: &Did,
        collection: Collection,
        rkey: &Rkey,
    ) -> Result<Option<RecordEntry>, PdsError> {
        let params = [("repo", did.as_str()), ("collection", collection.as_str()), ("rkey", rkey.as_str())];
        let limits = Limits::SMALL.with_max_bytes(RECORD_BYTES);
        let Some(body) = found(self.query("com.atproto.repo.getRecord", did, &params, limits).await)? else {
            return Ok(None);
        };
        RecordEntry::read(body).map(Some).map_err(|error| self.malformed("com.atproto.repo.getRecord", &error))
    }

    /// `com.atproto.repo.listRecords`, a page of up to `limit` (at most 100) records; of fewer where they are large.
    ///
    /// # Errors
    /// Any [`PdsError`] but [`PdsError::WrongHash`].
    pub async fn list_records(
        &self,
        did: &Did,
        collection: Collection,
        cursor: Option<&str>,
        limit: u8,
    ) -> Result<RecordPage, PdsError> {
        let mut limit = limit.clamp(1, 100);
        loop {
            let records = limit.to_string();
            let mut params = vec![("repo", did.as_str()), ("collection", collection.as_str()), ("limit", &records)];
            params.extend(cursor.map(|cursor| ("cursor", cursor)));
            let limits = Limits::SMALL.with_max_bytes(PAGE_BYTES).with_timeout(Duration::from_secs(30));
            match self.query("com.atproto.repo.listRecords", did, &params, limits).await {
                Err(PdsError::Outbound(OutboundError::TooLarge { .. })) if limit > 1 => limit = (limit / 10).max(1),
                answer => {
                    return RecordPage::read(&answer?)
                        .map_err(|error| self.malformed("com.atproto.repo.listRecords", &error));
                }
            }
        }
    }

    /// `com.atproto.repo.describeRepo`
    ///
    /// # Errors
    /// Any [`PdsError`] but [`PdsError::WrongHash`].
    pub async fn describe_repo(&self, did: &Did) -> Result<RepoDescription, PdsError> {
        let params = [("repo", did.as_str())];
        self.query_json("com.atproto.repo.describeRepo", did, &params, Limits::SMALL).await
    }

    /// `com.atproto.sync.getLatestCommit`
    ///
    /// # Errors
    /// Any [`PdsError`] but [`PdsError::WrongHash`].
    pub async fn get_latest_commit(&self, did: &Did) -> Result<LatestCommit, PdsError> {
        self.query_json("com.atproto.sync.getLatestCommit", did, &[("did", did.as_str())], Limits::SMALL).await
    }

    /// `com.atproto.sync.getRepoStatus`
    ///
    /// # Errors
    /// Any [`PdsError`] but [`PdsError::WrongHash`].
    pub async fn get_repo_status(&self, did: &Did) -> Result<RepoStatus, PdsError> {
        self.query_json("com.atproto.sync.getRepoStatus", did, &[("did", did.as_str())], Limits::SMALL).await
    }

    /// `com.atproto.sync.getRecord`: a CAR that proves the record, or its absence, under a signed commit. `None` when the
    /// PDS just says that there is none.
    ///
    /// # Errors
    /// Any [`PdsError`] but [`PdsError::WrongHash`]; nothing in the CAR is checked.
    pub async fn sync_get_record(
        &self,
        did: &Did,
        collection: Collection,
        rkey: &Rkey,
    ) -> Result<Option<Bytes>, PdsError> {
        let params = [("did", did.as_str()), ("collection", collection.as_str()), ("rkey", rkey.as_str())];
        let limits = Limits::SMALL.with_max_bytes(RECORD_BYTES);
        found(self.query("com.atproto.sync.getRecord", did, &params, limits).await)
    }

    /// `com.atproto.sync.getRepo`: the whole repository as a CAR, of at most `max_bytes`, within five minutes.
    ///
    /// # Errors
    /// Any [`PdsError`] but [`PdsError::WrongHash`]; nothing in the CAR is checked.
    pub async fn get_repo(&self, did: &Did, max_bytes: u64) -> Result<Bytes, PdsError> {
        let limits = Limits::SMALL.with_max_bytes(max_bytes).with_timeout(Duration::from_secs(300));
        self.query("com.atproto.sync.getRepo", did, &[("did", did.as_str())], limits).await
    }

    /// `com.atproto.sync.getBlob`, of at most `max_bytes`, hashed; `None` when the account has no such blob.
    ///
    /// # Errors
    /// Any [`PdsError`].
    pub async fn get_blob(&self, did: &Did, cid: &Cid, max_bytes: u64) -> Result<Option<Bytes>, PdsError> {
        let text = cid.to_string();
        let params = [("did", did.as_str()), ("cid", &text)];
        let limits = Limits::SMALL.with_max_bytes(max_bytes).with_timeout(Duration::from_secs(30));
        let blob: Option<Bytes> = found(self.query("com.atproto.sync.getBlob", did, &params, limits).await)?;
        match blob {
            Some(bytes) if !cid.matches(&bytes) => Err(PdsError::WrongHash { url: shown(&self.base), cid: *cid }),
            blob => Ok(blob),
        }
    }

    async fn query(&self, method: &str, did: &Did, params: &[(&str, &str)], limits: Limits) -> Result<Bytes, PdsError> {
        let url = xrpc::url(&self.base, method, params)?;
        Ok(self.outbound.get(&url, limits).await.map_err(|error| account_error(did, error))?.body)
    }

    async fn query_json<T: DeserializeOwned>(
        &self,
        method: &str,
        did: &Did,
        params: &[(&str, &str)],
        limits: Limits,
    ) -> Result<T, PdsError> {
        let body = self.query(method, did, params, limits).await?;
        serde_json::from_slice(&body).map_err(|error| self.malformed(method, &error))
    }

    fn malformed(&self, method: &str, error: &serde_json::Error) -> PdsError {
        OutboundError::malformed(&self.base, format!("{method}: {error}")).into()
    }
}

/// Reads out of a refusal whether it is about the account.
fn account_error(did: &Did, error: OutboundError) -> PdsError {
    let state = match xrpc::refusal(&error) {
        Some(("RepoNotFound" | "AccountNotFound", _)) => AccountState::NotFound,
        Some(("RepoTakendown" | "AccountTakedown", _)) => AccountState::Takendown,
        Some(("RepoSuspended", _)) => AccountState::Suspended,
        Some(("RepoDeactivated" | "AccountDeactivated", _)) => AccountState::Deactivated,
        // The reference PDS gives no name to it in `com.atproto.repo`.
        Some(("InvalidRequest", message)) if message.starts_with("Could not find repo") => AccountState::NotFound,
        _ => return error.into(),
    };
    PdsError::Account { did: did.clone(), state }
}

/// A record or blob that is missing is an answer: 404, or 400 with a name or message that says so.
fn found<T>(result: Result<T, PdsError>) -> Result<Option<T>, PdsError> {
    let missing = |error: &OutboundError| {
        error.status() == Some(StatusCode::NOT_FOUND)
            || matches!(xrpc::refusal(error), Some(("RecordNotFound" | "BlobNotFound", _)))
            || matches!(xrpc::refusal(error), Some(("InvalidRequest", message))
                if message.starts_with("Could not locate record") || message.starts_with("Blob not found"))
    };
    match result {
        Ok(value) => Ok(Some(value)),
        Err(PdsError::Outbound(error)) if missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
