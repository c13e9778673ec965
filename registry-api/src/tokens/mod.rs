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
use hkdf::Hkdf;
use moka::sync::Cache;
use p256::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer as _, Verifier as _},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use url::Url;

use crate::{names::Name, sign_in::SignedIn};

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
    /// Of who signed in: the id of the session, a dot, and the token's own part.
    pub jti: String,
    pub access: Vec<Access>,
}

impl Claims {
    /// Who signed in, and where the session is; `None` for nobody.
    pub fn signed_in(&self) -> Option<SignedIn> {
        let session = self.jti.split_once('.')?.0.parse().ok()?;
        Some(SignedIn { did: self.sub.parse().ok()?, session })
    }

    /// Whether images of this name may be pulled with it.
    pub fn may_pull(&self, name: &Name) -> bool {
        let name = name.to_string();
        let pulls = |access: &Access| access.actions.iter().any(|action| action == "pull");
        self.access.iter().any(|access| access.r#type == "repository" && access.name == name && pulls(access))
    }
}

/// The scope of pulling images of a name.
pub(crate) fn pull_scope(name: &Name) -> String {
    format!("repository:{name}:pull")
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
        self.challenge_with(&scope)
    }

    /// The challenge to a token that is none of ours, or no longer
    /// ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
    pub fn challenge_of_token(&self, scope: Option<&str>) -> HeaderValue {
        let scope = scope.map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
        self.challenge_with(&format!("{scope},error=\"invalid_token\""))
    }

    /// The challenge to a token that does not open what was asked
    /// ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
    pub fn challenge_of_scope(&self, scope: &str) -> HeaderValue {
        self.challenge_with(&format!(",scope=\"{scope}\",error=\"insufficient_scope\""))
    }

    fn challenge_with(&self, rest: &str) -> HeaderValue {
        let text = format!("Bearer realm=\"{}\",service=\"{}\"{rest}", self.realm, self.service);
        // A public URL that parsed is ASCII, and names are by their grammars.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }

    /// A token for who signed in, or for nobody in particular: that one opens what is open to everyone.
    pub fn issue(&self, reader: Option<&SignedIn>, access: Vec<Access>) -> (String, Claims) {
        let now = Utc::now().timestamp();
        let own = hex::encode(rand::random::<[u8; 16]>());
        let claims = Claims {
            iss: self.service.clone(),
            aud: self.service.clone(),
            sub: reader.map(|reader| reader.did.to_string()).unwrap_or_default(),
            iat: now,
            exp: now + i64::try_from(LIFETIME.as_secs()).unwrap_or_default(),
            jti: reader.map_or_else(|| own.clone(), |reader| format!("{}.{own}", reader.session)),
            access,
        };
        (self.sign(&claims), claims)
    }

    /// A key for something else, which follows from the one that signs
    /// ([HKDF](https://www.rfc-editor.org/rfc/rfc5869)): every process with the key's file has the same.
    pub fn derive(&self, purpose: &str, about: &[u8]) -> [u8; 32] {
        let mut key = [0; 32];
        let known = Hkdf::<Sha256>::new(None, &self.key.to_bytes());
        // Only a key of more than 8,160 bytes would be refused.
        let _ = known.expand_multi_info(&[purpose.as_bytes(), &[0], about], &mut key);
        key
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
