use std::sync::Arc;

use outbound::{HoldClient, Outbound, Resolver};
use store::{Reader, StoreError};

use crate::{
    RegistryConfig,
    flights::Flights,
    measure::METRICS,
    read_through::ReadThrough,
    tokens::{KeyError, Tokens},
    writes::Writes,
};

/// What every request shares.
pub struct Registry {
    pub(crate) config: RegistryConfig,
    pub(crate) reader: Reader,
    pub(crate) writes: Writes,
    pub(crate) outbound: Outbound,
    pub(crate) resolver: Resolver,
    pub(crate) holds: HoldClient,
    pub(crate) tokens: Tokens,
    pub(crate) read_through: ReadThrough,
    /// Manifest bytes that are being fetched, by account and digest.
    pub(crate) contents: Flights<(types::Did, types::Digest)>,
}

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
        service::metric::describe(METRICS);
        let reader = Reader::connect(&config.database_url, config.generation).await?;
        Ok(Arc::new(Self {
            reader,
            writes: Writes::new(config.database_url.clone(), config.generation),
            holds: HoldClient::new(outbound.clone()),
            tokens: Tokens::open(&config.public_url, config.token_key.as_deref())?,
            read_through: ReadThrough::new(),
            contents: Flights::new(),
            outbound,
            resolver,
            config,
        }))
    }
}
