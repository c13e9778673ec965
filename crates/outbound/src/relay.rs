//! What a relay tells about the network.

use std::time::Duration;

use serde::Deserialize;
use types::{Collection, Did};
use url::Url;

use crate::{Limits, Outbound, OutboundError, xrpc};

/// A page of the accounts that have records of a collection.
#[derive(Clone, Debug)]
pub struct RepoPage {
    /// The accounts.
    pub dids: Vec<Did>,
    /// Entries that name no DID, passed over.
    pub unreadable: usize,
    /// Where the next page begins; `None` on the last one.
    pub cursor: Option<String>,
}

/// `com.atproto.sync.listReposByCollection` at a relay, a page of up to 1000 accounts.
///
/// # Errors
/// Any [`OutboundError`].
pub async fn list_repos_by_collection(
    outbound: &Outbound,
    relay: &Url,
    collection: Collection,
    cursor: Option<&str>,
) -> Result<RepoPage, OutboundError> {
    let mut params = vec![("collection", collection.as_str()), ("limit", "1000")];
    params.extend(cursor.map(|cursor| ("cursor", cursor)));
    page(outbound, relay, "com.atproto.sync.listReposByCollection", &params).await
}

/// `com.atproto.sync.listRepos`, a page of up to 1000 of the accounts that a server hosts or relays.
///
/// # Errors
/// Any [`OutboundError`].
pub async fn list_repos(outbound: &Outbound, server: &Url, cursor: Option<&str>) -> Result<RepoPage, OutboundError> {
    let mut params = vec![("limit", "1000")];
    params.extend(cursor.map(|cursor| ("cursor", cursor)));
    page(outbound, server, "com.atproto.sync.listRepos", &params).await
}

async fn page(
    outbound: &Outbound,
    server: &Url,
    method: &str,
    params: &[(&str, &str)],
) -> Result<RepoPage, OutboundError> {
    #[derive(Deserialize)]
    struct Output {
        repos: Vec<Repo>,
        #[serde(default)]
        cursor: Option<String>,
    }
    #[derive(Deserialize)]
    struct Repo {
        #[serde(default)]
        did: String,
    }
    let url = xrpc::url(server, method, params)?;
    let output: Output = outbound.get_json(&url, Limits::SMALL.with_timeout(Duration::from_secs(30))).await?;
    let total = output.repos.len();
    let dids: Vec<Did> = output.repos.into_iter().filter_map(|repo| repo.did.parse().ok()).collect();
    Ok(RepoPage { unreadable: total - dids.len(), dids, cursor: output.cursor })
}
