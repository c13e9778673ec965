//! What may be dialled at all.

mod address;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use url::{Host, Url};

/// The rules for everything that leaves the process. Strict, unless a private network was allowed:
///
/// | | strict | private network allowed |
/// |---|---|---|
/// | scheme | `https`, `wss` | also `http`, `ws` |
/// | port | 443, and 1024 upwards without the [bad ports](https://fetch.spec.whatwg.org/#port-blocking) | any |
/// | address | public, see the IANA special-purpose registries | any but link-local, multicast and unspecified ones |
///
/// Credentials in a URL are refused always.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    allow_private_network: bool,
    is_public: fn(IpAddr) -> bool,
}

/// Why a URL is not dialled; the text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// Not encrypted, or not HTTP or WebSocket.
    #[error("the scheme {0:?} is not allowed")]
    Scheme(String),
    /// A user name or password before the host.
    #[error("it carries credentials")]
    Credentials,
    /// No host to dial.
    #[error("it has no host")]
    NoHost,
    /// A port that is not allowed.
    #[error("port {0} is not allowed")]
    Port(u16),
    /// A literal address that is not public.
    #[error("{0} is not a public address")]
    Address(IpAddr),
    /// A name none of whose addresses is public.
    #[error("{0:?} has no public address")]
    NoPublicAddress(String),
}

/// The ports from 1024 upwards that browsers refuse, because what listens there is not HTTP and may be talked into harm
/// ([fetch, port blocking](https://fetch.spec.whatwg.org/#port-blocking)).
const BAD_PORTS: [u16; 19] =
    [1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080];

impl Guard {
    /// The strict rules, or with `allow_private_network` the relaxed ones.
    pub const fn new(allow_private_network: bool) -> Self {
        Self { allow_private_network, is_public: address::is_public }
    }

    /// The strict rules on an internet that consists of other addresses.
    #[cfg(test)]
    pub(crate) const fn on_another_internet(is_public: fn(IpAddr) -> bool) -> Self {
        Self { allow_private_network: false, is_public }
    }

    /// Whether the relaxed rules hold.
    pub const fn allows_private_network(self) -> bool {
        self.allow_private_network
    }

    /// Judges what the URL alone tells: scheme, credentials, port and a literal address. A name is judged by
    /// its addresses, when it is resolved.
    ///
    /// # Errors
    /// The first rule that the URL breaks.
    pub fn check(self, url: &Url) -> Result<(), Blocked> {
        let scheme_allowed = match url.scheme() {
            "https" | "wss" => true,
            "http" | "ws" => self.allow_private_network,
            _ => false,
        };
        if !scheme_allowed {
            return Err(Blocked::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Blocked::Credentials);
        }
        self.check_port(url.port_or_known_default().unwrap_or_default())?;
        match url.host() {
            None => Err(Blocked::NoHost),
            Some(Host::Domain(_)) => Ok(()),
            Some(Host::Ipv4(ip)) => self.check_address(ip.into()),
            Some(Host::Ipv6(ip)) => self.check_address(ip.into()),
        }
    }

    /// Keeps the addresses of a host that may be dialled.
    ///
    /// # Errors
    /// [`Blocked::NoPublicAddress`] when none is left.
    pub fn filter(self, host: &str, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Blocked> {
        let kept: Vec<_> = addresses.into_iter().filter(|ip| self.check_address(*ip).is_ok()).collect();
        if kept.is_empty() { Err(Blocked::NoPublicAddress(host.to_owned())) } else { Ok(kept) }
    }

    fn check_port(self, port: u16) -> Result<(), Blocked> {
        let allowed = self.allow_private_network || port == 443 || (port >= 1024 && !BAD_PORTS.contains(&port));
        if allowed { Ok(()) } else { Err(Blocked::Port(port)) }
    }

    fn check_address(self, ip: IpAddr) -> Result<(), Blocked> {
        let allowed = if self.allow_private_network { !address::is_nobodys(ip) } else { (self.is_public)(ip) };
        if allowed { Ok(()) } else { Err(Blocked::Address(ip)) }
    }
}
