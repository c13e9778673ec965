//! Service tokens as a hold checks them
//! ([inter-service authentication](https://atproto.com/specs/xrpc#inter-service-authentication-jwt)): by the key in the
//! DID document of whoever signed, for this hold, for this method, for now.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use atrium_crypto::{Algorithm, did::parse_multikey, verify::Verifier};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::Value;

use super::http;

/// What a token says.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    /// Who signed: the reader.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// What for.
    pub lxm: Option<String>,
    /// Until when, in seconds since 1970.
    pub exp: u64,
}

/// Reads and checks a token.
///
/// # Errors
/// It is no good; the error says why.
pub async fn verify(token: &str, aud: &str, lxm: &str, plc: &str) -> Result<Claims> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { bail!("a JWT has three parts, not {}", parts.len()) };
    let part = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).context("not base64url");
    let header: Value = serde_json::from_slice(&part(header)?)?;
    let claims: Claims = serde_json::from_slice(&part(payload)?)?;
    let document = http::json(&format!("{plc}/{}", claims.iss)).await.context("no DID document of the issuer")?;
    let (algorithm, key) = signing_key(&document)?;
    let named = match algorithm {
        Algorithm::P256 => "ES256",
        Algorithm::Secp256k1 => "ES256K",
    };
    ensure!(header["alg"] == named, "signed as {}, the key is for {named}", header["alg"]);
    let signed = &token.as_bytes()[..token.len() - signature.len() - 1];
    Verifier::default().verify(algorithm, &key, signed, &part(signature)?).context("bad signature")?;
    ensure!(claims.aud == aud, "for {}, not for {aud}", claims.aud);
    ensure!(claims.lxm.as_deref() == Some(lxm), "for {:?}, not for {lxm}", claims.lxm);
    ensure!(claims.exp > now(), "expired");
    Ok(claims)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The key of `#atproto`, in the present form of documents or the one before.
fn signing_key(document: &Value) -> Result<(Algorithm, Vec<u8>)> {
    let methods = document["verificationMethod"].as_array().context("a DID document without keys")?;
    let ours = |method: &&Value| method["id"].as_str().is_some_and(|id| id.ends_with("#atproto"));
    let method = methods.iter().find(ours).context("a DID document without #atproto")?;
    let text = method["publicKeyMultibase"].as_str().context("a key without publicKeyMultibase")?;
    Ok(match method["type"].as_str().unwrap_or_default() {
        "Multikey" => parse_multikey(text)?,
        "EcdsaSecp256k1VerificationKey2019" => (Algorithm::Secp256k1, multibase::decode(text)?.1),
        "EcdsaSecp256r1VerificationKey2019" => (Algorithm::P256, multibase::decode(text)?.1),
        other => bail!("a key of the type {other}"),
    })
}
