//! Who asks: the address that limits count by.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, header::FORWARDED};
use ipnet::IpNet;

/// A client, as far as an address tells one from another: an IPv4 address, or the /64 that a network gives to one IPv6 customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    address: IpAddr,
    /// Whether a proxy says that it passes somebody else's request on.
    is_passed_on: bool,
}

impl Client {
    /// The client at an address.
    pub fn at(address: IpAddr) -> Self {
        let address = match address.to_canonical() {
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
            ip => ip,
        };
        Self { address, is_passed_on: false }
    }

    /// The client behind a connection. Proxies that are trusted are believed, from the nearest on, as to who asked them; the first
    /// address that is not one of theirs is the client's.
    ///
    /// A proxy writes one of `X-Forwarded-For` and `Forwarded` and passes the other on as the client wrote it: when
    /// they disagree, nothing is believed but that somebody asks through it.
    pub fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        if !is_trusted(peer, trusted) {
            return Self::at(peer);
        }
        let usual = values(headers, "x-forwarded-for").map(address).collect::<Vec<_>>();
        let standard = values(headers, FORWARDED.as_str()).map(forwarded_for).collect::<Vec<_>>();
        let found = match (usual.is_empty(), standard.is_empty()) {
            (false, true) => nearest(peer, &usual, trusted),
            (true, false) => nearest(peer, &standard, trusted),
            (true, true) => peer,
            (false, false) => {
                let (one, other) = (nearest(peer, &usual, trusted), nearest(peer, &standard, trusted));
                if one == other { one } else { peer }
            }
        };
        Self { is_passed_on: !usual.is_empty() || !standard.is_empty(), ..Self::at(found) }
    }

    /// A client without an address, or on this very machine.
    pub const LOCAL: Self = Self { address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), is_passed_on: false };

    /// Whether it is on this very machine, and asks for itself.
    pub fn is_local(self) -> bool {
        // The /64 of `::1` is all that is left of it.
        let is_here = self.address.is_loopback() || self.address == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        is_here && !self.is_passed_on
    }
}

/// From the right: each hop was written by the one after it. What cannot be read ends the belief.
fn nearest(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &[IpNet]) -> IpAddr {
    let mut known = peer;
    for hop in hops.iter().rev() {
        let Some(hop) = hop else { break };
        known = *hop;
        if !is_trusted(known, trusted) {
            break;
        }
    }
    known
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// The elements of a list over all lines of a header.
fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter();
    lines
        .flat_map(|line| line.to_str().unwrap_or("unreadable").split(','))
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// `for=` of one element ([RFC 7239](https://www.rfc-editor.org/rfc/rfc7239#section-4)).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let (_, node) = element
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| key.eq_ignore_ascii_case("for"))?;
    address(node.trim_matches('"'))
}

/// An address, with or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().map(|address| address.ip()).ok();
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    plain.or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::Client;

    fn client(peer: &str, headers: &[(&'static str, &'static str)]) -> Client {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Client::behind(peer.parse().unwrap(), &map, &trusted)
    }

    fn at(address: &str) -> Client {
        Client::at(address.parse().unwrap())
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_from_the_right() {
        const XFF: &str = "x-forwarded-for";
        const FORWARDED: &str = "forwarded";
        for (peer, headers, expected) in [
            ("203.0.113.9", &[(XFF, "198.51.100.1")][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "198.51.100.1")], "198.51.100.1"),
            ("::ffff:10.0.0.1", &[(XFF, "198.51.100.1")], "198.51.100.1"),
            // What the client wrote itself stands on the left.
            ("10.0.0.1", &[(XFF, "1.1.1.1, 198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "1.1.1.1"), (XFF, "198.51.100.1,10.0.0.2")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            ("10.0.0.1", &[(XFF, "1.1.1.1, nonsense, 10.0.0.2")], "10.0.0.2"),
            ("10.0.0.1", &[(XFF, "nonsense")], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "198.51.100.1:4711")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "2001:db8::1")], "2001:db8::1"),
            ("10.0.0.1", &[(FORWARDED, "for=1.1.1.1, for=198.51.100.1;proto=https")], "198.51.100.1"),
            ("10.0.0.1", &[(FORWARDED, "proto=https;For=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
            ("10.0.0.1", &[(FORWARDED, "for=_hidden")], "10.0.0.1"),
            // One of them is the client's own invention, and nobody knows which.
            ("10.0.0.1", &[(FORWARDED, "for=1.1.1.1"), (XFF, "198.51.100.1")], "10.0.0.1"),
            ("10.0.0.1", &[(FORWARDED, "for=198.51.100.1"), (XFF, "198.51.100.1")], "198.51.100.1"),
        ] {
            assert_eq!(client(peer, headers).address, at(expected).address, "{peer} {headers:?}");
        }
    }

    /// A proxy may be on this machine, and its clients may write what they like.
    #[test]
    fn what_a_proxy_passes_on_is_never_this_machine_s_own() {
        const XFF: &str = "x-forwarded-for";
        const FORWARDED: &str = "forwarded";
        let trusted = ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for headers in [
            &[(XFF, "198.51.100.1")][..],
            &[(XFF, "198.51.100.1"), (FORWARDED, "for=9.9.9.9")],
            &[(XFF, "198.51.100.1"), (FORWARDED, "for=unknown")],
            &[(XFF, "nonsense")],
            &[(XFF, "127.0.0.1")],
            &[(FORWARDED, "x")],
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            for peer in ["127.0.0.1", "::1"] {
                assert!(!Client::behind(peer.parse().unwrap(), &map, &trusted).is_local(), "{peer} {headers:?}");
            }
        }
        assert!(Client::behind("127.0.0.1".parse().unwrap(), &HeaderMap::new(), &trusted).is_local());
    }

    #[test]
    fn a_network_s_customer_is_one_client() {
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_ne!(at("198.51.100.1"), at("198.51.100.2"));
        assert_eq!(at("::ffff:198.51.100.1"), at("198.51.100.1"));
        assert!(at("127.0.0.2").is_local() && at("::1").is_local() && Client::LOCAL.is_local());
        assert!(!at("10.0.0.1").is_local() && !at("2001:db8::1").is_local());
    }
}
