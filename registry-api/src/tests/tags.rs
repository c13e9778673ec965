use serde_json::{Value, json};
use types::Digest;

use super::app::{App, Image, tag_path, tag_record};

#[tokio::test]
async fn pages_are_linked_in_ascii_order() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "team/app", "v1").await;
    for tag in ["Z", "a", "v10", "v2"] {
        app.index(&alice, &tag_path("team/app", tag), &tag_record(&alice, "team/app", tag, &image)).await;
    }
    let all = app.get("/v2/alice.test/team/app/tags/list").await;
    assert_eq!(all.json(), json!({ "name": "alice.test/team/app", "tags": ["Z", "a", "v1", "v10", "v2"] }));
    assert_eq!((all.header("content-type"), all.header("link")), ("application/json", ""));

    let (mut path, mut pages) = ("/v2/alice.test/team/app/tags/list?n=2".to_owned(), Vec::<Value>::new());
    loop {
        let page = app.get(&path).await;
        pages.push(page.json()["tags"].clone());
        let link = page.header("link");
        if link.is_empty() {
            break;
        }
        path = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap().to_owned();
    }
    assert_eq!(json!(pages), json!([["Z", "a"], ["v1", "v10"], ["v2"]]));

    let tags = async |query: &str| app.get(&format!("/v2/alice.test/team/app/tags/list?{query}")).await;
    assert_eq!(tags("last=v1").await.json()["tags"], json!(["v10", "v2"]));
    assert_eq!(tags("n=5").await.header("link"), "", "there is nothing after the last page");
    assert_eq!(tags("n=99999999").await.json()["tags"].as_array().unwrap().len(), 5);
    let none = tags("n=0").await;
    assert_eq!((&none.json()["tags"], none.header("link")), (&json!([]), ""));
    assert_eq!(tags("last=%00zzz").await.json()["tags"], json!([]));
    for odd in ["n=-1", "n=x", "n=", "n=99999999999999999999999"] {
        tags(odd).await.refusal(400, "PAGINATION_NUMBER_INVALID");
    }
    app.get("/v2/alice.test/nothing/tags/list?n=0").await.refusal(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn referrers_are_an_index_and_empty_when_there_are_none() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    let subject =
        json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1, "digest": image.digest });
    let sbom = Image::of(
        "sbom",
        json!({ "subject": subject, "artifactType": "application/spdx+json", "annotations": { "a": "b" } }),
    );
    let signature = Image::of("signature", json!({ "subject": subject }));
    for referrer in [&sbom, &signature] {
        app.index(&alice, &referrer.path(), &referrer.record("app", &app.network.hold())).await;
        app.keep(&referrer.bytes).await;
    }
    let path = format!("/v2/alice.test/app/referrers/{}", image.digest);
    let all = app.get(&path).await;
    assert_eq!(all.header("content-type"), "application/vnd.oci.image.index.v1+json");
    assert_eq!((&all.json()["schemaVersion"], all.json()["manifests"].as_array().unwrap().len()), (&json!(2), 2));
    assert_eq!(all.header("oci-filters-applied"), "");
    let some = app.get(&format!("{path}?artifactType=application%2Fspdx%2Bjson")).await;
    assert_eq!(some.header("oci-filters-applied"), "artifactType");
    assert_eq!(
        some.json()["manifests"],
        json!([{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": sbom.digest, "size": sbom.bytes.len(),
                 "artifactType": "application/spdx+json", "annotations": { "a": "b" } }])
    );
    // Without an artifactType the configuration's media type stands in.
    let config = app.get(&format!("{path}?artifactType=application/vnd.oci.image.config.v1%2Bjson")).await;
    assert_eq!(config.json()["manifests"][0]["digest"], json!(signature.digest));
    for nothing in
        [format!("/v2/alice.test/app/referrers/{}", Digest::sha256(b"none")), path.replace("/app/", "/none/")]
    {
        let answer = app.get(&nothing).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["manifests"]), (200, &json!([])));
    }
}

#[tokio::test]
async fn the_catalog_lists_what_can_be_pulled_page_by_page() {
    let app = App::start().await;
    assert_eq!(app.get("/v2/_catalog").await.json(), json!({ "repositories": [] }));
    for name in ["bob", "alice"] {
        let did = app.account(name).await;
        for repository in ["b", "a/c", "a"] {
            app.image(&did, repository, "v1").await;
        }
    }
    let hidden = app.account("carol").await;
    app.image(&hidden, "app", "v1").await;
    app.see(&hidden, "carol", false).await;
    let names = ["alice.test/a", "alice.test/a/c", "alice.test/b", "bob.test/a", "bob.test/a/c", "bob.test/b"];
    let (mut path, mut found) = ("/v2/_catalog?n=4".to_owned(), Vec::<String>::new());
    loop {
        let page = app.get(&path).await;
        found.extend(serde_json::from_value::<Vec<String>>(page.json()["repositories"].clone()).unwrap());
        let link = page.header("link");
        if link.is_empty() {
            break;
        }
        path = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap().to_owned();
    }
    assert_eq!(found, names);
    assert_eq!(app.get("/v2/_catalog?last=alice.test").await.json()["repositories"], json!(names));
    assert_eq!(app.get("/v2/_catalog?n=0").await.json()["repositories"], json!([]));
    app.get("/v2/_catalog?n=x").await.refusal(400, "PAGINATION_NUMBER_INVALID");
}

#[tokio::test]
async fn what_a_client_keeps_under_the_referrers_tag_is_a_referrer() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    let attached = Image::new("attached");
    app.index(&alice, &attached.path(), &attached.record("app", &app.network.hold())).await;
    app.keep(&attached.bytes).await;
    let index = Image::of(
        "index",
        json!({ "mediaType": "application/vnd.oci.image.index.v1+json", "layers": null, "config": null, "manifests": [
            { "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": attached.bytes.len(), "digest": attached.digest }] }),
    );
    let mut record = index.record("app", &app.network.hold());
    record["mediaType"] = json!("application/vnd.oci.image.index.v1+json");
    app.index(&alice, &index.path(), &record).await;
    app.keep(&index.bytes).await;
    let path = format!("/v2/alice.test/app/referrers/{}", image.digest);
    assert_eq!(app.get(&path).await.json()["manifests"], json!([]));
    let tag = image.digest.as_str().replace(':', "-");
    app.index(&alice, &tag_path("app", &tag), &tag_record(&alice, "app", &tag, &index)).await;
    let listed = app.get(&path).await.json();
    let digests: Vec<&str> =
        listed["manifests"].as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap()).collect();
    assert_eq!(digests, [attached.digest.as_str()]);
}
