use std::{str::FromStr, sync::Arc};

use super::{NameError, name_type};

/// A decentralised identifier, `did:plc:…` or `did:web:…` in practice
/// ([atproto DID grammar](https://atproto.com/specs/did)).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Did(Arc<str>);

name_type!(Did);

impl FromStr for Did {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let err = |why| NameError::new("DID", s, why);
        if s.len() > 2048 {
            return Err(err("longer than 2048 characters"));
        }
        let rest = s.strip_prefix("did:").ok_or_else(|| err("does not begin with did:"))?;
        let (method, id) = rest.split_once(':').ok_or_else(|| err("has no method-specific part"))?;
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_lowercase()) {
            return Err(err("the method is not lower-case letters"));
        }
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:%-".contains(&b)) {
            return Err(err("the method-specific part may only hold letters, digits and . _ : % -"));
        }
        if id.ends_with([':', '%']) {
            return Err(err("ends in : or %"));
        }
        Ok(Self(s.into()))
    }
}

impl Did {
    /// The method: `plc`, `web`, ….
    pub fn method(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// The part after the method.
    pub fn id(&self) -> &str {
        self.0.splitn(3, ':').nth(2).unwrap_or_default()
    }

    /// The DID in docker's reference grammar, where `:` is illegal: `did_plc_xxxx`, `did_web_example.com`; a port's `%3A`
    /// becomes `__`. `_` is never in a handle, so no handle can shadow a DID. `None` when the DID has no such form
    /// (path components, upper case, other methods).
    pub fn escaped(&self) -> Option<String> {
        let id = self.id().replace("%3A", "__").replace("%3a", "__");
        let escaped = format!("did_{}_{id}", self.method());
        (Self::from_escaped(&escaped).as_ref() == Some(self)).then_some(escaped)
    }

    /// Reads the form that [`Did::escaped`] writes.
    pub fn from_escaped(s: &str) -> Option<Self> {
        let (method, id) = s.strip_prefix("did_")?.split_once('_')?;
        match method {
            "plc" if !id.contains('_') => format!("did:plc:{id}").parse().ok(),
            "web" if !id.contains(':') => format!("did:web:{}", id.replacen("__", "%3A", 1)).parse().ok(),
            _ => None,
        }
    }

    /// The `did:web` of a host, with a port's colon escaped: how a legacy `holdEndpoint` names its hold.
    ///
    /// # Errors
    /// When the host is not one that a DID can carry.
    pub fn web(host: &str, port: Option<u16>) -> Result<Self, NameError> {
        match port {
            Some(port) => format!("did:web:{host}%3A{port}").parse(),
            None => format!("did:web:{host}").parse(),
        }
    }

    /// The `did:web` of an endpoint URL such as `https://hold.example:8443`; the scheme's default port is left out.
    pub fn web_of_endpoint(endpoint: &str) -> Option<Self> {
        let url = url::Url::parse(endpoint).ok()?;
        matches!(url.scheme(), "http" | "https").then_some(())?;
        Self::web(url.host_str()?, url.port()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Did;

    #[test]
    fn takes_what_the_specification_takes() {
        for ok in
            ["did:plc:z72i7hdynmk6r22z27h6tvur", "did:web:example.com", "did:web:localhost%3A8080", "did:m:A-._:x"]
        {
            assert_eq!(ok.parse::<Did>().unwrap().as_str(), ok);
        }
        for bad in
            ["", "did:", "did:plc", "did:plc:", "DID:plc:x", "did:PLC:x", "did:plc:x%", "did:plc:a b", "did:plc:a/b"]
        {
            assert!(bad.parse::<Did>().is_err(), "{bad}");
        }
    }

    #[test]
    fn escape_round_trips() {
        for (did, escaped) in [
            ("did:plc:z72i7hdynmk6r22z27h6tvur", "did_plc_z72i7hdynmk6r22z27h6tvur"),
            ("did:web:example.com", "did_web_example.com"),
            ("did:web:localhost%3A8080", "did_web_localhost__8080"),
        ] {
            let parsed: Did = did.parse().unwrap();
            assert_eq!(parsed.escaped().as_deref(), Some(escaped));
            assert_eq!(Did::from_escaped(escaped), Some(parsed));
        }
        assert_eq!("did:web:a.example:path".parse::<Did>().unwrap().escaped(), None);
        assert_eq!(Did::from_escaped("did_key_abc"), None);
    }

    #[test]
    fn endpoint_becomes_did_web() {
        let did = |s| Did::web_of_endpoint(s).map(String::from);
        assert_eq!(did("https://hold01.atcr.io"), Some("did:web:hold01.atcr.io".into()));
        assert_eq!(did("https://hold.example:8443/x"), Some("did:web:hold.example%3A8443".into()));
        assert_eq!(did("ftp://hold.example"), None);
    }
}
