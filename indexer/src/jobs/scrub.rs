//! The archive, after a purge: the purge leaves this job behind in its own transaction.

use store::archive;
use types::Did;

use super::{Context, JobError};

/// Takes the account that `key` names out of the archive.
pub async fn scrub(context: &Context, key: &str) -> Result<(), JobError> {
    // Only DIDs are queued; a row that holds anything else is dropped.
    let Ok(did) = key.parse::<Did>() else { return Ok(()) };
    // All of the archive is looked through: nobody else's statements wait behind that.
    let db = context.connect().await?;
    let events = archive::scrub(&db, &did).await?;
    tracing::info!(did = %did, events, "A purged account was taken out of the archive");
    Ok(())
}
