//! Commands that have work done and wait for it: by the indexer that runs, or else by this process.

use std::{collections::BTreeSet, time::Duration};

use store::{
    Writer,
    backfill::{self, Progress},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use types::Did;

use crate::{IndexerConfig, IndexerError, tenure};

/// How often the progress is read.
const LOOK: Duration = Duration::from_millis(250);
/// How long to wait when Postgres went away or another process took over.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads repositories, all that the relay lists or the given ones, and waits until it is done or `stop`. What an earlier call
/// left undone is gone on with.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn backfill(
    config: &IndexerConfig,
    dids: &[Did],
    stop: &CancellationToken,
    tell: impl FnMut(&Progress),
) -> Result<Progress, IndexerError> {
    let keys = queue_backfill(&config.database_url, dids).await?;
    until_done(config, keys.as_deref(), stop, tell).await
}

/// Queues the reading of repositories and returns at once: a running indexer does it. Returns the accounts, if any is given.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn queue_backfill(database_url: &str, dids: &[Did]) -> Result<Option<Vec<String>>, IndexerError> {
    let generation = store::prepare(database_url).await?;
    let connection = store::connect(database_url, Some(generation)).await?;
    if dids.is_empty() {
        backfill::resume(&connection.client).await?;
        return Ok(None);
    }
    let keys: Vec<String> = dids.iter().map(ToString::to_string).collect::<BTreeSet<_>>().into_iter().collect();
    backfill::some(&connection.client, &keys).await?;
    Ok(Some(keys))
}

/// Waits until the backfill, or the reading of some accounts, is done.
pub async fn until_done(
    config: &IndexerConfig,
    dids: Option<&[String]>,
    stop: &CancellationToken,
    mut tell: impl FnMut(&Progress),
) -> Result<Progress, IndexerError> {
    let generation = store::prepare(&config.database_url).await?;
    let over = stop.child_token();
    let mut worker = tokio::spawn(stand_in(config.clone(), generation, over.clone()));
    let watch = async {
        let client = store::connect(&config.database_url, Some(generation)).await?.client;
        loop {
            let progress = match dids {
                Some(dids) => backfill::progress_of(&client, dids).await?,
                None => backfill::progress(&client).await?,
            };
            tell(&progress);
            if progress.finished || progress.trouble.is_some() {
                return Ok::<_, IndexerError>(progress);
            }
            if stop.run_until_cancelled(sleep(LOOK)).await.is_none() {
                return Ok(progress);
            }
        }
    };
    tokio::select! {
        watched = watch => {
            over.cancel();
            worker.await??;
            watched
        }
        // Without it nothing goes on; it ends by itself only when it failed, or at `stop`.
        ended = &mut worker => ended?.map(|()| Progress::default()),
    }
}

/// Is the writer whenever no other process is, and follows no source.
async fn stand_in(mut config: IndexerConfig, generation: i32, over: CancellationToken) -> Result<(), IndexerError> {
    config.sources.clear();
    while !over.is_cancelled() {
        let tenure = match Writer::try_acquire(&config.database_url, generation).await {
            Ok(Some(writer)) => tenure::serve(&config, writer, generation, &over).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        match tenure {
            Err(error) if !error.is_passing() => return Err(error),
            _ => drop(over.run_until_cancelled(sleep(PAUSE)).await),
        }
    }
    Ok(())
}
