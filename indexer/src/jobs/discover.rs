//! Everyone who has records of ours, by the relay's list and our own, is read.

use std::collections::BTreeSet;

use outbound::{OutboundError, relay::list_repos_by_collection};
use store::{
    backfill,
    jobs::{JobKind, enqueue},
    observe,
};
use types::Collection;

use super::{Context, JobError};

/// How many jobs one statement queues.
const AT_ONCE: usize = 1_000;

/// Lists repositories and queues a reading of each.
pub async fn list(context: &Context) -> Result<(), JobError> {
    let mut dids = BTreeSet::new();
    for collection in Collection::ALL {
        match repositories(context, collection, &mut dids).await {
            Ok(()) => {}
            Err(error) if error.is_transient() => return Err(JobError::later(&error)),
            // A PDS in place of a relay lists nothing; what we know is read all the same.
            Err(error) => tracing::warn!(%collection, reason = %error, "The relay does not list repositories"),
        }
    }
    // Who has deleted everything is on no list any more; nor is who was hidden or removed while nobody told us.
    let known: Vec<String> = observe::known_dids(&context.store).await?.into_iter().map(String::from).collect();
    let unlisted: Vec<String> = known.into_iter().filter(|did| !dids.contains(did)).collect();
    for some in unlisted.chunks(AT_ONCE) {
        enqueue(&context.store, JobKind::Actor, some).await?;
    }
    dids.extend(unlisted);
    let dids: Vec<String> = dids.into_iter().collect();
    for some in dids.chunks(AT_ONCE) {
        enqueue(&context.store, JobKind::Resync, some).await?;
    }
    tracing::info!(repositories = dids.len(), "Repositories are queued to be read");
    Ok(backfill::listed(&context.store, dids.len() as i64).await?)
}

async fn repositories(
    context: &Context,
    collection: Collection,
    dids: &mut BTreeSet<String>,
) -> Result<(), OutboundError> {
    let mut cursor = None;
    loop {
        let page =
            list_repos_by_collection(&context.outbound, &context.relay_url, collection, cursor.as_deref()).await?;
        dids.extend(page.dids.into_iter().map(String::from));
        // A cursor that stands still would never end.
        if page.cursor.is_none() || page.cursor == cursor {
            return Ok(());
        }
        cursor = page.cursor;
    }
}
