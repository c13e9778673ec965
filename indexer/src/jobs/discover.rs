//! Everyone who has records of ours, by the relay's list and our own, is read.

use std::collections::BTreeSet;

use outbound::{
    OutboundError,
    relay::{list_repos, list_repos_by_collection},
};
use store::{
    backfill,
    jobs::{JobKind, enqueue},
    observe,
};
use types::Collection;

use super::{Context, JobError};

/// How many jobs one statement queues.
const AT_ONCE: usize = 1_000;
/// The most pages, of a thousand accounts, that are read of a list of all whom a server hosts.
const MOST_PAGES: usize = 20;

/// Lists repositories and queues a reading of each.
pub async fn list(context: &Context) -> Result<(), JobError> {
    let (listed, known) = (listed(context).await?, known(context).await?);
    // Who is on no list was hidden, removed or moved while nobody told us, or has deleted everything.
    let unlisted: Vec<String> = known.difference(&listed).cloned().collect();
    for some in unlisted.chunks(AT_ONCE) {
        enqueue(&context.store, JobKind::Actor, some).await?;
    }
    let expected: BTreeSet<String> =
        backfill::with_records(&context.store).await?.into_iter().chain(listed.iter().cloned()).collect();
    let dids: Vec<String> = listed.into_iter().chain(unlisted).collect();
    for some in dids.chunks(AT_ONCE) {
        enqueue(&context.store, JobKind::Resync, some).await?;
    }
    tracing::info!(repositories = dids.len(), "Repositories are queued to be read");
    Ok(backfill::listed(&context.store, &expected.into_iter().collect::<Vec<_>>()).await?)
}

/// All whom the relay lists for any of our collections, and all whom we know.
pub async fn everyone(context: &Context) -> Result<BTreeSet<String>, JobError> {
    let mut dids = listed(context).await?;
    dids.extend(known(context).await?);
    Ok(dids)
}

async fn known(context: &Context) -> Result<BTreeSet<String>, JobError> {
    Ok(observe::known_dids(&context.store).await?.into_iter().map(String::from).collect())
}

/// All whom the relay lists for any of our collections.
async fn listed(context: &Context) -> Result<BTreeSet<String>, JobError> {
    let mut dids = BTreeSet::new();
    for collection in Collection::ALL {
        match repositories(context, collection, &mut dids).await {
            Ok(()) => {}
            Err(error) if error.is_transient() => return Err(JobError::later(&error)),
            Err(error) => {
                tracing::warn!(reason = %error, "The relay does not list repositories by collection");
                hosted(context, &mut dids).await?;
                break;
            }
        }
    }
    Ok(dids)
}

/// A PDS in place of a relay: it lists those whom it hosts. What is larger than a PDS is not read to its end.
async fn hosted(context: &Context, dids: &mut BTreeSet<String>) -> Result<(), JobError> {
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        match list_repos(&context.outbound, &context.relay_url, cursor.as_deref()).await {
            Ok(page) => {
                dids.extend(page.dids.into_iter().map(String::from));
                if page.cursor.is_none() || page.cursor == cursor {
                    return Ok(());
                }
                cursor = page.cursor;
            }
            Err(error) if error.is_transient() => return Err(JobError::later(&error)),
            // What we know is read all the same.
            Err(error) => {
                tracing::warn!(reason = %error, "Nor does it list those whom it hosts");
                return Ok(());
            }
        }
    }
    tracing::warn!("The relay hosts too many repositories to read them all");
    Ok(())
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
