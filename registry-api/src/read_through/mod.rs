//! What the index does not have yet: found on the owner's PDS, proved, left in the writer's inbox, and awaited there. Nothing
//! is served past the index.

mod find;

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use outbound::Pds;
use store::{inbox, queries::Asked};
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use types::{Did, Form, Reference, RepositoryName};
use url::Url;

use crate::{
    Registry, contents,
    errors::{Code, OciError, Result},
    flights::Flights,
    manifests,
    names::Name,
    owners::Account,
};
use find::{Finder, Found};

/// How many errands go out at once, in all and to one server.
const AT_ONCE: usize = 64;
const AT_ONCE_PER_SERVER: usize = 8;
/// How many identities are looked up at once. These have turns of their own: anybody may ask for handles whose host stalls.
const IDENTITIES_AT_ONCE: usize = 32;
/// How long an errand may wait for its turn.
const TURN: Duration = Duration::from_secs(5);
/// How often the index is asked whether it has what was found.
const POLL: Duration = Duration::from_millis(20);

/// The errands under way, and their limits.
pub(crate) struct ReadThrough {
    flights: Flights<(Did, RepositoryName, Reference)>,
    all: Arc<Semaphore>,
    identities: Arc<Semaphore>,
    servers: Cache<String, Arc<Semaphore>>,
}

impl ReadThrough {
    pub fn new() -> Self {
        let servers = Cache::builder().max_capacity(10_000).time_to_idle(Duration::from_secs(600)).build();
        let [all, identities] = [AT_ONCE, IDENTITIES_AT_ONCE].map(|permits| Arc::new(Semaphore::new(permits)));
        Self { flights: Flights::new(), all, identities, servers }
    }

    /// A turn among the look-ups of identities.
    pub async fn permit_for_identity(&self) -> Result<OwnedSemaphorePermit> {
        turn(timeout(TURN, self.identities.clone().acquire_owned()).await.ok())
    }

    /// A turn among all errands, and among those to one server.
    pub async fn permit_for(&self, server: &Url) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let origin = server.origin().ascii_serialization();
        let own = self.servers.get_with(origin, async { Arc::new(Semaphore::new(AT_ONCE_PER_SERVER)) }).await;
        // The narrow one first: those who wait for one slow server hold nobody else up.
        let own = turn(timeout(TURN, own.acquire_owned()).await.ok())?;
        Ok((own, turn(timeout(TURN, self.all.clone().acquire_owned()).await.ok())?))
    }
}

fn turn(permit: Option<std::result::Result<OwnedSemaphorePermit, AcquireError>>) -> Result<OwnedSemaphorePermit> {
    let busy = || OciError::new(Code::Unavailable, "too many images are being looked for at once: try again");
    permit.and_then(std::result::Result::ok).ok_or_else(busy)
}

/// Looks for a tag or manifest on the owner's PDS, once for all who ask at the same time. After `Ok` the index has what there
/// is, which may be nothing.
pub(crate) async fn run(registry: &Registry, account: &Account, name: &Name, reference: &Reference) -> Result<()> {
    let key = (account.did.clone(), name.repository.clone(), reference.clone());
    registry.read_through.flights.run(key, Box::pin(find_and_await(registry, account, name, reference))).await
}

async fn find_and_await(registry: &Registry, account: &Account, name: &Name, reference: &Reference) -> Result<()> {
    let url = account.pds(registry).await?;
    let found = {
        let _permits = registry.read_through.permit_for(&url).await?;
        let pds = Pds::new(registry.outbound.clone(), url.clone());
        let finder = Finder { registry, account, pds: &pds, url: &url, repository: &name.repository };
        let finding = timeout(registry.config.patience.pds, finder.find(reference)).await;
        finding.map_err(|elapsed| contents::pds_silent(&url).because(&elapsed))??
    };
    let result = if found.is_empty() { "absent" } else { "found" };
    metrics::counter!("crowsnest_read_through_total", "result" => result).increment(1);
    if found.is_empty() {
        return Ok(());
    }
    leave(registry, &found).await?;
    arrival(registry, account, name, reference).await
}

async fn leave(registry: &Registry, found: &[Found]) -> Result<()> {
    let connection = registry.writes.lock().await?;
    for Found { put, proof } in found {
        inbox::leave(&connection.client, put, Some((Form::Proof, proof))).await?;
        tracing::info!(record = %put.id, rev = %put.rev, "a pull found a record that was not indexed");
    }
    Ok(())
}

/// Waits until the index has it.
async fn arrival(registry: &Registry, account: &Account, name: &Name, reference: &Reference) -> Result<()> {
    let deadline = Instant::now() + registry.config.patience.index;
    while Instant::now() < deadline {
        if let Asked::Found(_) = manifests::look_up(registry, account, name, reference).await? {
            return Ok(());
        }
        sleep(POLL).await;
    }
    tracing::warn!(%name, %reference, "what a pull found was not indexed in time; is the indexer running?");
    Err(OciError::new(Code::Unavailable, format!("{name} was found, but is not indexed yet: try again")))
}
