use url::Url;

use super::{Blocked, Guard};

const STRICT: Guard = Guard::new(false);
const RELAXED: Guard = Guard::new(true);

fn strict(url: &str) -> Result<(), Blocked> {
    STRICT.check(&url.parse().unwrap())
}

#[test]
fn public_literals_pass() {
    for host in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "[2606:4700::1111]", "[2a00:1450::1]"] {
        assert_eq!(strict(&format!("https://{host}/")), Ok(()), "{host}");
    }
}

/// Every spelling of an address that is not public: the URL parser turns the odd ones into the plain one.
#[test]
fn special_literals_are_refused_however_they_are_written() {
    let hosts = [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0X7F000001",
        "0177.0.0.1",
        "017700000001",
        "１２７.0.0.1",
        "0.0.0.0",
        "0",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:1.1.1.1]",
        "[::FFFF:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[100::1]",
        "[2001::1]",
        "[2001:0:7f00:1::]",
        "[2001:2::1]",
        "[2001:10::1]",
        "[2001:db8::1]",
        "[2002:7f00:1::1]",
        "[3fff::1]",
        "[4000::1]",
        "[5f00::1]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ];
    for host in hosts {
        for scheme in ["https", "wss"] {
            let result = strict(&format!("{scheme}://{host}/"));
            assert!(matches!(result, Err(Blocked::Address(_))), "{scheme}://{host}: {result:?}");
        }
    }
}

#[test]
fn schemes() {
    for scheme in ["http", "ws", "ftp", "file", "gopher", "data", "javascript", "unix"] {
        let url: Url = format!("{scheme}://example.com/").parse().unwrap();
        assert!(matches!(STRICT.check(&url), Err(Blocked::Scheme(_))), "{scheme}");
    }
    assert!(matches!(strict("http://[::ffff:169.254.169.254]/"), Err(Blocked::Scheme(_))));
    assert_eq!(strict("HTTPS://EXAMPLE.COM/"), Ok(()));
    assert_eq!(RELAXED.check(&"http://127.0.0.1:3000".parse().unwrap()), Ok(()));
    assert_eq!(RELAXED.check(&"ws://[::1]:3000".parse().unwrap()), Ok(()));
    assert!(RELAXED.check(&"ftp://127.0.0.1".parse().unwrap()).is_err());
}

#[test]
fn ports() {
    for port in [443, 1024, 2583, 3000, 8080, 8443, 65535] {
        assert_eq!(strict(&format!("https://example.com:{port}/")), Ok(()), "{port}");
    }
    for port in [0, 21, 22, 25, 80, 444, 1023, 2049, 6000, 6667, 10080] {
        assert_eq!(strict(&format!("https://example.com:{port}/")), Err(Blocked::Port(port)), "{port}");
    }
    assert_eq!(RELAXED.check(&"https://example.com:22/".parse().unwrap()), Ok(()));
}

#[test]
fn credentials_are_refused_always() {
    for url in ["https://user@example.com/", "https://:secret@example.com/", "https://example.com@1.1.1.1/"] {
        assert_eq!(strict(url), Err(Blocked::Credentials), "{url}");
        assert_eq!(RELAXED.check(&url.parse().unwrap()), Err(Blocked::Credentials), "{url}");
    }
}

#[test]
fn names_are_judged_by_their_addresses() {
    for name in ["localhost", "LOCALHOST.", "metadata.google.internal", "example.com."] {
        assert_eq!(strict(&format!("https://{name}/")), Ok(()), "{name}");
    }
    let mixed = vec!["127.0.0.1".parse().unwrap(), "1.1.1.1".parse().unwrap(), "::1".parse().unwrap()];
    assert_eq!(STRICT.filter("x", mixed.clone()), Ok(vec!["1.1.1.1".parse().unwrap()]));
    assert_eq!(STRICT.filter("x", mixed[..1].to_vec()), Err(Blocked::NoPublicAddress("x".into())));
    assert_eq!(STRICT.filter("x", vec![]), Err(Blocked::NoPublicAddress("x".into())));
    assert_eq!(RELAXED.filter("x", mixed.clone()), Ok(mixed));
}

/// A private network is one of machines: what is no machine's address, or every machine's own, is not part of it.
#[test]
fn a_private_network_has_no_link_local_part() {
    for host in ["127.0.0.1", "10.1.2.3", "192.168.1.1", "[::1]", "[fd12:3456::1]", "[::ffff:127.0.0.1]"] {
        assert_eq!(RELAXED.check(&format!("http://{host}/").parse().unwrap()), Ok(()), "{host}");
    }
    for host in [
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[::]",
        "[ff02::1]",
        "[::ffff:a9fe:a9fe]",
    ] {
        let result = RELAXED.check(&format!("http://{host}/").parse().unwrap());
        assert!(matches!(result, Err(Blocked::Address(_))), "{host}: {result:?}");
    }
    let addresses = vec!["169.254.169.254".parse().unwrap()];
    assert_eq!(RELAXED.filter("metadata", addresses), Err(Blocked::NoPublicAddress("metadata".into())));
}
