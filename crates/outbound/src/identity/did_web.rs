use types::Did;
use url::{Host, Url};

/// The origin that a `did:web` stands for: `https://host[:port]/`, or `http` for this very machine when a private network
/// is allowed. `None` for other methods and for paths, which the AT Protocol does not use
/// ([blessed DID methods](https://atproto.com/specs/did#blessed-did-methods)).
pub fn did_web_origin(did: &Did, allow_private_network: bool) -> Option<Url> {
    (did.method() == "web" && !did.id().contains(':')).then_some(())?;
    let authority = did.id().replace("%3A", ":").replace("%3a", ":");
    let url: Url = format!("https://{authority}/").parse().ok()?;
    // Whatever else was escaped (a slash, a user) would make the URL mean another host.
    (!authority.contains('%') && url.path() == "/").then_some(())?;
    if allow_private_network && is_this_machine(&url) {
        return format!("http://{authority}/").parse().ok();
    }
    Some(url)
}

/// Where a `did:web`'s document is. A port is only for this very machine.
pub(super) fn document_url(did: &Did, allow_private_network: bool) -> Option<Url> {
    let origin = did_web_origin(did, allow_private_network)?;
    (origin.port().is_none() || is_this_machine(&origin)).then_some(())?;
    origin.join("/.well-known/did.json").ok()
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{did_web_origin, document_url};

    #[test]
    fn origins_and_documents() {
        let both = |did: &str, private| {
            let did = did.parse().unwrap();
            (did_web_origin(&did, private).map(String::from), document_url(&did, private).map(String::from))
        };
        let some = |url: &str| Some(url.to_owned());
        let public = (some("https://a.example/"), some("https://a.example/.well-known/did.json"));
        assert_eq!(both("did:web:a.example", false), public);
        assert_eq!(both("did:web:a.example", true), public);
        assert_eq!(both("did:web:a.example%3A8443", true), (some("https://a.example:8443/"), None));
        for host in ["localhost", "127.0.0.1"] {
            let did = format!("did:web:{host}%3a3000");
            let at = |scheme| some(&format!("{scheme}://{host}:3000/"));
            let document = |scheme| some(&format!("{scheme}://{host}:3000/.well-known/did.json"));
            assert_eq!(both(&did, true), (at("http"), document("http")));
            assert_eq!(both(&did, false), (at("https"), document("https")));
        }
        for bad in
            ["did:plc:abc", "did:web:a.example:users:bob", "did:web:a%2Fb", "did:web:u%40a.example", "did:web:%3A1"]
        {
            assert_eq!(both(bad, true), (None, None), "{bad}");
        }
    }
}
