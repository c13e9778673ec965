use serde_json::{Value, json};

use crate::{
    get,
    seed::{ALICE, FRANK, Seeded},
};

/// An object's keys in order.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn status_has_its_shape() {
    let seeded = Seeded::new().await;
    let status = get(&seeded, "/api/v1/status").await.json();
    assert_eq!(status["version"], "0.1.0");
    assert!(status["lag_ms"].as_i64().unwrap() < 60_000, "{status}");
    for count in ["repositories", "manifests", "tags", "stars", "holds"] {
        assert!(status["counts"][count].as_i64().unwrap() > 0, "{count} in {status}");
    }
    assert_eq!(status["counts"]["stars"], 5);
    let sources = status["sources"].as_array().unwrap();
    assert_eq!(sources[0]["url"], "wss://jetstream.test/subscribe");
    assert_eq!((&sources[0]["kind"], &sources[0]["state"]), (&json!("jetstream_v1"), &json!("former")));
    assert!(sources[0]["cursor"].is_i64());
    let never = json!({ "url": "wss://relay.test/xrpc/com.atproto.sync.subscribeRepos", "kind": "firehose",
                        "cursor": null, "state": "standby", "updated_at": null, "heard_at": null });
    assert_eq!(sources[1], never);
}

#[tokio::test(flavor = "multi_thread")]
async fn search_has_its_shape() {
    let seeded = Seeded::new().await;
    let found = get(&seeded, "/api/v1/search?q=hello").await.json();
    let all =
        ["corrections", "facets", "items", "meant", "more", "next", "notes", "previous", "query", "total", "unmet"];
    assert_eq!(keys(&found), all);
    let item = &found["items"][0];
    assert_eq!(item["owner"], json!({ "did": ALICE, "handle": "alice.test" }));
    assert_eq!((&item["name"], &item["stars"], &item["claimed_pulls"]), (&json!("hello"), &json!(5), &json!(12_345)));
    assert_eq!(item["platforms"], json!(["linux/amd64"]));
    assert!(item["description"].is_string() && item["updated_at"].is_string(), "{item}");
    let nothing = get(&seeded, "/api/v1/search?q=zzzzqqqq").await.json();
    assert_eq!((&nothing["total"], &nothing["items"], &nothing["next"]), (&json!(0), &json!([]), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn search_pages_meet_without_a_gap() {
    let seeded = Seeded::new().await;
    let all = get(&seeded, "/api/v1/search?limit=100").await.json();
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let page = get(&seeded, &format!("/api/v1/search?limit=4&cursor={next}")).await.json();
        names.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].clone()));
        match page["next"].as_str() {
            Some(cursor) => next = cursor.to_owned(),
            None => break,
        }
    }
    let expected: Vec<Value> = all["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, expected);
    assert_eq!(all["total"], expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_tags_and_users_have_their_shapes() {
    let seeded = Seeded::new().await;
    for owner in ["alice.test", ALICE, &format!("did_plc_{}", &ALICE[8..])] {
        let repository = get(&seeded, &format!("/api/v1/repositories/{owner}/hello")).await.json();
        assert_eq!((&repository["owner"]["did"], &repository["name"]), (&json!(ALICE), &json!("hello")));
        assert_eq!(repository["latest_digest"], json!(seeded.hello));
    }
    let nested = get(&seeded, "/api/v1/repositories/erin.test/team%2Fapp").await.json();
    assert_eq!(nested["name"], "team/app");
    let tags = get(&seeded, "/api/v1/repositories/alice.test/hello/tags").await.json();
    let names: Vec<&Value> = tags["items"].as_array().unwrap().iter().map(|tag| &tag["tag"]).collect();
    assert_eq!(names, ["latest", "v2", "v1", "1.0.0"]);
    assert_eq!(tags["items"][0]["digest"], json!(seeded.hello));
    let history = get(&seeded, "/api/v1/repositories/alice.test/hello/tags/latest/history").await.json();
    assert_eq!(keys(&history["items"][0]), ["digest", "manifest", "record", "since", "until", "until_rev"]);
    assert_eq!((&history["items"][0]["digest"], &history["items"][0]["until"]), (&json!(seeded.hello), &Value::Null));
    let many = get(&seeded, "/api/v1/repositories/erin.test/many/tags").await.json();
    assert_eq!(many["items"].as_array().unwrap().len(), 50);
    let rest = format!("/api/v1/repositories/erin.test/many/tags?cursor={}", many["next"].as_str().unwrap());
    let rest = get(&seeded, &rest).await.json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (10, &Value::Null));
    let user = get(&seeded, &format!("/api/v1/users/{FRANK}")).await.json();
    assert_eq!((&user["did"], &user["handle"]), (&json!(FRANK), &Value::Null));
    assert_eq!((&user["repositories"][0]["name"], &user["starred"]), (&json!("tool"), &json!(0)));
    let stars = get(&seeded, &format!("/api/v1/users/{FRANK}/stars")).await.json();
    assert_eq!(stars, json!({ "items": [], "next": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_which_to_machines() {
    let seeded = Seeded::new().await;
    for (path, status, error) in [
        ("/api/v1/nothing", 404, "not_found"),
        ("/api/v1/users/nobody.test", 404, "owner_unknown"),
        ("/api/v1/users/gone.test", 404, "owner_hidden"),
        ("/api/v1/repositories/alice.test/nope", 404, "repository_unknown"),
        ("/api/v1/repositories/alice.test/nope/tags", 404, "repository_unknown"),
        ("/api/v1/search?cursor=zzz", 400, "bad_request"),
        ("/api/v1/search?sort=best", 400, "bad_request"),
        ("/api/v1/search?limit=zzz", 400, "bad_request"),
        ("/api/v1/search?cursor=1000000000000", 400, "bad_request"),
    ] {
        let answer = get(&seeded, path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.headers["content-type"], "application/json", "{path}");
        let body = answer.json();
        assert_eq!((keys(&body), &body["error"]), (vec!["error", "message"], &json!(error)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_is_said_in_full_as_json() {
    let seeded = Seeded::new().await;
    for path in ["/api/v1", "/api/v1/", "/api/v1/nope/x"] {
        let answer = get(&seeded, path).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
        assert_eq!(answer.json()["message"].as_str(), Some(format!("There is no page at {path}.").as_str()));
    }
}
