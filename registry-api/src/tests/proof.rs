use std::collections::BTreeMap;

use outbound::proof::{Proof, ProofError, check};
use serde_json::{Value, json};
use types::{Cid, Did, RecordId, record_cid};

use super::repo::{did_key, prove};

const SEED: u8 = 7;

fn alice() -> Did {
    "did:plc:alice".parse().unwrap()
}

fn id(rkey: &str) -> RecordId {
    RecordId { did: alice(), collection: "io.atcr.tag".parse().unwrap(), rkey: rkey.parse().unwrap() }
}

fn tag(rkey: &str) -> Value {
    json!({ "$type": "io.atcr.tag", "tag": rkey, "n": 7, "deep": [{ "bytes": { "$bytes": "AQID" } }, null, true],
            "link": { "$link": Cid::of_blob(b"x").to_string() } })
}

/// Enough records for a tree of several levels.
fn records() -> BTreeMap<String, Value> {
    (0..200).map(|n| (format!("io.atcr.tag/app_{n:03}"), tag(&format!("app_{n:03}")))).collect()
}

async fn car(rkey: &str) -> Vec<u8> {
    prove(&alice(), SEED, &records(), &id(rkey).to_string()["at://did:plc:alice/".len()..]).await
}

/// Where the block that holds `needle` lies in a CAR.
fn position(car: &[u8], needle: &[u8]) -> usize {
    car.windows(needle.len()).position(|window| window == needle).unwrap()
}

#[tokio::test]
async fn presence_and_absence_are_proved() {
    for rkey in ["app_000", "app_077", "app_199"] {
        let Proof::Present { cid, json, .. } = check(&car(rkey).await, &id(rkey), Some(&did_key(SEED))).unwrap() else {
            panic!("{rkey} is there")
        };
        let json: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json, tag(rkey));
        assert_eq!(cid, record_cid(&json).unwrap());
    }
    for rkey in ["aaa", "app_077x", "zzz"] {
        assert_eq!(check(&car(rkey).await, &id(rkey), Some(&did_key(SEED))).unwrap(), Proof::Absent, "{rkey}");
    }
    let empty = prove(&alice(), SEED, &BTreeMap::new(), "io.atcr.tag/x").await;
    assert_eq!(check(&empty, &id("x"), Some(&did_key(SEED))).unwrap(), Proof::Absent);
}

#[tokio::test]
async fn a_proof_of_one_record_does_not_prove_another() {
    // The blocks of the path to the other record are missing, or they prove that it is not where it should be.
    let other = check(&car("app_000").await, &id("app_199"), Some(&did_key(SEED)));
    assert!(matches!(other, Err(ProofError::Missing(_)) | Ok(Proof::Absent)), "{other:?}");
    let stranger = RecordId { did: "did:plc:bob".parse().unwrap(), ..id("app_000") };
    let refused = check(&car("app_000").await, &stranger, Some(&did_key(SEED))).unwrap_err();
    assert_eq!(refused, ProofError::OtherRepository(alice()));
}

#[tokio::test]
async fn forged_blocks_and_signatures_are_refused() {
    let honest = car("app_077").await;
    let mut tampered = honest.clone();
    let at = position(&honest, b"app_077");
    tampered[at] ^= 1;
    assert!(matches!(check(&tampered, &id("app_077"), Some(&did_key(SEED))), Err(ProofError::WrongHash(_))));
    for key in [Some(did_key(8)), None] {
        assert_eq!(check(&honest, &id("app_077"), key.as_deref()).unwrap_err(), ProofError::Signature);
    }
}

/// Nothing that a PDS sends may bring the process down.
#[tokio::test]
async fn garbage_is_refused_without_panic() {
    let honest = car("app_077").await;
    for length in 0..honest.len() {
        assert!(check(&honest[..length], &id("app_077"), Some(&did_key(SEED))).is_err(), "cut at {length}");
    }
    for at in (0..honest.len()).step_by(3) {
        let mut odd = honest.clone();
        odd[at] = !odd[at];
        assert!(check(&odd, &id("app_077"), Some(&did_key(SEED))).is_err(), "changed at {at}");
    }
    for odd in [&[0xff; 100][..], &[0x80; 10], &[1, 2, 3], &[0xff, 0xff, 0xff, 0x7f, 0]] {
        assert!(check(odd, &id("x"), None).is_err());
    }
}
