//! A manifest's bytes, and an image's configuration: fetched, hashed, kept, so that a pull outlives the server that they came
//! from.

use outbound::{
    HoldClient, HoldError, HoldTarget,
    manifest::{fetch_manifest, hold_target},
};
use store::{jobs::JobKind, observe, records};
use types::{
    Collection, Digest, RecordId,
    oci::{image_config, is_image_config},
    records::{Manifest, Record, decode},
};

use super::{Context, JobError};

/// The largest configuration that is kept.
const MAX_CONFIG: u64 = 1 << 20;

/// Fetches what the record that `key` (`<did>/<rkey>`) names speaks of.
pub async fn fetch(context: &Context, key: &str) -> Result<(), JobError> {
    let Some((id, manifest)) = record(context, key).await? else { return Ok(()) };
    let mut news = false;
    if !observe::has_manifest(&context.store, &manifest.digest).await? {
        bytes(context, &id, &manifest).await?;
        news = true;
    }
    if let Some((digest, media_type)) = observe::config_of(&context.store, &manifest.digest).await?
        && is_image_config(&media_type)
        && !observe::has_config(&context.store, &digest).await?
    {
        // Pages can be shown without it, pulls served: it is worth another try, not the manifest's bytes.
        let fetched = config(context, &id, &manifest, &digest).await;
        news |= matches!(fetched, Ok(true));
        tell(context, &id, &manifest, news).await?;
        return fetched.map(drop);
    }
    tell(context, &id, &manifest, news).await
}

/// The record as it stands; `None` when it is gone or refused meanwhile.
async fn record(context: &Context, key: &str) -> Result<Option<(RecordId, Manifest)>, JobError> {
    let Some((did, rkey)) = key.split_once('/') else { return Ok(None) };
    let (Ok(did), Ok(rkey)) = (did.parse(), rkey.parse()) else { return Ok(None) };
    let id = RecordId { did, collection: Collection::Manifest, rkey };
    let Some(raw) = records::raw(&context.store, &id).await? else { return Ok(None) };
    Ok(match decode(&id, &raw) {
        Ok(Record::Manifest(manifest)) => Some((id, *manifest)),
        _ => None,
    })
}

async fn bytes(context: &Context, id: &RecordId, manifest: &Manifest) -> Result<(), JobError> {
    let fetched = {
        let _turn = match context.resolver.pds_endpoint(&id.did).await {
            Ok(pds) => Some(context.turn(JobKind::Manifest, &pds).await?),
            Err(_) => None,
        };
        fetch_manifest(&context.outbound, &context.resolver, &id.did, manifest).await
    };
    match fetched {
        Ok(bytes) => {
            let mut client = context.transactions.lock().await;
            Ok(observe::manifest_bytes(&mut client, &bytes).await?)
        }
        Err(error) if error.is_wrong_bytes() => Err(JobError::never(&id.did, format!("{id}: {error}"), &[])),
        // Also what looks final: a host may come back, a blob arrive. After some tries it is once a day.
        Err(error) => Err(JobError::later(&error)),
    }
}

/// Fetches the configuration from a hold that serves anyone; whether there is a new one.
async fn config(context: &Context, id: &RecordId, manifest: &Manifest, digest: &Digest) -> Result<bool, JobError> {
    let target = match hold_target(&context.resolver, manifest).await {
        Ok(Some(target)) => target,
        Ok(None) => return Ok(false),
        Err(error) if error.is_transient() => return Err(JobError::later(&error)),
        Err(_) => return Ok(false),
    };
    if let Some(hold) = &manifest.hold
        && observe::hold_is_private(&context.store, hold).await? == Some(true)
    {
        return Ok(false);
    }
    let (HoldTarget::Current { endpoint, .. } | HoldTarget::Legacy { endpoint }) = &target;
    let turn = context.turn(JobKind::Manifest, endpoint).await?;
    let blob = HoldClient::new(context.outbound.clone()).read_blob(&target, &id.did, digest, MAX_CONFIG).await;
    drop(turn);
    if let Some(hold) = &manifest.hold {
        let problem = match &blob {
            Err(error @ (HoldError::Down(_) | HoldError::Unusable(_))) => Some(crate::source::reader::chain(error)),
            _ => None,
        };
        observe::hold_health(&context.store, hold, problem.as_deref()).await?;
    }
    match blob {
        Ok(bytes) => match image_config(digest, &bytes) {
            Ok(config) => {
                observe::image_config(&context.store, &config).await?;
                Ok(true)
            }
            Err(error) => Err(JobError::never(&id.did, format!("{id}: {error}"), &bytes)),
        },
        Err(error @ HoldError::WrongHash { .. }) => Err(JobError::never(&id.did, format!("{id}: {error}"), &[])),
        // It is not for us, or too large.
        Err(HoldError::Denied(_) | HoldError::Unusable(_)) => Ok(false),
        Err(error @ (HoldError::NotFound(_) | HoldError::Down(_))) => Err(JobError::later(&error)),
    }
}

/// Tells those who show the repository that there is more to show.
async fn tell(context: &Context, id: &RecordId, manifest: &Manifest, news: bool) -> Result<(), JobError> {
    if news {
        let keys = [format!("repository:{}/{}", id.did, manifest.repository), format!("manifest:{}", manifest.digest)];
        observe::changed(&context.store, context.generation, &keys).await?;
    }
    Ok(())
}
