//! Names to addresses: looked up once, filtered, and those very addresses are dialled.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::timeout;
use url::{Host, Url};

use crate::{
    error::{OutboundError, shown},
    guard::{Blocked, Guard},
};

/// How long a name may take to resolve.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// A host name's addresses. A trait only so that tests can answer for names of their own.
pub(crate) trait Lookup: Send + Sync {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver, with `/etc/hosts`.
pub(crate) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Why a name gives no address to dial.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error(transparent)]
    Blocked(#[from] Blocked),
    #[error("{host} does not resolve: {why}")]
    Dns { host: String, why: String },
}

impl ResolveError {
    pub fn at(self, url: &Url) -> OutboundError {
        match self {
            Self::Blocked(why) => OutboundError::Blocked { url: shown(url), why },
            Self::Dns { host, why } => OutboundError::Dns { host, why },
        }
    }
}

/// The guard together with the resolver that it filters.
#[derive(Clone)]
pub(crate) struct Net {
    pub guard: Guard,
    pub lookup: Arc<dyn Lookup>,
}

impl Net {
    /// The addresses of a URL that may be dialled.
    pub async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, ResolveError> {
        self.guard.check(url)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = match url.host().ok_or(Blocked::NoHost)? {
            Host::Ipv4(ip) => vec![ip.into()],
            Host::Ipv6(ip) => vec![ip.into()],
            Host::Domain(name) => self.resolve(name).await?,
        };
        Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let dns = |why: String| ResolveError::Dns { host: host.to_owned(), why };
        let found = timeout(LOOKUP_TIMEOUT, self.lookup.lookup(host.to_owned()))
            .await
            .map_err(|_| dns("no answer in time".into()))?
            .map_err(|error| dns(error.to_string()))?;
        Ok(self.guard.filter(host, found)?)
    }
}

impl reqwest::dns::Resolve for Net {
    /// Port 0 stands for the URL's own port.
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let net = self.clone();
        Box::pin(async move {
            let addresses = net.resolve(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0))) as reqwest::dns::Addrs)
        })
    }
}
