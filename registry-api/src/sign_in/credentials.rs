use std::fmt;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use types::{Did, Handle};

use crate::errors::{Code, OciError, Result};

/// Longer than any that a PDS takes.
const MAX_PASSWORD: usize = 512;

/// A name and a password as a client sent them. The password is not shown.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub who: Who,
    pub password: SecretString,
}

/// How a reader names its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Handle(Handle),
    Did(Did),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(handle) => handle.fmt(f),
            Self::Did(did) => did.fmt(f),
        }
    }
}

impl Credentials {
    /// Those of `Authorization: Basic`. Some clients send one without name and password for nobody.
    pub fn of_header(headers: &HeaderMap) -> Result<Option<Self>> {
        let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
        let malformed = || refused("only a name and a password in a Basic header are taken here");
        let (scheme, encoded) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(malformed());
        }
        let decoded = BASE64.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = SecretString::from(decoded.ok_or_else(malformed)?);
        let text = decoded.expose_secret();
        // A name ends at the first colon, but a DID has two.
        let colon = match text.starts_with("did:") {
            true => text.match_indices(':').nth(2),
            false => text.match_indices(':').next(),
        };
        match colon {
            Some((at, _)) => Self::of_form(&text[..at], &text[at + 1..]),
            None if text.is_empty() => Ok(None),
            None => Err(malformed()),
        }
    }

    /// Those of a form; `None` when both are empty.
    pub fn of_form(name: &str, password: &str) -> Result<Option<Self>> {
        if name.is_empty() && password.is_empty() {
            return Ok(None);
        }
        if password.is_empty() || password.len() > MAX_PASSWORD {
            return Err(refused("sign in with a password: an app password, which you make in your account's settings"));
        }
        let password = SecretString::from(password);
        let name = name.strip_prefix('@').unwrap_or(name);
        let unknown = || refused("sign in with your full handle, such as alice.example.com, or with your DID");
        let who = match name.parse::<Did>().ok().or_else(|| Did::from_escaped(name)) {
            Some(did) => Who::Did(did),
            None => Who::Handle(name.parse().map_err(|_| unknown())?),
        };
        Ok(Some(Self { who, password }))
    }

    /// A digest that tells them from others, and nothing of what they are to who has not the key.
    pub fn digest(&self, key: &[u8; 32]) -> [u8; 32] {
        let parts = [self.who.to_string().as_bytes(), &[0], self.password.expose_secret().as_bytes()].concat();
        // HMAC takes keys of any length.
        let mac = Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(parts).finalize().into_bytes());
        mac.map(Into::into).unwrap_or_default()
    }
}

pub(super) fn refused(why: impl Into<String>) -> OciError {
    OciError::new(Code::SignInRefused, why)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
    use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
    use secrecy::ExposeSecret as _;

    use super::Credentials;

    fn basic(text: &str) -> HeaderMap {
        let value = format!("Basic {}", BASE64.encode(text));
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&value).unwrap())])
    }

    #[test]
    fn names_and_passwords() {
        for (text, who, password) in [
            ("alice.test:s3cret", "alice.test", "s3cret"),
            ("@Alice.test:with:colons", "alice.test", "with:colons"),
            ("did:plc:abc:s3cret", "did:plc:abc", "s3cret"),
            ("did:web:127.0.0.1%3A80:s3:cret", "did:web:127.0.0.1%3A80", "s3:cret"),
            ("did_plc_abc:s3cret", "did:plc:abc", "s3cret"),
        ] {
            let credentials = Credentials::of_header(&basic(text)).unwrap().unwrap();
            assert_eq!((credentials.who.to_string().as_str(), credentials.password.expose_secret()), (who, password));
            assert!(!format!("{credentials:?}").contains(password), "{credentials:?}");
        }
        for text in
            ["alice.test", "alice.test:", ":pass", "alice:pass", "alice@example.com:pass", "did:plc:x", "did:plc::x"]
        {
            assert!(Credentials::of_header(&basic(text)).is_err(), "{text}");
        }
        assert!(Credentials::of_header(&basic(&format!("alice.test:{}", "x".repeat(1000)))).is_err());
        for text in ["", ":"] {
            assert!(Credentials::of_header(&basic(text)).unwrap().is_none(), "nobody's are none");
        }
    }

    #[test]
    fn a_digest_is_of_name_and_password_under_a_key() {
        let of = |text: &str, key| Credentials::of_header(&basic(text)).unwrap().unwrap().digest(&[key; 32]);
        assert_eq!(of("alice.test:pass", 1), of("alice.test:pass", 1));
        for (other, key) in [("alice.test:pass2", 1), ("bob.test:pass", 1), ("alice.test:pass", 2)] {
            assert_ne!(of("alice.test:pass", 1), of(other, key));
        }
    }
}
