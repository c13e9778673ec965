use std::sync::Arc;

use outbound::{HoldClient, Outbound, Resolver};
use store::{
    Reader, StoreError,
    freshness::{self, Cache, Freshness},
    queries::ServedBlob,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    RegistryConfig,
    breaker::Breakers,
    flights::Flights,
    limits::Limiters,
    located::{LOCATED, Locations},
    manifests::Ready,
    measure,
    private::{Crews, ServiceTokens},
    proxied::Proxied,
    pulls::Pulls,
    read_through::ReadThrough,
    sign_in::{SignIns, sessions},
    tokens::{KeyError, Tokens},
    writes::Writes,
};

/// What every request shares.
pub struct Registry {
    pub(crate) config: RegistryConfig,
    pub(crate) reader: Reader,
    pub(crate) writes: Arc<Writes>,
    pub(crate) outbound: Outbound,
    pub(crate) resolver: Resolver,
    pub(crate) holds: HoldClient,
    pub(crate) breakers: Breakers,
    pub(crate) tokens: Tokens,
    pub(crate) sign_ins: SignIns,
    pub(crate) service_tokens: ServiceTokens,
    pub(crate) crews: Crews,
    pub(crate) limits: Limiters,
    pub(crate) read_through: ReadThrough,
    /// Manifest bytes that are being fetched, by account and digest.
    pub(crate) contents: Flights<(types::Did, types::Digest)>,
    /// Manifests that were served, by `<name>@<reference>`.
    pub(crate) ready: Cache<String, Arc<Ready>>,
    /// Blobs that manifests refer to, by `<name>@<digest>`.
    pub(crate) referred: Cache<String, ServedBlob>,
    /// Where blobs of public holds are.
    pub(crate) locations: Locations,
    /// Blobs that pass through.
    pub(crate) proxied: Proxied,
    /// How often images are pulled.
    pub(crate) pulls: Arc<Pulls>,
    /// Ends the following of the change log, and the writing of pulls.
    _following: DropGuard,
}

/// The most bytes of manifests that are kept at hand.
const READY_BYTES: u64 = 64 << 20;
/// The most blobs whose manifests are remembered.
const REFERRED: u64 = 100_000;

/// Why the registry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The database.
    #[error("the registry cannot read the index")]
    Store(#[from] StoreError),
    /// The key that signs tokens.
    #[error("the registry has no key to sign tokens with")]
    Key(#[from] KeyError),
}

impl Registry {
    /// Opens the pool and the token key.
    ///
    /// # Errors
    /// When Postgres is not there, or the key's file cannot be used.
    pub async fn open(config: RegistryConfig, outbound: Outbound, resolver: Resolver) -> Result<Arc<Self>, SetupError> {
        measure::begin();
        let reader = Reader::connect(&config.database_url, config.generation).await?;
        let (freshness, following) = (Arc::new(Freshness::default()), CancellationToken::new());
        tokio::spawn(freshness::follow(config.database_url.clone(), freshness.clone(), following.clone()));
        let writes = Arc::new(Writes::new(config.database_url.clone(), config.generation));
        let pulls = Arc::new(Pulls::new());
        tokio::spawn(pulls.clone().keep(writes.clone(), following.clone()));
        let registry = Arc::new(Self {
            ready: Cache::new(freshness.clone(), READY_BYTES, |name: &String, ready: &Arc<Ready>| {
                u32::try_from(name.len() + ready.size()).unwrap_or(u32::MAX)
            }),
            referred: Cache::new(freshness.clone(), REFERRED, |_, _| 1),
            locations: Locations::new(Cache::new(freshness, LOCATED, |_, _| 1)),
            proxied: Proxied::new(config.blobs_at_once),
            _following: following.drop_guard(),
            reader,
            writes,
            pulls,
            holds: HoldClient::new(outbound.clone()),
            breakers: Breakers::new(config.patience.hold_pause),
            tokens: Tokens::open(&config.public_url, config.token_key.as_deref())?,
            sign_ins: SignIns::new(),
            service_tokens: ServiceTokens::new(),
            crews: Crews::new(),
            limits: Limiters::new(&config.limits),
            read_through: ReadThrough::new(),
            contents: Flights::new(),
            outbound,
            resolver,
            config,
        });
        tokio::spawn(sessions::sweep(Arc::downgrade(&registry)));
        Ok(registry)
    }
}
