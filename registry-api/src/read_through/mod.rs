//! What the index does not have yet: found on the owner's PDS, proved, left in the writer's inbox, and awaited there. Nothing
//! is served past the index.

mod find;

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use outbound::Pds;
use service::client::Client;
use store::{
    inbox,
    jobs::{JobKind, enqueue},
    queries::Asked,
};
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use types::{Did, Form, Handle, Reference, RepositoryName};
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
/// For how long a handle that was looked up costs its clients nothing: the answer is remembered.
const LOOKED_UP: Duration = Duration::from_secs(60);
/// How often the index is asked whether it has what was found.
const POLL: Duration = Duration::from_millis(20);

/// The errands under way, and their limits.
pub(crate) struct ReadThrough {
    flights: Flights<(Did, RepositoryName, Reference)>,
    all: Arc<Semaphore>,
    identities: Arc<Semaphore>,
    servers: Cache<String, Arc<Semaphore>>,
    /// Repositories of which nothing is indexed.
    whole: Flights<(Did, RepositoryName)>,
    /// Handles that were looked up lately.
    handles: moka::sync::Cache<Handle, ()>,
}

impl ReadThrough {
    pub fn new() -> Self {
        let servers = Cache::builder().max_capacity(10_000).time_to_idle(Duration::from_secs(600)).build();
        let [all, identities] = [AT_ONCE, IDENTITIES_AT_ONCE].map(|permits| Arc::new(Semaphore::new(permits)));
        let handles = moka::sync::Cache::builder().max_capacity(10_000).time_to_live(LOOKED_UP).build();
        Self { flights: Flights::new(), all, identities, servers, whole: Flights::new(), handles }
    }

    /// Whether a handle was not looked up for a while; from now on it was.
    pub fn is_news(&self, handle: &Handle) -> bool {
        self.handles.entry_by_ref(handle).or_insert(()).is_fresh()
    }

    /// A turn among the look-ups of identities.
    pub async fn permit_for_identity(&self) -> Result<OwnedSemaphorePermit> {
        turn(timeout(TURN, self.identities.clone().acquire_owned()).await.ok())
    }

    /// A turn among all errands, and among those to one server.
    pub async fn permit_for(
        &self,
        registry: &Registry,
        server: &Url,
    ) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        registry.limits.at_server(server)?;
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
pub(crate) async fn run(
    registry: &Registry,
    client: Client,
    account: &Account,
    name: &Name,
    reference: &Reference,
) -> Result<()> {
    let key = (account.did.clone(), name.repository.clone(), reference.clone());
    if !registry.read_through.flights.knows(&key) {
        registry.limits.lookup(client)?;
    }
    registry.read_through.flights.run(key, Box::pin(find_and_await(registry, account, name, reference))).await
}

async fn find_and_await(registry: &Registry, account: &Account, name: &Name, reference: &Reference) -> Result<()> {
    let url = account.pds(registry).await?;
    let found = {
        let _permits = registry.read_through.permit_for(registry, &url).await?;
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
    // Of an account that was never read whole there may be more, and no event will tell of it.
    if registry.reader.floor(&account.did).await?.is_none() {
        queue_reading(registry, &account.did).await?;
    }
    arrival(registry, account, name, reference).await
}

/// Has an account read whole of which nothing was ever read, if there are tags of this repository: a list is served when it is
/// complete. Once for all who ask at the same time. After `Ok` the index has what there is, which may be nothing.
pub(crate) async fn run_whole(registry: &Registry, client: Client, account: &Account, name: &Name) -> Result<()> {
    if registry.reader.floor(&account.did).await?.is_some() {
        return Ok(());
    }
    let key = (account.did.clone(), name.repository.clone());
    if !registry.read_through.whole.knows(&key) {
        registry.limits.lookup(client)?;
    }
    registry.read_through.whole.run(key, Box::pin(read_whole(registry, account, name))).await
}

async fn read_whole(registry: &Registry, account: &Account, name: &Name) -> Result<()> {
    let url = account.pds(registry).await?;
    let is_tagged = {
        let _permits = registry.read_through.permit_for(registry, &url).await?;
        let pds = Pds::new(registry.outbound.clone(), url.clone());
        let finder = Finder { registry, account, pds: &pds, url: &url, repository: &name.repository };
        let finding = timeout(registry.config.patience.pds, finder.has_tags()).await;
        finding.map_err(|elapsed| contents::pds_silent(&url).because(&elapsed))??
    };
    if !is_tagged {
        return Ok(());
    }
    queue_reading(registry, &account.did).await?;
    let deadline = Instant::now() + registry.config.patience.index;
    while Instant::now() < deadline {
        if registry.reader.floor(&account.did).await?.is_some() {
            return Ok(());
        }
        sleep(POLL).await;
    }
    let message = format!("{} was found, and is being read for the first time: try again", name.owner);
    Err(OciError::new(Code::Unavailable, message))
}

async fn queue_reading(registry: &Registry, did: &Did) -> Result<()> {
    let connection = registry.writes.lock().await?;
    Ok(enqueue(&connection.client, JobKind::Resync, &[did.as_str().to_owned()]).await?)
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
