//! Manifest bytes that no job has fetched yet: read from the owner's PDS, hashed, and kept.

use outbound::{HoldError, Pds, PdsError};
use service::client::Client;
use store::{observe, queries::ServedManifest};
use types::{Cid, Digest, oci};
use url::Url;

use crate::{
    Registry,
    errors::{Code, OciError, Result, host},
    holds,
    owners::Account,
};

/// The most that a manifest may have, as registries agree
/// ([pushing manifests](https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-manifests)).
const MAX_MANIFEST: u64 = 4 << 20;

/// Fetches a manifest's bytes into the store, once for all who ask at the same time.
pub(crate) async fn fetch(
    registry: &Registry,
    client: Client,
    account: &Account,
    manifest: &ServedManifest,
) -> Result<()> {
    let digest: Digest = manifest.digest.parse().map_err(|_| OciError::new(Code::Internal, Code::Internal.row().2))?;
    let key = (account.did.clone(), digest.clone());
    if !registry.contents.knows(&key) {
        registry.limits.lookup(client)?;
    }
    registry.contents.run(key, Box::pin(read_and_keep(registry, account, manifest, &digest))).await
}

async fn read_and_keep(
    registry: &Registry,
    account: &Account,
    manifest: &ServedManifest,
    digest: &Digest,
) -> Result<()> {
    let bytes = match from_pds(registry, account, manifest, digest).await? {
        Some(bytes) => bytes,
        None => from_hold(registry, account, manifest, digest).await?,
    };
    let contents = oci::manifest_bytes(digest, &bytes).map_err(|error| match error {
        oci::OciError::WrongHash { .. } => unusable(digest, &error),
        oci::OciError::Malformed { .. } => {
            OciError::new(Code::ManifestInvalid, format!("{digest} cannot be served: {error}"))
        }
    })?;
    observe::manifest_bytes(&mut registry.writes.lock().await?.client, &contents).await?;
    Ok(())
}

async fn from_pds(
    registry: &Registry,
    account: &Account,
    manifest: &ServedManifest,
    digest: &Digest,
) -> Result<Option<Vec<u8>>> {
    // Without a link to the blob, its CID follows from the digest.
    let declared = manifest.blob_cid.as_deref().and_then(|cid| cid.parse().ok());
    let Some(cid) = declared.or_else(|| Cid::of_digest(digest)) else { return Ok(None) };
    let url = account.pds(registry).await?;
    let _permits = registry.read_through.permit_for(registry, &url).await?;
    let pds = Pds::new(registry.outbound.clone(), url.clone());
    let answer = tokio::time::timeout(registry.config.patience.pds, pds.get_blob(&account.did, &cid, MAX_MANIFEST));
    match answer.await {
        Ok(Ok(bytes)) => Ok(bytes.map(Into::into)),
        Ok(Err(error)) => Err(pds_refusal(&error, &url, account)),
        Err(elapsed) => Err(pds_silent(&url).because(&elapsed)),
    }
}

/// Registries kept manifests with the blobs before records had them.
async fn from_hold(
    registry: &Registry,
    account: &Account,
    manifest: &ServedManifest,
    digest: &Digest,
) -> Result<Vec<u8>> {
    let gone = || OciError::new(Code::ManifestUnknown, format!("the bytes of {digest} are published nowhere any more"));
    let Some(hold) = holds::find(registry, manifest.hold.as_deref(), manifest.legacy_endpoint.as_deref()).await? else {
        return Err(gone());
    };
    let reading = registry.holds.read_blob(&hold.target, &account.did, digest, MAX_MANIFEST);
    match tokio::time::timeout(registry.config.patience.hold, reading).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(HoldError::Denied(_) | HoldError::NotFound(_))) => Err(gone()),
        Ok(Err(error @ HoldError::WrongHash { .. })) => Err(unusable(digest, &error)),
        Ok(Err(error)) => Err(hold.down(registry, Some(&error)).await),
        Err(_) => Err(hold.down(registry, None).await),
    }
}

fn unusable(digest: &Digest, error: &(dyn std::error::Error + 'static)) -> OciError {
    let message = format!("the bytes published as {digest} are not that manifest; they are not served");
    OciError::new(Code::Upstream, message).because(error)
}

/// What a PDS that does not give what it should means to a client.
pub(crate) fn pds_refusal(error: &PdsError, pds: &Url, account: &Account) -> OciError {
    let host = host(pds);
    match error {
        PdsError::Account { state, .. } => {
            OciError::new(Code::NameUnknown, format!("the account {} is {state}", account.did))
        }
        PdsError::WrongHash { cid, .. } => unusable(&cid.digest(), error),
        _ if error.is_transient() => pds_silent(pds).because(error),
        _ => OciError::new(Code::Upstream, format!("the owner's PDS {host} gave an unusable answer")).because(error),
    }
}

pub(crate) fn pds_silent(pds: &Url) -> OciError {
    let host = host(pds);
    OciError::new(Code::Unavailable, format!("the owner's PDS {host} does not answer: try again later"))
}
