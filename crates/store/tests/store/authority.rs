//! Who may say what: a forged record of each kind stands in the ledger, is counted, and changes nothing that is shown.

use serde_json::{Value, json};
use types::{Collection, RecordId};

use crate::harness::{ALICE, BOB, Index, digest, id, manifest, page, put, tag};

const HOLD: &str = "did:web:hold.example";
const MALLORY: &str = "did:plc:mallory";

/// Alice's image, on a hold of Bob's with a captain, a crew, stats and a scan.
async fn honest() -> Index {
    let mut index = Index::new().await;
    let v1 = json!({"hold": format!("at://{BOB}/io.atcr.hold/old.example"), "memberPattern": "*.example.com", "role": "read"});
    index
        .apply(vec![
            put(1, id(ALICE, Collection::Manifest, "m"), &manifest("app", 1)),
            put(1, id(ALICE, Collection::Tag, "t"), &tag(ALICE, "app", "latest", "m", 1)),
            put(1, id(ALICE, Collection::Page, "app"), &page("app", "Honest")),
            put(1, id(HOLD, Collection::Captain, "self"), &json!({"owner": BOB, "public": true})),
            put(1, id(HOLD, Collection::Crew, "c"), &json!({"member": ALICE, "permissions": ["blob:read"]})),
            put(1, id(HOLD, Collection::HoldStats, "s"), &stats(7)),
            put(1, id(HOLD, Collection::Scan, &digest(1)[7..]), &scan(1)),
            put(1, id(BOB, Collection::LegacyHold, "old.example"), &legacy("https://old.example", BOB)),
            put(1, id(BOB, Collection::Crew, "v1"), &v1),
        ])
        .await;
    index
}

fn stats(pulls: i64) -> Value {
    json!({"ownerDid": ALICE, "repository": "app", "pullCount": pulls, "pushCount": 1})
}

fn scan(critical: i64) -> Value {
    json!({"manifest": format!("at://{ALICE}/io.atcr.manifest/m"), "critical": critical, "total": critical,
        "scannedAt": format!("2026-01-0{}T00:00:00Z", critical % 9 + 1)})
}

fn legacy(endpoint: &str, owner: &str) -> Value {
    json!({"endpoint": endpoint, "owner": owner, "public": true, "createdAt": "2025-01-01T00:00:00Z"})
}

/// All that is shown of Alice's repository, of the holds and of who may use them.
async fn shown(index: &Index) -> Value {
    let (alice, reader) = (ALICE.parse().unwrap(), &index.reader);
    let crew = "SELECT string_agg(concat_ws(' ', coalesce(hold, did || '/' || declaration_rkey), member, pattern, permissions),
                                  E'\n' ORDER BY did, rkey)
                FROM crew WHERE coalesce(hold, did) IN ('did:web:hold.example', 'did:plc:bob')";
    let crew: Option<String> = index.client.query_one(crew, &[]).await.unwrap().get(0);
    let tags = index.count("SELECT count(*) FROM tag").await;
    json!([
        reader.repository(&alice, &"app".parse().unwrap()).await.unwrap(),
        reader.scan(&alice, &digest(1).parse().unwrap()).await.unwrap(),
        reader.hold(&HOLD.parse().unwrap()).await.unwrap(),
        reader.hold(&"did:web:old.example".parse().unwrap()).await.unwrap(),
        crew,
        tags,
    ])
}

/// A forged record, and whether it alone shows that it is one; otherwise other records do.
fn forged() -> Vec<(&'static str, RecordId, Value, bool)> {
    let v1 = json!({"hold": format!("at://{BOB}/io.atcr.hold/old.example"), "member": MALLORY, "role": "write"});
    vec![
        ("a second captain", id(HOLD, Collection::Captain, "other"), json!({"owner": MALLORY, "public": false}), true),
        (
            "a captain elsewhere",
            id(MALLORY, Collection::Captain, "self"),
            json!({"owner": MALLORY, "public": false, "hold": HOLD}),
            false,
        ),
        (
            "crew v2 elsewhere",
            id(MALLORY, Collection::Crew, "c"),
            json!({"member": MALLORY, "permissions": ["blob:write"]}),
            false,
        ),
        ("crew v1 of another's hold", id(MALLORY, Collection::Crew, "v1"), v1, true),
        ("stats of another's repository", id(MALLORY, Collection::HoldStats, "s"), stats(1_000_000), false),
        ("a scan of another's manifest", id(MALLORY, Collection::Scan, &digest(1)[7..]), scan(8), false),
        (
            "a layer of another's manifest",
            id(MALLORY, Collection::HoldLayer, "l"),
            json!({"digest": digest(101), "size": 1, "manifest": format!("at://{ALICE}/io.atcr.manifest/m")}),
            false,
        ),
        (
            "a legacy hold in another's name",
            id(MALLORY, Collection::LegacyHold, "old.example"),
            legacy("https://old.example", BOB),
            true,
        ),
        (
            "a legacy hold against a captain",
            id(MALLORY, Collection::LegacyHold, "hold.example"),
            legacy("https://hold.example", MALLORY),
            false,
        ),
        ("a tag on another's manifest", id(MALLORY, Collection::Tag, "t"), tag(ALICE, "app", "latest", "m", 20), true),
        ("a page of another's repository", id(MALLORY, Collection::Page, "app"), page("app", "Forged"), false),
    ]
}

#[tokio::test]
async fn a_forged_record_of_each_kind_is_kept_counted_and_shown_nowhere() {
    let mut index = honest().await;
    let before = shown(&index).await;
    for (name, address, record, alone) in forged() {
        let applied = index.apply(vec![put(2, address.clone(), &record)]).await;
        assert_eq!(applied.verdicts.get("forged").copied(), alone.then_some(1), "{name}");
        let kept = index.reader.record(&address).await.unwrap().unwrap();
        assert_eq!(kept.state, if alone { "invalid" } else { "ok" }, "{name}");
        assert_eq!(shown(&index).await, before, "{name}");
    }
    let kept = index.count("SELECT count(*) FROM record WHERE state = 'invalid' AND reason LIKE 'forged:%'").await;
    assert_eq!(kept, forged().iter().filter(|(.., alone)| *alone).count() as i64);
}

/// It is by what they may say that the honest records are shown: without it they are not.
#[tokio::test]
async fn what_a_hold_says_counts_only_while_a_manifest_names_it() {
    let mut index = honest().await;
    let mut moved = manifest("app", 1);
    moved["holdDid"] = json!("did:web:elsewhere.example");
    let before = shown(&index).await;
    assert_eq!((&before[0]["claimed_pulls"], &before[1]["critical"]), (&json!(7), &json!(1)));
    index.apply(vec![put(3, id(ALICE, Collection::Manifest, "m"), &moved)]).await;
    let after = shown(&index).await;
    assert_eq!((&after[0]["claimed_pulls"], &after[1]), (&json!(0), &Value::Null));
    // In whatever order they come.
    index.apply(vec![put(4, id(ALICE, Collection::Manifest, "m"), &manifest("app", 1))]).await;
    assert_eq!(shown(&index).await[1], before[1]);
}

#[tokio::test]
async fn of_two_claimants_neither_is_trusted_until_the_hold_speaks() {
    let mut index = honest().await;
    let hold = "did:web:old.example".parse().unwrap();
    assert_eq!(index.reader.hold(&hold).await.unwrap().unwrap().owner.as_deref(), Some(BOB));
    index.apply(vec![put(2, id(MALLORY, Collection::LegacyHold, "x"), &legacy("https://old.example/", MALLORY))]).await;
    assert_eq!(index.reader.hold(&hold).await.unwrap().and_then(|hold| hold.owner), None);
    let captain = json!({"owner": BOB, "public": false});
    index.apply(vec![put(2, id("did:web:old.example", Collection::Captain, "self"), &captain)]).await;
    let spoken = index.reader.hold(&hold).await.unwrap().unwrap();
    assert_eq!((spoken.owner.as_deref(), spoken.public, spoken.captain), (Some(BOB), Some(false), true));
}
