use crate::{
    get,
    seed::{ATTACK, MALLORY, Seeded},
    text,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_wrote_is_never_markup() {
    let seeded = Seeded::new().await;
    let name = "%3Cscript%3Ealert%281%29%3C%7Cscript%3E%22%27%3E%3Cimg%20src=x%20onerror=alert%282%29%3E";
    let repositories = get(&seeded, "/api/v1/users/mallory.test").await.json();
    let names: Vec<&str> =
        repositories["repositories"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert!(names.contains(&ATTACK.replace('/', "|").as_str()), "{names:?}");
    let single = get(&seeded, &format!("/api/v1/repositories/mallory.test/{name}")).await.json();
    let digest = single["latest_digest"].as_str().unwrap().to_owned();
    let attack = url_encoded(ATTACK);
    for path in [
        "/".to_owned(),
        "/u/mallory.test".to_owned(),
        format!("/r/mallory.test/{name}"),
        format!("/r/mallory.test/{name}?tab=tags&filter={attack}"),
        format!("/r/mallory.test/{name}?client={attack}"),
        format!("/r/mallory.test/{name}?tag={attack}"),
        format!("/r/mallory.test/{name}/-/manifests/{digest}"),
        format!("/r/mallory.test/{name}/-/manifests/{attack}"),
        format!("/r/{attack}/app"),
        format!("/u/{attack}"),
        format!("/search?q={attack}"),
        format!("/search?cursor={attack}"),
        format!("/{attack}"),
        "/search?q=mallory".to_owned(),
    ] {
        let answer = get(&seeded, &path).await;
        assert!(answer.status.as_u16() < 500, "{path}: {}", answer.status);
        answer.assert_clean(&path);
        for bad in ["<script>", "<img", "href=\"javascript", "<svg onload"] {
            assert!(!answer.body.contains(bad), "{path}: {bad}");
        }
    }
    let page = text(&get(&seeded, &format!("/r/mallory.test/{name}")).await.body);
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    assert!(page.contains("javascript:alert(1)"), "the source is shown, not linked: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_cannot_turn_the_text_around() {
    let seeded = Seeded::new().await;
    for path in ["/u/mallory.test".to_owned(), "/search?q=mallory".to_owned(), format!("/r/{MALLORY}/%E2%80%AEolleh")] {
        assert!(!get(&seeded, &path).await.body.contains('\u{202e}'), "{path}");
    }
    let page = get(&seeded, "/r/mallory.test/%E2%80%AEolleh").await;
    assert_eq!(page.status.as_u16(), 200);
    assert!(page.body.contains("\u{fffd}olleh") && page.body.contains("%E2%80%AEolleh"));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_and_odd_requests_are_answered() {
    let seeded = Seeded::new().await;
    let long = "a".repeat(10_000);
    for (path, status) in [
        (format!("/search?q={long}"), 200),
        (format!("/search?q={}", "%20x".repeat(2_500)), 200),
        (format!("/search?q={}", "%25_%5C".repeat(1_000)), 200),
        ("/search?q=%00%01%FF".to_owned(), 200),
        ("/search?q=a&q=b&&=&%".to_owned(), 200),
        (format!("/api/v1/search?q={long}"), 200),
        ("/api/v1/search?q=%00%FF".to_owned(), 200),
        (format!("/r/alice.test/{long}"), 404),
        (format!("/u/{long}"), 404),
        (format!("/{long}"), 404),
        ("/r/alice.test/a%00b".to_owned(), 404),
        ("/r/alice.test/%2E%2E/%2E%2E/etc".to_owned(), 404),
        ("/r/%FF%FE/app".to_owned(), 404),
        ("/r//hello".to_owned(), 404),
        ("//alice.test/hello".to_owned(), 404),
        (format!("/r/alice.test/hello?tag={long}"), 404),
        (format!("/r/alice.test/hello?tab=tags&filter={long}"), 200),
        ("/r/alice.test/hello?tab=tags&filter=%00".to_owned(), 200),
        ("/r/alice.test/hello?tab=nonsense&client=nonsense".to_owned(), 200),
    ] {
        let answer = get(&seeded, &path).await;
        let shown: String = path.chars().take(60).collect();
        assert_eq!(answer.status.as_u16(), status, "{shown}");
        assert!(answer.body.len() < 60_000, "{shown} has {} bytes", answer.body.len());
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
