//! Repositories as a PDS keeps them: signed by a key, proved by CARs.

use std::{collections::BTreeMap, io::Cursor};

use atrium_api::types::string;
use atrium_crypto::keypair::{Did as _, P256Keypair};
use atrium_repo::{
    Repository,
    blockstore::{CarStore, MemoryBlockStore},
};
use ipld_core::ipld::Ipld;
use serde_json::Value;
use types::{Did, Tid, record_block};

/// A key that signs commits.
pub fn keypair(seed: u8) -> P256Keypair {
    P256Keypair::import(&[seed; 32]).unwrap()
}

/// As a `did:key`.
pub fn did_key(seed: u8) -> String {
    keypair(seed).did()
}

/// The proof of the record at `wanted` (or of its absence) in a repository with these records (by path, as JSON), of today.
pub async fn prove(did: &Did, seed: u8, records: &BTreeMap<String, Value>, wanted: &str) -> Vec<u8> {
    let now = Tid::from_micros(chrono::Utc::now().timestamp_micros().unsigned_abs(), 0);
    prove_at(now, did, seed, records, wanted).await
}

/// As [`prove`], at a revision.
pub async fn prove_at(rev: Tid, did: &Did, seed: u8, records: &BTreeMap<String, Value>, wanted: &str) -> Vec<u8> {
    let keys = keypair(seed);
    let owner = string::Did::new(did.to_string()).unwrap();
    let builder = Repository::create(MemoryBlockStore::new(), owner).await.unwrap();
    let signature = keys.sign(&builder.bytes()).unwrap();
    let mut repository = builder.finalize(signature).await.unwrap();
    for (path, record) in records {
        let record: Ipld = serde_ipld_dagcbor::from_slice(&record_block(record).unwrap()).unwrap();
        let (mut commit, _) = repository.add_raw(path, record).await.unwrap();
        commit.rev(string::Tid::new(rev.to_string()).unwrap());
        let signature = keys.sign(&commit.bytes()).unwrap();
        commit.finalize(signature).await.unwrap();
    }
    let mut bytes = Vec::new();
    let mut car = CarStore::create_with_roots(Cursor::new(&mut bytes), [repository.root()]).await.unwrap();
    repository.extract_raw_into(wanted, &mut car).await.unwrap();
    drop(car);
    bytes
}
