use std::{io::Cursor, str::FromStr as _};

use atrium_repo::{Repository, blockstore::CarStore};
use cid::Cid;
use crowsnest_devnet::Write;
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use types::Did;

use crate::support::{Fixture, get, get_bytes};

/// Opens a CAR with atrium-repo, verifies the commit's signature with the key in the DID document, and walks the tree.
async fn verified_entries(car: Vec<u8>, did_document: &Value) -> Vec<(String, Cid)> {
    let store = CarStore::open(Cursor::new(car)).await.unwrap();
    let root = store.roots().next().unwrap();
    let mut repository = Repository::open(store, root).await.unwrap();
    let commit = repository.commit();
    let key = did_document["verificationMethod"][0]["publicKeyMultibase"].as_str().unwrap();
    atrium_crypto::verify::verify_signature(&format!("did:key:{key}"), &commit.bytes(), commit.sig()).unwrap();
    repository.tree().entries().try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_repositories_verify() {
    let fixture = Fixture::full().await;
    let manifest = fixture.devnet.manifest();
    for account in &manifest.accounts {
        let (status, document) = get(&format!("{}/{}", manifest.plc, account.did)).await;
        assert_eq!((status, &document["service"][0]["serviceEndpoint"]), (200, &json!(account.pds)));
        let car = get_bytes(&format!("{}/xrpc/com.atproto.sync.getRepo?did={}", account.pds, account.did)).await;
        let entries = verified_entries(car, &document).await;
        let did: Did = account.did.parse().unwrap();
        for (path, cid) in &entries {
            let (collection, rkey) = path.split_once('/').unwrap();
            let record = fixture.devnet.record(&did, collection, rkey).unwrap();
            assert_eq!(types::record_cid(&record).unwrap().to_string(), cid.to_string(), "{path}");
        }
        assert!(!entries.is_empty(), "{}", account.handle);
    }
    fixture.devnet.shutdown().await;
}

/// The tree has one form, whatever the history: after every write and deletion it holds exactly what it should, and an
/// empty repository ends where it began.
#[tokio::test(flavor = "multi_thread")]
async fn trees_follow_every_write() {
    let fixture = Fixture::bare().await;
    let did = fixture.devnet.create_account("tree.test", "x", 0).unwrap();
    let manifest = fixture.devnet.manifest();
    let (_, document) = get(&format!("{}/{did}", manifest.plc)).await;
    let url = format!("{}/xrpc/com.atproto.sync.getRepo?did={did}", manifest.pds[0]);
    let key = |n: u32| format!("{:08x}", n.wrapping_mul(2_654_435_761));
    let mut expected = std::collections::BTreeSet::new();
    for n in 0..120 {
        fixture.devnet.write(&did, vec![Write::create("io.atcr.tag", key(n), json!({"n": n}))]).unwrap();
        expected.insert(format!("io.atcr.tag/{}", key(n)));
        if n % 3 == 2 {
            fixture.devnet.write(&did, vec![Write::delete("io.atcr.tag", key(n / 3))]).unwrap();
            expected.remove(&format!("io.atcr.tag/{}", key(n / 3)));
        }
        let entries = verified_entries(get_bytes(&url).await, &document).await;
        assert!(entries.iter().map(|(path, _)| path).eq(&expected), "after {n}");
    }
    // One commit of everything at once gives the same root as many.
    let other = fixture.devnet.create_account("other.test", "x", 0).unwrap();
    let all = (40..120).map(|n| Write::create("io.atcr.tag", key(n), json!({"n": n}))).collect();
    fixture.devnet.write(&other, all).unwrap();
    assert_eq!(data_root(&manifest.pds[0], &did).await, data_root(&manifest.pds[0], &other).await);
    let rest = (40..120).map(|n| Write::delete("io.atcr.tag", key(n))).collect();
    fixture.devnet.write(&did, rest).unwrap();
    let empty = "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm";
    assert_eq!(data_root(&manifest.pds[0], &did).await, Cid::from_str(empty).unwrap());
    fixture.devnet.shutdown().await;
}

async fn data_root(pds: &str, did: &Did) -> Cid {
    let car = get_bytes(&format!("{pds}/xrpc/com.atproto.sync.getRepo?did={did}")).await;
    let store = CarStore::open(Cursor::new(car)).await.unwrap();
    let root = store.roots().next().unwrap();
    Repository::open(store, root).await.unwrap().commit().data()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_is_proved() {
    let fixture = Fixture::full().await;
    let did = fixture.devnet.did("alice.test").unwrap();
    let base = format!("{}/xrpc/com.atproto.sync.getRecord?did={did}", fixture.devnet.manifest().pds[0]);
    let car = get_bytes(&format!("{base}&collection=io.atcr.tag&rkey=hello_latest")).await;
    let store = CarStore::open(Cursor::new(car)).await.unwrap();
    let root = store.roots().next().unwrap();
    let mut repository = Repository::open(store, root).await.unwrap();
    let found: Option<ipld_core::ipld::Ipld> = repository.get_raw("io.atcr.tag/hello_latest").await.unwrap();
    assert_eq!(crate::support::text(&found.unwrap(), "tag"), "latest");

    // And so is an absence.
    let car = get_bytes(&format!("{base}&collection=io.atcr.tag&rkey=nothing")).await;
    let store = CarStore::open(Cursor::new(car)).await.unwrap();
    let root = store.roots().next().unwrap();
    let mut repository = Repository::open(store, root).await.unwrap();
    assert!(repository.get_raw::<ipld_core::ipld::Ipld>("io.atcr.tag/nothing").await.unwrap().is_none());
    fixture.devnet.shutdown().await;
}
