use std::time::Duration;

use service::{Health, Incident, config::SourceUrl, health::ReadyFlag};
use store::{StoreError, Writer};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{IndexerConfig, IndexerError, measure, source::reader::chain, tenure};

/// How often a standby asks whether it may write.
const STANDBY: Duration = Duration::from_millis(500);

/// Runs the indexer until `shutdown`. While another process writes, this one stands by.
///
/// # Errors
/// [`IndexerError::NoSource`] at once; later only what is our own fault. What the network
/// sends is counted and passed, and a Postgres that goes away is waited for.
pub async fn run(config: IndexerConfig, shutdown: CancellationToken, health: Health) -> Result<(), IndexerError> {
    check(&config.sources)?;
    measure::begin();
    let mut away = Incident::default();
    let ready = health.flag("indexer", "the database is not prepared");
    let (status, patience) = (config.status.clone(), config.timing.unready);
    health.register("source", move || match status.silence() {
        Some(silence) if silence > patience => {
            Err(format!("nothing was heard of a source for {} ms", silence.as_millis()))
        }
        _ => Ok(()),
    });
    loop {
        let failure = match Box::pin(tenure(&config, &shutdown, &ready, &mut away)).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_passing() => error,
            Err(error) => return Err(error),
        };
        if away.begins() {
            tracing::warn!(reason = %chain(&failure), "No longer the writer; standing by");
        }
        if shutdown.run_until_cancelled(sleep(STANDBY)).await.is_none() {
            return Ok(());
        }
    }
}

/// Refuses a set-up that cannot work, before anything is started.
///
/// # Errors
/// [`IndexerError::NoSource`].
pub fn check(sources: &[SourceUrl]) -> Result<(), IndexerError> {
    if sources.is_empty() { Err(IndexerError::NoSource) } else { Ok(()) }
}

/// Waits to become the writer, and is it until shutdown or a failure.
async fn tenure(
    config: &IndexerConfig,
    shutdown: &CancellationToken,
    ready: &ReadyFlag,
    away: &mut Incident,
) -> Result<(), IndexerError> {
    let waiting = async {
        let generation = store::prepare(&config.database_url).await?;
        away.ends();
        // A standby is as ready as it can be.
        ready.set(true);
        Ok::<_, StoreError>((become_writer(&config.database_url, generation).await?, generation))
    };
    let Some(turn) = shutdown.run_until_cancelled(waiting).await else { return Ok(()) };
    let (writer, generation) = turn?;
    tracing::info!(generation, "This process is the writer");
    tenure::serve(config, writer, generation, shutdown).await
}

async fn become_writer(database_url: &str, generation: i32) -> Result<Writer, StoreError> {
    let mut told = false;
    loop {
        if let Some(writer) = Writer::try_acquire(database_url, generation).await? {
            return Ok(writer);
        }
        if !std::mem::replace(&mut told, true) {
            tracing::info!("Another process is the writer; standing by");
        }
        sleep(STANDBY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::IndexerError;

    #[test]
    fn a_set_up_that_cannot_work_is_refused_at_once() {
        assert!(matches!(check(&[]), Err(IndexerError::NoSource)));
        for path in ["subscribe", "xrpc/network.bsky.jetstream.subscribeEvents", "xrpc/com.atproto.sync.subscribeRepos"]
        {
            check(&[format!("wss://a.example/{path}").parse().unwrap()]).unwrap();
        }
    }
}
