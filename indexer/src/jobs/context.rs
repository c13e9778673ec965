use std::{
    collections::HashMap,
    sync::{Arc, Mutex as SyncMutex, PoisonError},
    time::Duration,
};

use outbound::{Outbound, Pds, Resolver};
use store::{StoreError, jobs::JobKind};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};
use tokio_postgres::Client;
use types::{Batch, Did, Origin, Reject};
use url::Url;

use super::JobError;
use crate::{
    IndexerConfig, Timing,
    budget::{self, Budget},
    tenure::Request,
};

/// How many jobs ask one host at once, and how many read repositories there besides: they must not keep it to themselves.
const PER_HOST: usize = 4;
const READINGS_PER_HOST: usize = 2;
/// How long a job waits for its turn with a host; the worker has other things to do.
const TURN_WAIT: Duration = Duration::from_millis(250);

/// What every job has at hand.
pub struct Context {
    /// For single statements; they may overlap.
    pub store: Client,
    /// For transactions, one at a time.
    pub transactions: Mutex<Client>,
    pub generation: i32,
    pub outbound: Outbound,
    pub resolver: Resolver,
    pub relay_url: Url,
    pub timing: Timing,
    pub most_records: usize,
    /// What may be held of others at once.
    pub budget: Budget,
    database_url: String,
    writer: mpsc::Sender<Request>,
    hosts: SyncMutex<HashMap<(bool, String), Arc<Semaphore>>>,
}

impl Context {
    /// Opens the connections that jobs write what they learnt with.
    pub async fn open(
        config: IndexerConfig,
        generation: i32,
        writer: mpsc::Sender<Request>,
    ) -> Result<Self, StoreError> {
        let connect = || store::connect(&config.database_url, Some(generation));
        Ok(Self {
            store: connect().await?.client,
            transactions: Mutex::new(connect().await?.client),
            generation,
            outbound: config.outbound,
            resolver: config.resolver,
            relay_url: config.relay_url,
            timing: config.timing,
            most_records: config.most_records,
            budget: Budget::new(budget::WHOLE),
            database_url: config.database_url,
            writer,
            hosts: SyncMutex::default(),
        })
    }

    /// A connection for what takes long.
    pub async fn connect(&self) -> Result<Client, StoreError> {
        Ok(store::connect(&self.database_url, Some(self.generation)).await?.client)
    }

    /// Has the writer apply a batch, and waits until it has.
    pub async fn apply(&self, batch: Batch) -> Result<(), JobError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (done, applied) = oneshot::channel();
        self.writer.send(Request { batch, done }).await.map_err(|_| JobError::NoWriter)?;
        applied.await.map_err(|_| JobError::NoWriter)
    }

    /// Has the writer keep what was refused.
    pub async fn keep(&self, reject: Reject) -> Result<(), JobError> {
        self.apply(Batch { rejects: vec![reject], ..Batch::new(Origin::Backfill) }).await
    }

    /// Waits a moment for a turn with a host; [`JobError::Busy`] when there is none.
    pub async fn turn(&self, kind: JobKind, host: &Url) -> Result<OwnedSemaphorePermit, JobError> {
        let reading = JobKind::LONG.contains(&kind);
        let most = if reading { READINGS_PER_HOST } else { PER_HOST };
        let name = host.host_str().unwrap_or_default().to_owned();
        let turns = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            // Hosts that nobody is asking are forgotten; who waits or has a turn holds a clone.
            hosts.retain(|_, turns| Arc::strong_count(turns) > 1);
            hosts.entry((reading, name)).or_insert_with(|| Arc::new(Semaphore::new(most))).clone()
        };
        match timeout(TURN_WAIT, turns.acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(JobError::Busy),
        }
    }

    /// The server that answers for a repository: its PDS, or the hold itself.
    pub async fn repository_host(&self, did: &Did) -> Result<Url, outbound::IdentityError> {
        match self.resolver.pds_endpoint(did).await {
            Ok(pds) => Ok(pds),
            Err(error) if error.is_transient() && did.method() != "web" => Err(error),
            // Holds name their service in another way, or serve no document at all.
            Err(_) => self.resolver.hold_endpoint(did).await,
        }
    }

    /// A PDS by its URL.
    pub fn pds(&self, base: Url) -> Pds {
        Pds::new(self.outbound.clone(), base)
    }
}
