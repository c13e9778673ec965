//! Session tokens of a PDS and the service tokens that it gives for holds.

use std::time::{SystemTime, UNIX_EPOCH};

use atrium_crypto::verify::verify_signature;
use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::json;
use types::Did;

use super::xrpc::{XrpcError, XrpcResult};
use crate::{Result, keys::Keys};

/// What a session token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scope {
    #[serde(rename = "com.atproto.access")]
    Access,
    #[serde(rename = "com.atproto.refresh")]
    Refresh,
}

#[derive(Serialize, Deserialize)]
struct Session {
    scope: Scope,
    sub: Did,
    iat: u64,
    exp: u64,
}

/// <https://atproto.com/specs/xrpc#inter-service-authentication-jwt>
#[derive(Serialize, Deserialize)]
struct Service {
    iss: Did,
    aud: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lxm: Option<String>,
    iat: u64,
    exp: u64,
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The token of `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn unsigned(header: &serde_json::Value, claims: &impl Serialize) -> String {
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims))
}

pub(crate) fn session(keys: &Keys, did: &Did, scope: Scope) -> String {
    let (iat, typ, lifetime) = match scope {
        Scope::Access => (now(), "at+jwt", 2 * 3600),
        Scope::Refresh => (now(), "refresh+jwt", 90 * 24 * 3600),
    };
    let claims = Session { scope, sub: did.clone(), iat, exp: iat + lifetime };
    let signed = unsigned(&json!({"typ": typ, "alg": "HS256"}), &claims);
    let mac = BASE64.encode(keys.mac("session", signed.as_bytes()));
    format!("{signed}.{mac}")
}

/// Whose session the request's token is.
pub(crate) fn verify_session(keys: &Keys, headers: &HeaderMap, scope: Scope) -> XrpcResult<Did> {
    let token = bearer(headers).ok_or_else(|| XrpcError::unauthorized("Authentication Required"))?;
    let invalid = || XrpcError::bad("InvalidToken", "Token could not be verified");
    let (signed, mac) = token.rsplit_once('.').ok_or_else(invalid)?;
    if BASE64.decode(mac).ok().as_deref() != Some(&keys.mac("session", signed.as_bytes())[..]) {
        return Err(invalid());
    }
    let claims: Session = claims(signed).filter(|claims: &Session| claims.scope == scope).ok_or_else(invalid)?;
    if claims.exp < now() {
        return Err(XrpcError::bad("ExpiredToken", "Token has expired"));
    }
    Ok(claims.sub)
}

fn claims<T: for<'de> Deserialize<'de>>(signed: &str) -> Option<T> {
    let (_, claims) = signed.split_once('.')?;
    serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
}

/// A token with which `did` may call `lxm` at `aud`, signed by the account's own key.
pub(crate) fn service(keys: &Keys, did: &Did, aud: &str, lxm: Option<String>, exp: u64) -> Result<String> {
    let claims = Service { iss: did.clone(), aud: aud.to_owned(), lxm, iat: now(), exp };
    let signed = unsigned(&json!({"typ": "JWT", "alg": "ES256K"}), &claims);
    let signature = BASE64.encode(keys.sign(did, signed.as_bytes())?);
    Ok(format!("{signed}.{signature}"))
}

/// Who calls, if the request has a token, and it is for this service and method: signed with the key that the caller's DID
/// document names, which `key_of` tells as a `did:key`.
pub(crate) fn verify_service(
    key_of: impl Fn(&Did) -> Option<String>,
    headers: &HeaderMap,
    aud: &Did,
    lxm: &str,
) -> XrpcResult<Option<Did>> {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
        #[serde(default)]
        typ: String,
    }
    let Some(token) = bearer(headers) else { return Ok(None) };
    let invalid = |why: &str| XrpcError::unauthorized(format!("service token: {why}"));
    let (signed, signature) = token.rsplit_once('.').ok_or_else(|| invalid("malformed"))?;
    let header = signed.split_once('.').and_then(|(header, _)| BASE64.decode(header).ok());
    let header: Header =
        header.and_then(|json| serde_json::from_slice(&json).ok()).ok_or_else(|| invalid("malformed"))?;
    // A session's token is none, whoever signed it.
    if !matches!(header.alg.as_str(), "ES256K" | "ES256") || matches!(header.typ.as_str(), "at+jwt" | "refresh+jwt") {
        return Err(invalid("of the wrong kind"));
    }
    let claims: Service = claims(signed).ok_or_else(|| invalid("malformed"))?;
    let signature = BASE64.decode(signature).map_err(|_| invalid("malformed"))?;
    let key = key_of(&claims.iss).ok_or_else(|| invalid("its issuer has no key"))?;
    verify_signature(&key, signed.as_bytes(), &signature).map_err(|_| invalid("bad signature"))?;
    match claims {
        Service { exp, .. } if exp < now() => Err(invalid("expired")),
        Service { aud: found, .. } if found != aud.as_str() => Err(invalid("for another service")),
        Service { lxm: found, .. } if found.as_deref() != Some(lxm) => Err(invalid("for another method")),
        Service { iss, .. } => Ok(Some(iss)),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};
    use types::Did;

    use super::{Scope, now, service, session, verify_service, verify_session};
    use crate::keys::Keys;

    fn with(token: &str) -> HeaderMap {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        HeaderMap::from_iter([(header::AUTHORIZATION, value)])
    }

    #[test]
    fn sessions() {
        let keys = Keys::new(1);
        let did = keys.did_plc("alice.test").unwrap();
        let token = session(&keys, &did, Scope::Access);
        assert_eq!(verify_session(&keys, &with(&token), Scope::Access).unwrap(), did);
        verify_session(&keys, &with(&token), Scope::Refresh).unwrap_err();
        verify_session(&Keys::new(2), &with(&token), Scope::Access).unwrap_err();
        verify_session(&keys, &HeaderMap::new(), Scope::Access).unwrap_err();
    }

    #[test]
    fn service_tokens() {
        let keys = Keys::new(1);
        let did = keys.did_plc("alice.test").unwrap();
        let [hold, other]: [Did; 2] =
            ["did:web:127.0.0.1%3A1", "did:web:127.0.0.1%3A2"].map(|did| did.parse().unwrap());
        let verify = |key: Option<String>, headers: &HeaderMap, aud: &Did, lxm: &str| {
            verify_service(|_| key.clone(), headers, aud, lxm).map_err(drop)
        };
        let key = || keys.did_key(&did).ok();
        let minted = |lxm: Option<&str>, exp| {
            let lxm = lxm.map(str::to_owned);
            with(&service(&keys, &did, "did:web:127.0.0.1%3A1", lxm, exp).unwrap())
        };
        let later = minted(Some("a.b.c"), now() + 60);
        assert_eq!(verify(key(), &later, &hold, "a.b.c"), Ok(Some(did.clone())));
        assert_eq!(verify(key(), &HeaderMap::new(), &hold, "a.b.c"), Ok(None));
        for (what, answer) in [
            ("another method", verify(key(), &later, &hold, "a.b.d")),
            ("another hold", verify(key(), &later, &other, "a.b.c")),
            ("yesterday's", verify(key(), &minted(Some("a.b.c"), now() - 1), &hold, "a.b.c")),
            ("for any method", verify(key(), &minted(None, now() + 60), &hold, "a.b.c")),
            ("another key", verify(Keys::new(2).did_key(&did).ok(), &later, &hold, "a.b.c")),
            ("no document", verify(None, &later, &hold, "a.b.c")),
            ("a session", verify(key(), &with(&session(&keys, &did, Scope::Access)), &hold, "a.b.c")),
            ("nonsense", verify(key(), &with("a.b"), &hold, "a.b.c")),
        ] {
            assert_eq!(answer, Err(()), "{what}");
        }
        let unsigned = super::unsigned(
            &serde_json::json!({"alg": "none"}),
            &serde_json::json!({
            "iss": did, "aud": hold, "lxm": "a.b.c", "iat": now(), "exp": now() + 60}),
        );
        assert_eq!(verify(key(), &with(&format!("{unsigned}.")), &hold, "a.b.c"), Err(()));
    }
}
