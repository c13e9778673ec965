use http::StatusCode;
use serde_json::{Value, json};

use crate::{get, seed::Seeded, text};

async fn names(seeded: &Seeded, path: &str) -> Vec<String> {
    let found = get(seeded, path).await.json();
    found["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_facet_narrows_to_as_many_as_it_says() {
    let seeded = Seeded::new().await;
    for query in ["", "-hello", "owner:alice"] {
        let found = get(&seeded, &format!("/api/v1/search?q={query}")).await.json();
        let mut checked = 0;
        for (key, facet) in found["facets"].as_object().unwrap() {
            for value in facet.as_array().unwrap() {
                let narrowed =
                    format!("/api/v1/search?limit=100&q={query}%20{key}:{}", value["value"].as_str().unwrap());
                let narrowed = get(&seeded, &narrowed).await.json();
                assert_eq!(narrowed["total"], value["count"], "{query} {key}:{value}");
                assert_eq!(
                    Value::from(narrowed["items"].as_array().unwrap().len()),
                    value["count"],
                    "{query} {key}:{value}"
                );
                checked += 1;
            }
        }
        assert!(checked > 4, "{found}");
    }
    let all = get(&seeded, "/api/v1/search?limit=100").await.json();
    let platform = |name: &str| {
        let of = |item: &&Value| item["platforms"].as_array().unwrap().contains(&json!(name));
        all["items"].as_array().unwrap().iter().filter(of).count()
    };
    for facet in all["facets"]["platform"].as_array().unwrap() {
        assert_eq!(facet["count"], platform(facet["value"].as_str().unwrap()), "{facet}");
    }
    assert_eq!(names(&seeded, "/api/v1/search?q=kind:chart").await, ["chart"]);
    assert_eq!(names(&seeded, "/api/v1/search?q=is:signed").await, ["signed"]);
    assert!(!names(&seeded, "/api/v1/search?q=is:public&limit=100").await.contains(&"private".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_was_understood_and_the_way_back() {
    let seeded = Seeded::new().await;
    let page = get(&seeded, "/search?q=owner:bob+kind:chart").await;
    page.assert_clean("/search");
    let shown = text(&page.body);
    assert!(shown.contains("1 repository · ") && shown.contains("owner:bob × (remove)"), "{shown}");
    assert!(page.body.contains("href=\"/search?q=owner%3Abob\""), "the chip takes the kind back");
    assert!(page.body.contains("Helm chart"), "{shown}");
    let misspelt = text(&get(&seeded, "/search?q=helo").await.body);
    assert!(misspelt.contains("Words like it were looked for instead:"), "{misspelt}");
    assert!(get(&seeded, "/search?q=helo").await.body.contains("href=\"/search?q=hello\""));
    let nothing = get(&seeded, "/search?q=hello+zzzzqqqq").await;
    assert!(nothing.body.contains("href=\"/search?q=hello\"") && text(&nothing.body).contains("One at a time"));
    let sorted = get(&seeded, "/search?q=kind:image&sort=name").await.body;
    assert!(
        sorted.contains("sort=name&amp;cursor=") || !sorted.contains("rel=\"next\""),
        "the next page has the same order"
    );
    assert!(sorted.contains("aria-current=\"true\">Name<"), "{sorted}");
    assert!(get(&seeded, "/search?q=hello").await.body.contains("<mark>hello</mark>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_belongs_to_its_order() {
    let seeded = Seeded::new().await;
    let first = get(&seeded, "/api/v1/search?sort=stars&limit=2").await.json();
    let cursor = first["next"].as_str().unwrap();
    assert_eq!(
        get(&seeded, &format!("/api/v1/search?sort=stars&limit=2&cursor={cursor}")).await.status,
        StatusCode::OK
    );
    for sort in ["name", "pulls", ""] {
        let other = get(&seeded, &format!("/api/v1/search?sort={sort}&limit=2&cursor={cursor}")).await;
        assert_eq!((other.status.as_u16(), &other.json()["error"]), (400, &json!("bad_request")), "{sort}");
    }
    let last = get(&seeded, &format!("/search?sort=stars&cursor={}", hex::encode("stars -9 did:plc:zzz zzz"))).await;
    assert_eq!(last.status, StatusCode::OK);
    assert!(text(&last.body).contains("There is nothing after this."), "{}", text(&last.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn suggestions_lead_to_pages() {
    let seeded = Seeded::new().await;
    let typed = get(&seeded, "/api/v1/search/suggestions?q=hel").await.json();
    assert_eq!(
        (&typed["items"][0]["name"], &typed["items"][0]["href"]),
        (&json!("hello"), &json!("/r/alice.test/hello"))
    );
    let typed = get(&seeded, "/api/v1/search/suggestions?q=alic").await.json();
    let hrefs: Vec<&str> =
        typed["items"].as_array().unwrap().iter().map(|item| item["href"].as_str().unwrap()).collect();
    assert!(hrefs.contains(&"/u/alice.test"), "{hrefs:?}");
    for odd in ["", "?q=", "?q=%00", &format!("?q={}", "a".repeat(10_000)), "?q=kind:chart"] {
        let answer = get(&seeded, &format!("/api/v1/search/suggestions{odd}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{odd}");
        assert!(answer.json()["items"].is_array());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_is_answered() {
    let seeded = Seeded::new().await;
    let long = "x%20".repeat(2_500);
    let many: String = (0..400).map(|n| format!("w{n}%20-v{n}%20")).collect();
    for query in [
        long.as_str(),
        many.as_str(),
        "%22%22%22",
        "-",
        "--a",
        "-%22%22",
        "owner:%25",
        "owner:did:plc:x%27;--",
        "%5C%5C%27%24%24",
        "license:%22MIT%20OR%20x%22",
        "updated:0d",
        "updated:99999999y",
        "updated:65535d",
        "kind:image%20-kind:image",
        "-owner:nobody.test",
        "%F0%9F%A6%80",
        "%E2%80%AEolleh",
        "a.b.c.d.e",
        "...",
        "%EF%BF%BF%F4%8F%BF%BF",
    ] {
        for path in ["/search?q=", "/api/v1/search?q="] {
            for sort in ["", "&sort=stars", "&sort=pulls", "&sort=newest", "&sort=name"] {
                let answer = get(&seeded, &format!("{path}{query}{sort}")).await;
                assert_eq!(answer.status, StatusCode::OK, "{path}{query}{sort}");
            }
        }
    }
    for broken in ["0", "25", "zz", "1000000000000", "7374617273", &"61".repeat(9_000)] {
        for path in ["/search?q=hello", "/search?q=", "/api/v1/search?q=hello"] {
            assert_eq!(
                get(&seeded, &format!("{path}&cursor={broken}")).await.status,
                StatusCode::BAD_REQUEST,
                "{path} {broken}"
            );
        }
    }
}
