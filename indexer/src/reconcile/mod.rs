//! Reconcile: load both sides, [`diff`], apply or tell.

mod apply;
pub mod diff;
mod load;

use std::time::Duration;

use futures::{StreamExt as _, stream};
use store::StoreError;
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use types::Did;

pub use diff::{Difference, Kind};

use crate::{
    IndexerConfig, IndexerError,
    jobs::{Context, everyone},
    work,
};
use load::Unread;

/// How many accounts are compared at once.
const AT_ONCE: usize = 8;
/// How often an account that differs is compared again, and when: what its host has just written may be on its way to us.
const LOOKS: usize = 3;
const LOOK_AGAIN: Duration = Duration::from_millis(700);

/// What was compared, and what differs.
#[derive(Clone, Debug, Default)]
pub struct Reconciled {
    /// Accounts that were compared.
    pub accounts: u64,
    /// Records that their hosts list.
    pub records: u64,
    /// What differs; after a repair, what still does.
    pub differences: Vec<Difference>,
    /// What differed before the repair.
    pub repaired: Vec<Difference>,
    /// Accounts of which we have records and that nobody answers for, and why.
    pub unread: Vec<(Did, String)>,
}

impl Reconciled {
    /// Whether the index was shown to be equal to the records.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.unread.is_empty()
    }
}

/// Compares accounts (all that we know and the relay lists, if none is given) with their hosts, and mends what differs unless
/// `dry_run`. A running indexer does the mending; without one this process is the writer for that time.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn reconcile(
    config: &IndexerConfig,
    dids: Vec<Did>,
    dry_run: bool,
    stop: &CancellationToken,
) -> Result<Reconciled, IndexerError> {
    let generation = store::prepare(&config.database_url).await?;
    // Nothing is applied through this context.
    let (writer, _) = mpsc::channel(1);
    let context = Context::open(config.clone(), generation, writer).await?;
    let are_named = !dids.is_empty();
    let dids = if are_named { dids } else { accounts(&context).await? };
    let mut outcome = compare_all(&context, dids, are_named).await?;
    if dry_run || outcome.differences.is_empty() {
        return Ok(outcome);
    }
    let queued = apply::queue(&context, &outcome.differences).await?;
    work::until_done(config, Some(&queued), stop, |_| {}).await?;
    let dids = queued.iter().filter_map(|did| did.parse().ok()).collect();
    let after = compare_all(&context, dids, are_named).await?;
    let before = std::mem::replace(&mut outcome.differences, after.differences);
    outcome.repaired = before.into_iter().filter(|found| !outcome.differences.contains(found)).collect();
    outcome.unread.extend(after.unread);
    Ok(outcome)
}

async fn accounts(context: &Context) -> Result<Vec<Did>, IndexerError> {
    let dids = match everyone(context).await {
        Ok(dids) => dids,
        Err(crate::jobs::JobError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(IndexerError::Network(error.to_string())),
    };
    Ok(dids.iter().filter_map(|did| did.parse().ok()).collect())
}

async fn compare_all(context: &Context, dids: Vec<Did>, are_named: bool) -> Result<Reconciled, StoreError> {
    let mut outcome = Reconciled::default();
    let mut compared = stream::iter(dids).map(|did| compare(context, did, are_named)).buffer_unordered(AT_ONCE);
    while let Some(one) = compared.next().await {
        let one = one?;
        outcome.accounts += one.accounts;
        outcome.records += one.records;
        outcome.differences.extend(one.differences);
        outcome.unread.extend(one.unread);
    }
    outcome.differences.sort_by(|a, b| (&a.did, &a.uri).cmp(&(&b.did, &b.uri)));
    Ok(outcome)
}

/// Compares one account. The host's side is read first: what is newer than it in the ledger came meanwhile, unless it was there
/// before.
async fn compare(context: &Context, did: Did, is_named: bool) -> Result<Reconciled, StoreError> {
    let mut outcome = Reconciled::default();
    for look in 1..=LOOKS {
        let before = load::before(context, &did).await?;
        let theirs = load::theirs(context, &did).await;
        let ours = load::ours(context, &did, &before).await?;
        let theirs = match theirs {
            Ok(theirs) => theirs,
            Err(Unread::Store(error)) => return Err(error),
            // Somebody whom a record names, of whom we have nothing: a hold that is made up, a star's owner who is gone.
            // Whoever asks for such a one by name is told.
            Err(Unread::Host(_)) if !is_named && ours.rows.values().all(|row| row.cid.is_none()) => return Ok(outcome),
            Err(Unread::Host(why)) if look == LOOKS => {
                outcome.unread.push((did, why));
                return Ok(outcome);
            }
            Err(Unread::Host(_)) => {
                sleep(LOOK_AGAIN).await;
                continue;
            }
        };
        outcome.accounts = 1;
        outcome.records = match &theirs {
            diff::Theirs::Repository { records, .. } => records.len() as u64,
            diff::Theirs::Hidden(_) => 0,
        };
        outcome.differences = diff::diff(&did, &ours, &theirs);
        if outcome.differences.is_empty() || look == LOOKS {
            break;
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(outcome)
}
