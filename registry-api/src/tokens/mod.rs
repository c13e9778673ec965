//! Bearer tokens ([token authentication](https://distribution.github.io/distribution/spec/auth/token/)): ES256, for this
//! service alone, five minutes at most.

mod endpoint;
mod key;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc, time::Duration};

use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::Utc;
use moka::sync::Cache;
use p256::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer as _, Verifier as _},
};
use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use endpoint::{by_form, by_query};
pub use key::KeyError;

/// How long a token is good for; docker takes less than 60 s for 60 s.
pub(crate) const LIFETIME: Duration = Duration::from_secs(300);

/// How many checked tokens are remembered.
const VERIFIED: u64 = 10_000;

/// Makes and checks tokens.
pub(crate) struct Tokens {
    key: SigningKey,
    verifier: VerifyingKey,
    /// The JOSE header of every token of ours, encoded. A token with any other (`alg: none`, another key) is refused unread.
    header: String,
    service: String,
    realm: String,
    /// Tokens whose signature was checked, by their text: a pull brings one with each of its requests.
    verified: Cache<String, Arc<Claims>>,
}

/// What a token says ([claims](https://distribution.github.io/distribution/spec/auth/jwt/)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub aud: String,
    /// Who signed in; empty for nobody.
    pub sub: String,
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
    pub access: Vec<Access>,
}

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Access {
    pub r#type: String,
    pub name: String,
    pub actions: Vec<String>,
}

/// Why a token is refused; the text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token was not issued here")]
    Foreign,
    #[error("the token is for another service")]
    WrongService,
    #[error("the token has expired")]
    Expired,
}

impl Tokens {
    /// # Errors
    /// When the key's file cannot be read or made.
    pub fn open(public_url: &Url, key_file: Option<&Path>) -> Result<Self, KeyError> {
        Ok(Self::with_key(public_url, key_file.map_or_else(|| Ok(key::random()), key::load_or_create)?))
    }

    fn with_key(public_url: &Url, key: SigningKey) -> Self {
        let verifier = *key.verifying_key();
        let id = hex::encode(&verifier.to_encoded_point(true).as_bytes()[..8]);
        let header = BASE64.encode(format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{id}"}}"#));
        let host = public_url.host_str().unwrap_or_default();
        let service = public_url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let realm = format!("{}/auth/token", public_url.as_str().trim_end_matches('/'));
        let verified = Cache::builder().max_capacity(VERIFIED).time_to_live(LIFETIME).build();
        Self { key, verifier, header, service, realm, verified }
    }

    /// The host that clients know us by.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The challenge of a 401: where a token is to be had, and for what.
    pub fn challenge(&self, scope: Option<&str>) -> HeaderValue {
        let scope = scope.map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
        let text = format!("Bearer realm=\"{}\",service=\"{}\"{scope}", self.realm, self.service);
        // A public URL that parsed is ASCII, and names are by their grammars.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }

    /// A token for nobody in particular: it opens what is open to everyone.
    pub fn anonymous(&self, access: Vec<Access>) -> (String, Claims) {
        let now = Utc::now().timestamp();
        let claims = Claims {
            iss: self.service.clone(),
            aud: self.service.clone(),
            sub: String::new(),
            iat: now,
            exp: now + i64::try_from(LIFETIME.as_secs()).unwrap_or_default(),
            jti: hex::encode(rand::random::<[u8; 16]>()),
            access,
        };
        (self.sign(&claims), claims)
    }

    fn sign(&self, claims: &Claims) -> String {
        let payload = BASE64.encode(serde_json::json!(claims).to_string());
        let signed = format!("{}.{payload}", self.header);
        let signature: Signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature.to_bytes()))
    }

    /// Reads a token of ours.
    ///
    /// # Errors
    /// [`TokenError`]; nothing in a token is believed before its signature is checked.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        let claims = match self.verified.get(token) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.read(token)?);
                self.verified.insert(token.to_owned(), claims.clone());
                claims
            }
        };
        if claims.exp <= Utc::now().timestamp() {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// What a token says that was signed here for this service, whenever.
    fn read(&self, token: &str) -> Result<Claims, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Foreign)?;
        let payload = signed.strip_prefix(&self.header).and_then(|rest| rest.strip_prefix('.'));
        let payload = payload.ok_or(TokenError::Foreign)?;
        let signature = BASE64.decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        let signature = signature.ok_or(TokenError::Foreign)?;
        self.verifier.verify(signed.as_bytes(), &signature).map_err(|_| TokenError::Foreign)?;
        let claims = BASE64.decode(payload).ok().and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
        let claims = claims.ok_or(TokenError::Foreign)?;
        if claims.aud != self.service {
            return Err(TokenError::WrongService);
        }
        Ok(claims)
    }
}
