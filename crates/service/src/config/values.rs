//! Parsers of single flag values. Their errors are shown by clap after the flag's name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

/// A base URL to call: http or https, no query.
pub(super) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("expected an http:// or https:// URL: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.query().is_none() && url.fragment().is_none() => Ok(url),
        "http" | "https" => Err("expected nothing after the path".to_owned()),
        scheme => Err(format!("expected http:// or https://, found {scheme}://")),
    }
}

/// An origin of our own: scheme, host and port, nothing else.
pub(super) fn origin(text: &str) -> Result<Url, String> {
    let url = http_url(text)?;
    if url.path() != "/" || !url.username().is_empty() || url.password().is_some() {
        return Err("expected an origin such as https://crowsnest.example, without path or user".to_owned());
    }
    Ok(url)
}

/// A number of bytes, with K, M, G or T for powers of 1,024.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        Some((at, 't' | 'T')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    number.ok_or_else(|| "expected a number of bytes such as 500M or 10G".to_owned())
}

/// A CIDR block, or a single address as the block that holds only it.
pub(super) fn ip_net(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "expected an address or a CIDR block such as 10.0.0.0/8".to_owned())
}

/// A contact that may stand in a header's comment.
pub(super) fn contact(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '(' | ')' | '\\');
    if text.is_empty() || !text.chars().all(|c| plain(c) || c == ' ') {
        return Err("expected an address or URL in printable ASCII, without parentheses or backslashes".to_owned());
    }
    Ok(text.to_owned())
}

/// A filter that [`EnvFilter`] accepts.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// `http://` and the address, loopback standing in for an unspecified one.
pub(super) fn http_origin_of(address: SocketAddr) -> Url {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let text = format!("http://{}/", SocketAddr::new(ip, address.port()));
    #[expect(clippy::expect_used, reason = "start-up; a socket address always makes a valid authority")]
    Url::parse(&text).expect("a socket address is a valid authority")
}
