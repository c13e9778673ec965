use std::time::Duration;

use serde_json::json;
use store::{queries::Standing, sign_ins};
use types::{Collection, Did, permission::Declared};

use crate::harness::{ALICE, BOB, Index, id, put};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_session_is_replaced_by_one_process_at_a_time() {
    let index = Index::new().await;
    let (client, session) = (&index.client, [7; 32]);
    sign_ins::keep(client, &session, b"one", HOUR).await.unwrap();
    assert!(sign_ins::lease(client, &session, 1, HOUR).await.unwrap());
    assert!(!sign_ins::lease(client, &session, 1, HOUR).await.unwrap(), "somebody has the turn");
    sign_ins::release(client, &session, 1).await.unwrap();
    assert!(sign_ins::lease(client, &session, 1, Duration::ZERO).await.unwrap());
    assert!(sign_ins::lease(client, &session, 1, HOUR).await.unwrap(), "whoever had the turn is dead");
    assert!(sign_ins::replace(client, &session, 1, b"two").await.unwrap());
    assert!(!sign_ins::replace(client, &session, 1, b"late").await.unwrap());
    assert!(!sign_ins::lease(client, &session, 1, HOUR).await.unwrap(), "it was replaced");
    let found = sign_ins::find(client, &session).await.unwrap().unwrap();
    assert_eq!((&found.bytes[..], found.version), (&b"two"[..], 2));
    assert!(sign_ins::lease(client, &session, 2, HOUR).await.unwrap());
    sign_ins::forget(client, &session).await.unwrap();
    assert_eq!(sign_ins::find(client, &session).await.unwrap(), None);
}

#[tokio::test]
async fn sessions_whose_time_is_over_are_gone() {
    let index = Index::new().await;
    let client = &index.client;
    sign_ins::keep(client, &[1; 32], b"short", Duration::ZERO).await.unwrap();
    assert_eq!(sign_ins::find(client, &[1; 32]).await.unwrap(), None);
    assert_eq!(index.count("SELECT count(*) FROM registry_session").await, 1);
    sign_ins::keep(client, &[2; 32], b"long", HOUR).await.unwrap();
    assert_eq!(index.count("SELECT count(*) FROM registry_session").await, 1, "the next one sweeps");
    assert_eq!(sign_ins::sweep(client).await.unwrap(), 0);
    client.execute("UPDATE registry_session SET expires_at = now()", &[]).await.unwrap();
    assert_eq!(sign_ins::sweep(client).await.unwrap(), 1);
}

#[tokio::test]
async fn who_stands_how_at_a_hold() {
    let mut index = Index::new().await;
    let (hold, alice, bob): (Did, Did, Did) =
        ("did:web:hold.example".parse().unwrap(), ALICE.parse().unwrap(), BOB.parse().unwrap());
    assert_eq!(index.reader.standing(&hold, &bob).await.unwrap(), None);
    let legacy =
        json!({ "$type": "io.atcr.hold", "endpoint": "https://hold.example", "owner": ALICE, "public": false });
    let crew =
        |member: &str, permissions: &[&str]| json!({ "member": member, "role": "x", "permissions": permissions });
    // What its owner said of it as an old hold, and who was of its crew then, counts while it declares nothing itself.
    let v1 = json!({ "hold": format!("at://{ALICE}/io.atcr.hold/hold.example"), "member": BOB, "role": "write",
                     "createdAt": "2026-01-10T12:00:00Z" });
    index
        .apply(vec![
            put(1, id(ALICE, Collection::LegacyHold, "hold.example"), &legacy),
            put(1, id(ALICE, Collection::Crew, "x"), &v1),
        ])
        .await;
    let old = Standing { declared: Declared::Legacy { public: false }, permissions: vec![] };
    assert_eq!(index.reader.standing(&hold, &bob).await.unwrap(), Some(old));
    let captain = json!({ "owner": ALICE, "public": false, "allowAllCrew": true });
    index
        .apply(vec![
            put(2, id(hold.as_str(), Collection::Captain, "self"), &captain),
            put(2, id(hold.as_str(), Collection::Crew, "a"), &crew(BOB, &["crew:admin"])),
            put(2, id(hold.as_str(), Collection::Crew, "b"), &crew(BOB, &["blob:read"])),
            // Of another hold's crew, and of nobody's: a member cannot make itself one.
            put(2, id("did:web:other.example", Collection::Crew, "a"), &crew(ALICE, &["blob:read"])),
            put(2, id(ALICE, Collection::Crew, "y"), &crew(ALICE, &["blob:read"])),
        ])
        .await;
    let declared = Declared::Captain { owner: alice.clone(), public: false };
    let mut standing = index.reader.standing(&hold, &bob).await.unwrap().unwrap();
    standing.permissions.sort();
    let permissions = vec!["blob:read".to_owned(), "crew:admin".to_owned()];
    assert_eq!(standing, Standing { declared: declared.clone(), permissions });
    let standing = index.reader.standing(&hold, &alice).await.unwrap().unwrap();
    assert_eq!(standing, Standing { declared, permissions: vec![] });
}
