use http::StatusCode;
use serde_json::json;

use crate::{
    get,
    seed::{ALICE, Seeded},
    text,
};

#[tokio::test(flavor = "multi_thread")]
async fn holds_have_their_shape() {
    let seeded = Seeded::new().await;
    let holds = get(&seeded, "/api/v1/holds").await.json();
    assert_eq!(holds["next"], json!(null));
    let items = holds["items"].as_array().unwrap();
    let of = |name: &str| items.iter().find(|item| item["did"] == name).unwrap();
    assert_eq!(items[0]["did"], "did:web:hold.test", "the one that most rely on comes first");
    let down = of("did:web:down.test");
    assert_eq!((&down["reachable"], &down["public"], &down["repositories"]), (&json!(false), &json!(true), &json!(1)));
    assert_eq!((&down["owner"], &down["owner_handle"]), (&json!(ALICE), &json!("alice.test")));
    assert_eq!(of("did:web:private.test")["public"], json!(false));
    let one = get(&seeded, "/api/v1/holds/did:web:down.test").await.json();
    assert_eq!(
        (&one["detail"], &one["manifests"], &one["crew"]),
        (&json!("connection refused"), &json!(1), &json!([]))
    );
    assert!(one["bytes"].as_i64().unwrap() > 0 && one["since"].is_string(), "{one}");
    let nobody = get(&seeded, "/api/v1/holds/did:web:nobody.test").await;
    assert_eq!((nobody.status, nobody.json()["error"].as_str()), (StatusCode::NOT_FOUND, Some("hold_unknown")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holds_page_says_who_runs_it_who_may_and_what_relies_on_it() {
    let seeded = Seeded::new().await;
    let crew = "INSERT INTO crew (did, rkey, hold, member, role, permissions) VALUES
                ('did:web:private.test', 'a', 'did:web:private.test', $1, 'crew', ARRAY['blob:read', 'blob:write']),
                ('did:web:private.test', 'b', 'did:web:private.test', $1, 'crew', ARRAY['blob:read'])";
    seeded.client.execute(crew, &[&ALICE]).await.unwrap();
    let page = get(&seeded, "/holds/did:web:private.test").await;
    let page_text = text(&page.body);
    for says in ["carol.test/private", "Run by alice.test", "Access private", "alice.test crew · blob:read, blob:write"]
    {
        assert!(
            page_text.replace("Run byalice", "Run by alice").replace("Accessprivate", "Access private").contains(says),
            "{says}: {page_text}"
        );
    }
    assert!(!page_text.contains("has not answered"), "{page_text}");
    assert!(
        page.body.contains("<link rel=\"canonical\" href=\"http://127.0.0.1:5000/holds/did:web:private.test\">"),
        "{}",
        page.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_of_a_hold_are_paged_by_owner_and_name() {
    let seeded = Seeded::new().await;
    let after = format!("/holds/did:web:hold.test?after={ALICE}/hello");
    let page = text(&get(&seeded, &after).await.body);
    assert!(
        !page.contains("alice.test/hello") && page.contains("alice.test/multi") && page.contains("First page"),
        "{page}"
    );
    let beyond = text(&get(&seeded, "/holds/did:web:hold.test?after=did:z/").await.body);
    assert!(beyond.contains("There are no more."), "{beyond}");
}
