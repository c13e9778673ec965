//! A manifest's bytes, from where its record says they are: the owner's PDS, or for very old records the hold.

use bytes::Bytes;
use types::{
    Did, Digest,
    oci::{ManifestBytes, OciError, manifest_bytes},
    records::Manifest,
};
use url::Url;

use crate::{HoldClient, HoldError, HoldTarget, IdentityError, Outbound, Pds, PdsError, Resolver};

/// The largest manifest that is taken, as registries have it
/// ([distribution-spec](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests)).
const MAX_MANIFEST: u64 = 4 << 20;

/// Why a manifest's bytes cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ManifestError {
    /// Nobody says where to ask.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The PDS does not answer, or refuses, or sends other bytes than those of the CID.
    #[error(transparent)]
    Pds(#[from] PdsError),
    /// The same of a hold.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// Nobody has them.
    #[error("nobody has the bytes of {0}")]
    NotFound(Digest),
    /// They are other bytes, or no manifest.
    #[error(transparent)]
    Bytes(#[from] OciError),
}

impl ManifestError {
    /// Whether asking again soon may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Identity(error) => error.is_transient(),
            Self::Pds(error) => error.is_transient(),
            Self::Hold(error) => matches!(error, HoldError::Down(_)),
            Self::NotFound(_) | Self::Bytes(_) => false,
        }
    }

    /// Whether somebody answered, with other bytes than the record speaks of: never to be stored or served.
    pub fn is_wrong_bytes(&self) -> bool {
        matches!(self, Self::Bytes(_) | Self::Pds(PdsError::WrongHash { .. }) | Self::Hold(HoldError::WrongHash { .. }))
    }
}

/// Fetches the bytes of a manifest of `did`; what is returned hashes to the record's digest.
///
/// # Errors
/// Any [`ManifestError`].
pub async fn fetch_manifest(
    outbound: &Outbound,
    resolver: &Resolver,
    did: &Did,
    manifest: &Manifest,
) -> Result<ManifestBytes, ManifestError> {
    let digest = &manifest.digest;
    let bytes = match &manifest.blob {
        Some(blob) => {
            let pds = Pds::new(outbound.clone(), resolver.pds_endpoint(did).await?);
            pds.get_blob(did, &blob.cid, MAX_MANIFEST).await?
        }
        None => from_hold(outbound, resolver, did, manifest).await?,
    };
    let bytes = bytes.ok_or_else(|| ManifestError::NotFound(digest.clone()))?;
    Ok(manifest_bytes(digest, &bytes)?)
}

async fn from_hold(
    outbound: &Outbound,
    resolver: &Resolver,
    did: &Did,
    manifest: &Manifest,
) -> Result<Option<Bytes>, ManifestError> {
    let Some(target) = hold_target(resolver, manifest).await? else { return Ok(None) };
    let blob = HoldClient::new(outbound.clone()).read_blob(&target, did, &manifest.digest, MAX_MANIFEST).await;
    match blob {
        Err(HoldError::NotFound(_)) => Ok(None),
        blob => Ok(Some(blob?)),
    }
}

/// Which hold has a manifest's blobs, and how it is asked; `None` when the record names none.
///
/// # Errors
/// When the hold's DID does not resolve.
pub async fn hold_target(resolver: &Resolver, manifest: &Manifest) -> Result<Option<HoldTarget>, IdentityError> {
    if let Some(endpoint) = manifest.legacy_endpoint.as_deref().and_then(|text| Url::parse(text).ok()) {
        return Ok(Some(HoldTarget::Legacy { endpoint }));
    }
    let Some(did) = manifest.hold.clone() else { return Ok(None) };
    let endpoint = resolver.hold_endpoint(&did).await?;
    Ok(Some(HoldTarget::Current { did, endpoint }))
}
