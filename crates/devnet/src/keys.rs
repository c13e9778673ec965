use atrium_crypto::keypair::{Did as _, Secp256k1Keypair};
use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};
use types::Did;

use crate::Result;

/// Everything secret in the devnet follows from its seed: signing keys from the seed and the DID, so that nothing but
/// the seed has to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    seed: u64,
}

impl Keys {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn derive(&self, purpose: &str, name: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"crowsnest-devnet");
        hash.update(self.seed.to_be_bytes());
        hash.update(purpose.as_bytes());
        hash.update([0]);
        hash.update(name.as_bytes());
        hash.finalize().into()
    }

    /// The did:plc of the account that was created with this handle: 24 base32 characters, as the directory makes them.
    pub(crate) fn did_plc(&self, handle: &str) -> Result<Did> {
        let id = BASE32_NOPAD.encode(&self.derive("did:plc", handle)).to_ascii_lowercase();
        Ok(format!("did:plc:{}", &id[..24]).parse()?)
    }

    fn keypair(&self, did: &Did) -> Result<Secp256k1Keypair> {
        Ok(Secp256k1Keypair::import(&self.derive("signing key", did.as_str()))?)
    }

    /// Signs with the account's key: 64 bytes, low S, deterministic (RFC 6979).
    pub(crate) fn sign(&self, did: &Did, message: &[u8]) -> Result<Vec<u8>> {
        Ok(self.keypair(did)?.sign(message)?)
    }

    /// The account's public key as `did:key:z…`.
    pub(crate) fn did_key(&self, did: &Did) -> Result<String> {
        Ok(self.keypair(did)?.did())
    }

    /// A secret for one server's tokens and presigned URLs.
    pub(crate) fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        hmac_sha256(&self.derive("mac", purpose), message)
    }
}

/// HMAC-SHA256 (RFC 2104) with a 32-byte key.
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use atrium_crypto::verify::verify_signature;

    use super::{Keys, hmac_sha256};

    /// RFC 4231, test case 2, with its key zero-padded (which HMAC does itself).
    #[test]
    fn hmac() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex::encode(hmac_sha256(&key, b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn seeds_decide() {
        let did = Keys::new(1).did_plc("alice.test").unwrap();
        assert_eq!(did.as_str().len(), "did:plc:".len() + 24);
        assert_eq!(Keys::new(1).did_plc("alice.test").unwrap(), did);
        assert_ne!(Keys::new(2).did_plc("alice.test").unwrap(), did);
        let signature = Keys::new(1).sign(&did, b"x").unwrap();
        verify_signature(&Keys::new(1).did_key(&did).unwrap(), b"x", &signature).unwrap();
        verify_signature(&Keys::new(2).did_key(&did).unwrap(), b"x", &signature).unwrap_err();
    }
}
