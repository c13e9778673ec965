use http::StatusCode;

use crate::{
    get,
    seed::{ALICE, FRANK, Seeded},
    text,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_served_and_clean() {
    let seeded = Seeded::new().await;
    let manifest = format!("/r/alice.test/hello/-/manifests/{}", seeded.hello);
    let index = format!("/r/alice.test/multi/-/manifests/{}", seeded.multi);
    for (path, says) in [
        ("/", "alice.test/hello"),
        ("/search?q=hello", "Results for “hello”"),
        ("/search", "Every repository"),
        ("/search?q=zzzz+qqqq", "No name, description, README or owner has “zzzz” or “qqqq”."),
        ("/r/alice.test/hello", "docker pull 127.0.0.1:5000/alice.test/hello:latest"),
        (
            "/r/alice.test/hello?client=podman&tag=v1",
            "podman pull --tls-verify=false 127.0.0.1:5000/alice.test/hello:v1",
        ),
        ("/r/alice.test/hello?tab=tags", "1.0.0"),
        ("/r/alice.test/hello?tab=tags&filter=nope", "No tag holds “nope”"),
        ("/r/erin.test/team/app", "Pulldockerpodman"),
        ("/r/erin.test/MyApp", "Not pullable: this name is not legal in an image reference"),
        ("/r/dave.test/legacy", "has not answered for 3 h"),
        ("/r/carol.test/private", "private: pulls need a sign-in"),
        ("/r/carol.test/private", "This hold is private: pulls need its owner's leave"),
        ("/r/bob.test/chart", "Helm charthelm pull --plain-http oci://127.0.0.1:5000/bob.test/chart --version 0.3.1"),
        (&manifest, "RUN apt-get update"),
        (&index, "linux/arm64"),
        ("/u/alice.test", ALICE),
        ("/u/alice.test?tab=stars", "hello"),
        ("/status", "What it reads"),
        ("/install", "ctr images pull --plain-http 127.0.0.1:5000"),
        ("/install", "nerdctl pull --insecure-registry 127.0.0.1:5000"),
        ("/install", "[host.\"http://127.0.0.1:5000\"]"),
        ("/about", "What you can check"),
        ("/privacy", "no cookie is set"),
        ("/terms", "127.0.0.1:5000"),
        ("/explore", "Most starred"),
        ("/new", "erin.test/team/app"),
        ("/holds", "down.testdown for 3 halice.test"),
        ("/holds/did:web:down.test", "has not answered for 3 h"),
        ("/holds/did:web:hold.test", "alice.test/hello"),
    ] {
        let answer = get(&seeded, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        answer.assert_clean(path);
        assert!(text(&answer.body).contains(says), "{path}: {}", text(&answer.body));
        assert!(answer.body.len() < 40_000, "{path} has {} bytes", answer.body.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let seeded = Seeded::new().await;
    let unknown = format!("sha256:{}", "0".repeat(64));
    for (path, status, says) in [
        ("/r/nobody.test/app".to_owned(), 404, "No account named nobody.test is in the index."),
        ("/u/nobody.test".to_owned(), 404, "No account named nobody.test is in the index."),
        ("/u/not%20a%20handle".to_owned(), 404, "No account named not a handle"),
        ("/r/alice.test/nope".to_owned(), 404, "alice.test has no repository named nope."),
        ("/r/alice.test/hello?tag=v9".to_owned(), 404, "alice.test/hello has no tag named v9."),
        ("/r/alice.test/hello?tag=..%2F..".to_owned(), 404, "alice.test/hello has no tag named ../..."),
        (format!("/r/alice.test/hello/-/manifests/{unknown}"), 404, "alice.test/hello has no manifest with the digest"),
        ("/r/alice.test/hello/-/manifests/latest".to_owned(), 400, "is not a digest"),
        ("/r/gone.test/hidden".to_owned(), 404, "its host calls it deactivated"),
        ("/u/gone.test".to_owned(), 404, "its host calls it deactivated"),
        ("/nowhere".to_owned(), 404, "There is no page at /nowhere."),
        ("/holds/did:web:nobody.test".to_owned(), 404, "No hold named did:web:nobody.test is in the index."),
        ("/holds/hold.test".to_owned(), 404, "No hold named hold.test is in the index."),
        ("/holds/did:web:hold.test?after=x".to_owned(), 400, "its cursor is not one of ours"),
        ("/holds/did:web:hold.test?after=x/%00".to_owned(), 400, "its cursor is not one of ours"),
        ("/holds?cursor=1000000000000".to_owned(), 400, "Lists end after 1,000 entries"),
        ("/new?after=x".to_owned(), 400, "its cursor is not one of ours"),
        ("/new?after=1/did:plc:a/%2500".to_owned(), 400, "its cursor is not one of ours"),
        ("/search?cursor=x".to_owned(), 400, "its cursor is not one of ours"),
        ("/search?cursor=-1".to_owned(), 400, "its cursor is not one of ours"),
        ("/search?cursor=1000000000000".to_owned(), 400, "its cursor is not one of ours"),
        ("/search?sort=best".to_owned(), 400, "This order is not one of ours"),
        ("/search?cursor=99999999999999999999999".to_owned(), 400, "its cursor is not one of ours"),
        ("/r/alice.test/hello?tab=tags&cursor=%00".to_owned(), 400, "its cursor is not one of ours"),
    ] {
        let answer = get(&seeded, &path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        answer.assert_clean(&path);
        assert!(text(&answer.body).contains(says), "{path}: {}", text(&answer.body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_take_handles_and_dids_and_end_at_the_handle() {
    let seeded = Seeded::new().await;
    let manifest = format!("hello/-/manifests/{}", seeded.hello);
    for (from, to) in [
        (format!("/u/{ALICE}"), "/u/alice.test".to_owned()),
        ("/u/Alice.TEST?tab=stars".to_owned(), "/u/alice.test?tab=stars".to_owned()),
        (format!("/r/{ALICE}/hello?tab=tags"), "/r/alice.test/hello?tab=tags".to_owned()),
        (format!("/r/did_plc_{}/{manifest}", &ALICE[8..]), format!("/r/alice.test/{manifest}")),
        ("/r/alice.test".to_owned(), "/u/alice.test".to_owned()),
        ("/r/alice.test/".to_owned(), "/u/alice.test".to_owned()),
    ] {
        let answer = get(&seeded, &from).await;
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{from}");
        assert_eq!(answer.location(), to, "{from}");
    }
    let without_handle = get(&seeded, &format!("/r/{FRANK}/tool")).await;
    assert_eq!(without_handle.status, StatusCode::OK);
    assert!(text(&without_handle.body).contains(&format!("127.0.0.1:5000/did_plc_{}/tool:latest", &FRANK[8..])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_pull_reference_leads_to_its_page() {
    let seeded = Seeded::new().await;
    let manifest = format!("/r/alice.test/hello/-/manifests/{}", seeded.hello);
    for (from, to) in [
        ("/alice.test/hello".to_owned(), "/r/alice.test/hello".to_owned()),
        ("/erin.test/team/app:edge".to_owned(), "/r/erin.test/team/app?tag=edge".to_owned()),
        (format!("/alice.test/hello@{}", seeded.hello), manifest),
        (format!("/{ALICE}/hello"), format!("/r/{ALICE}/hello")),
    ] {
        let answer = get(&seeded, &from).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (308, to.as_str()), "{from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_where_it_comes_from_and_what_was_published_about_it() {
    let seeded = Seeded::new().await;
    let page = text(&get(&seeded, "/r/alice.test/hello").await.body);
    assert!(page.contains(&format!("at://{ALICE}/io.atcr.manifest/{}", seeded.hello.hex())), "{page}");
    assert!(page.contains("bafyrei") && page.contains("hash to its digest"), "{page}");
    assert!(page.contains("How checked") && page.contains("The record hashes to its CID."), "{page}");
    let api = format!("/api/v1/repositories/alice.test/hello/manifests/{}", seeded.hello);
    let json: serde_json::Value = serde_json::from_str(&get(&seeded, &api).await.body).unwrap();
    assert_eq!(json["record"]["verification"], "cid-checked");
    let repository = get(&seeded, "/api/v1/repositories/bob.test/signed").await.json();
    let digest = repository["latest_digest"].as_str().unwrap();
    let manifest = text(&get(&seeded, &format!("/r/bob.test/signed/-/manifests/{digest}")).await.body);
    assert!(manifest.contains("Published about itSignature by cosign"), "{manifest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_fresh_index_fills_pages_say_how_far_it_is() {
    let seeded = Seeded::new().await;
    let insert = "INSERT INTO backfill (total, done) VALUES (4200, 1234)";
    seeded.client.execute(insert, &[]).await.unwrap();
    for path in ["/", "/search?q=x", "/r/alice.test/nope"] {
        let page = text(&get(&seeded, path).await.body);
        assert!(page.contains("The index is filling: 1,234 of 4,200 accounts read."), "{path}: {page}");
    }
    seeded.client.execute("UPDATE backfill SET finished_at = now()", &[]).await.unwrap();
    assert!(!text(&get(&seeded, "/").await.body).contains("is filling"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_cannot_be_read_is_our_fault_and_said() {
    let seeded = Seeded::new().await;
    seeded.client.batch_execute("ALTER TABLE repository RENAME TO elsewhere").await.unwrap();
    let answer = get(&seeded, "/r/alice.test/hello").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    answer.assert_clean("/r/alice.test/hello");
    assert!(text(&answer.body).contains("Something broke on our side"));
    assert!(!answer.body.contains("repository r"), "no SQL for strangers");
    let answer = get(&seeded, "/api/v1/search?q=x").await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"].as_str()), (500, Some("internal")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cosign_tags_comes_after_the_tags_of_people() {
    let seeded = Seeded::new().await;
    let tags = get(&seeded, "/api/v1/repositories/bob.test/signed/tags").await.json();
    let names: Vec<_> = tags["items"].as_array().unwrap().iter().map(|tag| tag["tag"].as_str().unwrap()).collect();
    assert!(names.len() == 2 && names[0] == "latest" && names[1].ends_with(".sig"), "{names:?}");
    let page = get(&seeded, "/r/bob.test/signed?tab=tags").await.body;
    assert!(page.contains(&format!("title=\"{}\"", names[1])), "{page}");
}
