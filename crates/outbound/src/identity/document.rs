use atrium_crypto::{
    Algorithm,
    did::{format_did_key, parse_multikey},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use types::{Did, Handle};
use url::Url;

/// A DID document, as far as the AT Protocol reads it ([DID documents](https://atproto.com/specs/did#did-documents)).
/// Entries of a list that cannot be read are left out, so that a foreign service or key spoils nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidDocument {
    /// Whose document it is.
    pub id: Did,
    #[serde(default, deserialize_with = "readable")]
    also_known_as: Vec<String>,
    #[serde(default, deserialize_with = "readable")]
    verification_method: Vec<VerificationMethod>,
    #[serde(default, deserialize_with = "readable")]
    service: Vec<Service>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMethod {
    id: String,
    r#type: String,
    public_key_multibase: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    id: String,
    r#type: String,
    service_endpoint: Url,
}

impl DidDocument {
    /// The account's PDS: the endpoint's origin, without path.
    pub fn pds(&self) -> Option<Url> {
        let service = self
            .service
            .iter()
            .find(|service| self.names(&service.id, "#atproto_pds") && service.r#type == "AtprotoPersonalDataServer");
        origin(&service?.service_endpoint)
    }

    /// Where a hold answers: the service `#atcr_hold`.
    pub fn hold(&self) -> Option<Url> {
        let service = self
            .service
            .iter()
            .find(|service| self.names(&service.id, "#atcr_hold") || service.r#type.starts_with("AtcrHold"));
        origin(&service?.service_endpoint)
    }

    /// The handles that the account claims, in its order. A claim is worth nothing until the handle resolves back.
    pub fn handles(&self) -> impl Iterator<Item = Handle> + '_ {
        self.also_known_as.iter().filter_map(|uri| uri.strip_prefix("at://")?.parse().ok())
    }

    /// The key that signs the account's commits, as a `did:key`: a `Multikey`, or the older types that name the curve.
    pub fn signing_key(&self) -> Option<String> {
        let method = self.verification_method.iter().find(|method| self.names(&method.id, "#atproto"))?;
        let text = &method.public_key_multibase;
        let bytes = multibase::decode(text).ok()?.1;
        // Shorter input makes the parsers below panic.
        (bytes.len() > 32).then_some(())?;
        let (algorithm, key) = match method.r#type.as_str() {
            "Multikey" => parse_multikey(text).ok()?,
            "EcdsaSecp256k1VerificationKey2019" => (Algorithm::Secp256k1, bytes),
            "EcdsaSecp256r1VerificationKey2019" => (Algorithm::P256, bytes),
            _ => return None,
        };
        format_did_key(algorithm, &key).ok()
    }

    /// Ids may be relative to the document (`#atproto_pds`) or absolute.
    fn names(&self, id: &str, fragment: &str) -> bool {
        id.strip_prefix(self.id.as_str()).unwrap_or(id) == fragment
    }
}

fn origin(endpoint: &Url) -> Option<Url> {
    (matches!(endpoint.scheme(), "http" | "https") && endpoint.has_host()).then_some(())?;
    let mut url = endpoint.clone();
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

fn readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let items = Option::<Vec<serde_json::Value>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::DidDocument;

    const KEY: &str = "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme";

    fn document(value: serde_json::Value) -> DidDocument {
        serde_json::from_value(value).unwrap()
    }

    fn keyed(kind: &str, key: &str) -> DidDocument {
        document(json!({ "id": "did:plc:abc", "verificationMethod": [
            { "id": "did:plc:abc#atproto", "type": kind, "controller": "did:plc:abc", "publicKeyMultibase": key }] }))
    }

    #[test]
    fn today_s_document() {
        let document = document(json!({
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": "did:plc:abc",
            "alsoKnownAs": ["https://alice.example", "at://Alice.Example.com", "at://not a handle", "at://old.example.com"],
            "verificationMethod": [{ "id": "did:plc:abc#atproto", "type": "Multikey", "controller": "did:plc:abc",
                                     "publicKeyMultibase": KEY.strip_prefix("did:key:").unwrap() }],
            "service": [{ "id": "#atproto_pds", "type": "AtprotoPersonalDataServer",
                          "serviceEndpoint": "https://pds.example.com/" }] }));
        assert_eq!(document.pds().unwrap().as_str(), "https://pds.example.com/");
        assert_eq!(document.handles().map(String::from).collect::<Vec<_>>(), ["alice.example.com", "old.example.com"]);
        assert_eq!(document.signing_key().as_deref(), Some(KEY));
        assert_eq!(document.hold(), None);
    }

    /// What the npm PLC server writes: the key uncompressed, its curve in the type.
    #[test]
    fn old_style_key() {
        let (_, raw) = atrium_crypto::did::parse_did_key(KEY).unwrap();
        for bytes in [&raw[..], &multibase::decode(KEY.strip_prefix("did:key:").unwrap()).unwrap().1[2..]] {
            let text = multibase::encode(multibase::Base::Base58Btc, bytes);
            assert_eq!(keyed("EcdsaSecp256k1VerificationKey2019", &text).signing_key().as_deref(), Some(KEY));
            assert_eq!(keyed("EcdsaSecp256r1VerificationKey2019", &text).signing_key(), None);
        }
    }

    #[test]
    fn nonsense_gives_nothing_and_spoils_nothing() {
        for key in ["", "z", "z1", "zQ3", "not multibase", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"]
        {
            for kind in ["Multikey", "EcdsaSecp256k1VerificationKey2019", "EcdsaSecp256r1VerificationKey2019", "X"] {
                assert_eq!(keyed(kind, key).signing_key(), None, "{kind} {key}");
            }
        }
        let document = document(json!({
            "@context": "https://www.w3.org/ns/did/v1", "id": "did:web:hold.example", "alsoKnownAs": null,
            "verificationMethod": [{ "id": "#x", "type": "JsonWebKey2020", "publicKeyJwk": {} }, 7],
            "service": [{ "id": "#odd", "type": ["A", "B"], "serviceEndpoint": { "uri": "x" } },
                        { "id": "#atproto_pds", "type": "SomethingElse", "serviceEndpoint": "https://no.example" },
                        { "id": "did:web:hold.example#atcr_hold", "type": "AtcrHoldService",
                          "serviceEndpoint": "https://hold.example:8443/path?q" }] }));
        assert_eq!(document.hold().unwrap().as_str(), "https://hold.example:8443/");
        assert_eq!((document.pds(), document.signing_key(), document.handles().count()), (None, None, 0));
    }
}
