//! A record's CID, by the book: version 1, DAG-CBOR, sha2-256.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Its binary form. The records of the tests have no links and no bytes, for which DAG-CBOR has forms of its own.
pub fn of(record: &Value) -> Vec<u8> {
    let block = serde_ipld_dagcbor::to_vec(record).expect("DAG-CBOR");
    [&[0x01, 0x71, 0x12, 0x20][..], &Sha256::digest(block)].concat()
}
