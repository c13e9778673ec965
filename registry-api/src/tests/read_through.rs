use std::{sync::Arc, time::Instant};

use outbound::proof;
use serde_json::json;
use store::archive;
use tokio::task::JoinSet;
use types::{Did, Form, RecordId, Tid};

use super::app::{App, Image, tag_path, tag_record};
use super::{network::SEED, repo::did_key};

/// Publishes an image on a PDS of which the index has heard nothing.
fn publish(app: &App, did: &str, handle: &str, repository: &str, tag: &str) -> Image {
    let did: Did = did.parse().unwrap();
    let image = Image::new(&format!("{did}/{repository}:{tag}"));
    app.network.account(&did, handle);
    app.network.publish(&did, &image.path(), &image.record(repository, &app.network.hold()));
    app.network.publish(&did, &tag_path(repository, tag), &tag_record(&did, repository, tag, &image));
    app.network.with(|state| state.blobs.insert(image.cid().to_string(), image.bytes.clone()));
    image
}

#[tokio::test]
async fn what_is_not_indexed_is_found_proved_and_indexed() {
    let app = App::start().await;
    for (did, handle, path) in [
        ("did:plc:new", "new.test", "/v2/new.test/team/app/manifests/v1"),
        ("did:plc:newer", "newer.test", "/v2/did_plc_newer/team/app/manifests/v1"),
    ] {
        let image = publish(&app, did, handle, "team/app", "v1");
        let answer = app.get(path).await;
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &image.bytes), "{path}");
        assert_eq!(app.network.asked("listRecords"), 0, "atcr.io's key was guessed");
    }
    let tags = app.get("/v2/new.test/team/app/tags/list").await;
    assert_eq!(tags.json()["tags"], json!(["v1"]), "it is in the index now");
    let blob = Image::new("did:plc:new/team/app:v1").layer;
    assert_eq!(app.get(&format!("/v2/new.test/team/app/blobs/{blob}")).await.status, 307);
}

#[tokio::test]
async fn the_proofs_are_archived_as_they_came() {
    let app = App::start().await;
    let image = publish(&app, "did:plc:new", "new.test", "app", "v1");
    assert_eq!(app.get("/v2/new.test/app/manifests/v1").await.status, 200);
    let found = app.archived().await;
    let collections: Vec<&str> = found.iter().map(|found| found.entry.parts[0].collection.unwrap().as_str()).collect();
    assert_eq!(collections, ["io.atcr.manifest", "io.atcr.tag"]);
    for archive::Found { origin, entry, .. } in found {
        assert_eq!((origin.as_str(), entry.form), ("read-through", Some(Form::Proof)));
        let part = &entry.parts[0];
        let (collection, rkey) = (part.collection.unwrap(), part.rkey.clone().unwrap());
        let id = RecordId { did: "did:plc:new".parse().unwrap(), collection, rkey };
        let proof = proof::check(&entry.raw, &id, Some(&did_key(SEED))).unwrap();
        let proof::Proof::Present { rev, cid, .. } = proof else { panic!("{id} is absent") };
        assert_eq!((Some(rev), Some(cid), part.verdict.as_str()), (part.rev, part.cid, "applied"));
    }
    assert_eq!(app.get(&format!("/v2/new.test/app/manifests/{}", image.digest)).await.status, 200);
}

#[tokio::test]
async fn a_digest_and_a_tag_under_another_key() {
    let app = App::start().await;
    let did: Did = "did:plc:new".parse().unwrap();
    let image = publish(&app, did.as_str(), "new.test", "app", "v1");
    let answer = app.get(&format!("/v2/new.test/app/manifests/{}", image.digest)).await;
    assert_eq!(answer.body, image.bytes);
    // Under keys of another writer, behind other tags, and twice: the newer counts.
    let odd = Image::new("odd");
    let mut record = odd.record("odd", &app.network.hold());
    record["digest"] = json!(odd.digest);
    app.network.publish(&did, "io.atcr.manifest/3jzfcijpj2z2a", &record);
    for (rkey, time) in [("3jzfcijpj2z2b", "2026-02-02T00:00:00Z"), ("3jzfcijpj2z2c", "2025-01-01T00:00:00Z")] {
        let tag = json!({ "$type": "io.atcr.tag", "repository": "odd", "tag": "v1", "updatedAt": time,
                          "manifest": format!("at://{did}/io.atcr.manifest/{}", if time < "2026" { "gone" } else { "3jzfcijpj2z2a" }) });
        app.network.publish(&did, &format!("io.atcr.tag/{rkey}"), &tag);
    }
    app.network.with(|state| state.blobs.insert(odd.cid().to_string(), odd.bytes.clone()));
    let answer = app.get("/v2/new.test/odd/manifests/v1").await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, odd.bytes));
}

#[tokio::test]
async fn those_who_come_together_send_one_errand() {
    let app = App::start().await;
    publish(&app, "did:plc:new", "new.test", "app", "v1");
    let path = "/v2/new.test/app/manifests/v1";
    let answers = tokio::join!(app.get(path), app.get(path), app.get(path), app.head(path));
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(app.network.asked("sync.getRecord"), 2, "the tag and the manifest, once each");
}

#[tokio::test]
async fn what_is_not_there_is_remembered_for_seconds() {
    let app = App::start().await;
    publish(&app, "did:plc:new", "new.test", "app", "v1");
    let path = "/v2/new.test/app/manifests/v2";
    let absent = app.get(path).await.refusal(404, "NAME_UNKNOWN");
    assert_eq!(absent, "new.test has no repository app", "nothing of it is indexed");
    let asked = app.network.asked("");
    app.get(path).await.refusal(404, "NAME_UNKNOWN");
    // The handle is looked up again only if the first look-up was not remembered either.
    assert_eq!(app.network.asked(""), asked);
}

#[tokio::test]
async fn forged_proofs_are_refused_and_index_nothing() {
    let app = App::start().await;
    publish(&app, "did:plc:new", "new.test", "app", "v1");
    app.network.with(|state| state.forges = true);
    let answer = app.get("/v2/new.test/app/manifests/v1").await;
    assert!(answer.refusal(502, "UNKNOWN").contains("no valid proof"));
    assert!(!app.has("did:plc:new", "app").await);
}

#[tokio::test]
async fn what_the_pds_says_of_the_account_is_passed_on() {
    let app = App::start().await;
    publish(&app, "did:plc:new", "new.test", "app", "v1");
    app.network.with(|state| state.pds_refuses = Some("RepoTakendown"));
    let gone = app.get("/v2/new.test/app/manifests/v1").await.refusal(404, "NAME_UNKNOWN");
    assert_eq!(gone, "the account did:plc:new is taken down");
    app.network.with(|state| (state.pds_refuses, state.pds_down) = (None, true));
    let down = app.get("/v2/new.test/app/manifests/v2").await;
    assert!(down.refusal(503, "UNKNOWN").contains("PDS 127.0.0.1"));
}

#[tokio::test]
async fn without_an_indexer_the_client_is_told_to_come_back() {
    let app = App::start().await;
    publish(&app, "did:plc:new", "new.test", "app", "v1");
    app.stop_indexing();
    let began = Instant::now();
    let answer = app.get("/v2/new.test/app/manifests/v1").await;
    assert!(answer.refusal(503, "UNKNOWN").contains("not indexed yet"));
    assert!(began.elapsed() >= app.registry.config.patience.index);
}

/// Owners delete manifests and keep the tags.
#[tokio::test]
async fn a_tag_without_its_manifest_is_unknown() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let kept = app.image(&alice, "app", "kept").await;
    let gone = Image::new("gone");
    let digest = json!({ "$type": "io.atcr.tag", "repository": "app", "tag": "digest", "manifestDigest": gone.digest,
                         "updatedAt": "2026-01-10T12:00:00Z" });
    let by_key = tag_record(&alice, "app", "key", &gone);
    for (tag, record) in [("key", &by_key), ("digest", &digest)] {
        app.network.publish(&alice, &tag_path("app", tag), record);
        let path = format!("/v2/alice.test/app/manifests/{tag}");
        let unknown = app.get(&path).await.refusal(404, "MANIFEST_UNKNOWN");
        assert_eq!(unknown, format!("alice.test/app has no tag {tag}"));
        assert_eq!(app.head(&path).await.status, 404);
    }
    let indexed = tag_record(&alice, "app", "indexed", &gone);
    app.network.publish(&alice, &tag_path("app", "indexed"), &indexed);
    app.index(&alice, &tag_path("app", "indexed"), &indexed).await;
    app.get("/v2/alice.test/app/manifests/indexed").await.refusal(404, "MANIFEST_UNKNOWN");
    // A manifest that the index has is enough.
    app.network.publish(&alice, &tag_path("app", "new"), &tag_record(&alice, "app", "new", &kept));
    assert_eq!(app.get("/v2/alice.test/app/manifests/new").await.body, kept.bytes);
}

/// A tombstone stands for what the stream has told so far.
#[tokio::test]
async fn what_was_deleted_and_created_again_is_found() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    app.image(&alice, "app", "kept").await;
    for path in [tag_path("app", "v1"), image.path()] {
        app.delete(&alice, &path).await;
    }
    publish(&app, alice.as_str(), "alice.test", "app", "v1");
    let by_digest = format!("/v2/alice.test/app/manifests/{}", image.digest);
    // A copy of the PDS that has not heard of the deletions.
    app.network.with(|state| state.rev = Some(Tid::from_micros(1_600_000_000_000_000, 0)));
    app.get("/v2/alice.test/app/manifests/v1").await.refusal(404, "MANIFEST_UNKNOWN");
    assert_eq!(app.head(&by_digest).await.status, 404);
    app.network.with(|state| state.rev = None);
    // Under another name, as what was absent is remembered for seconds.
    let again = app.image(&alice, "again", "v2").await;
    for path in [tag_path("again", "v2"), again.path()] {
        app.delete(&alice, &path).await;
    }
    publish(&app, alice.as_str(), "alice.test", "again", "v2");
    let answer = app.get("/v2/alice.test/again/manifests/v2").await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, again.bytes));
}

/// It would win over every true revision to come.
#[tokio::test]
async fn a_revision_from_the_future_is_refused_and_indexes_nothing() {
    let app = App::start().await;
    publish(&app, "did:plc:new", "new.test", "app", "v1");
    let now = chrono::Utc::now().timestamp_micros().unsigned_abs();
    app.network.with(|state| state.rev = Some(Tid::from_micros(now + 600_000_000, 0)));
    let answer = app.get("/v2/new.test/app/manifests/v1").await;
    assert!(answer.refusal(502, "UNKNOWN").contains("no valid proof"));
    assert!(!app.has("did:plc:new", "app").await);
}

#[tokio::test]
async fn handles_that_stall_hold_up_nobody_s_pull() {
    let app = Arc::new(App::start().await);
    let alice = app.account("alice").await;
    let image = publish(&app, alice.as_str(), "alice.test", "app", "v1");
    app.network.with(|state| state.stalls = Some("stalls.test"));
    let mut stalled = JoinSet::new();
    for n in 0..200 {
        let app = app.clone();
        stalled.spawn(async move { app.get(&format!("/v2/u{n}.stalls.test/app/manifests/v1")).await });
    }
    while app.network.asked("stalls.test") < 16 {
        tokio::task::yield_now().await;
    }
    assert_eq!(app.get("/v2/alice.test/app/manifests/v1").await.body, image.bytes);
    let answer = stalled.join_next().await.unwrap().unwrap();
    let message = answer.refusal(503, "UNKNOWN");
    assert!(message.ends_with(".stalls.test cannot be looked up at the moment"), "{message}");
    stalled.shutdown().await;
}

#[tokio::test]
async fn the_tags_of_an_owner_who_was_never_read_are_told_when_all_are_known() {
    let app = App::start().await;
    let did: Did = "did:plc:new".parse().unwrap();
    let image = publish(&app, did.as_str(), "new.test", "app", "v1");
    let answer = app.get("/v2/new.test/app/tags/list").await;
    assert!(answer.refusal(503, "UNKNOWN").contains("for the first time"));
    assert_eq!((answer.header("retry-after"), app.reads(&did).await), ("5", true));
    assert!(!app.reads(&"did:plc:other".parse().unwrap()).await);
    // As the indexer does it.
    for (path, record) in [
        (image.path(), image.record("app", &app.network.hold())),
        (tag_path("app", "v1"), tag_record(&did, "app", "v1", &image)),
    ] {
        app.index(&did, &path, &record).await;
    }
    app.read_whole(&did, &[&image.path(), &tag_path("app", "v1")]).await;
    assert_eq!(app.get("/v2/new.test/app/tags/list").await.json()["tags"], json!(["v1"]));
    let asked = app.network.asked("listRecords");
    app.get("/v2/new.test/none/tags/list").await.refusal(404, "NAME_UNKNOWN");
    assert_eq!(app.network.asked("listRecords"), asked, "all that there is was read");
}

#[tokio::test]
async fn an_owner_who_has_no_such_repository_is_not_read() {
    let app = App::start().await;
    let did: Did = "did:plc:new".parse().unwrap();
    publish(&app, did.as_str(), "new.test", "app", "v1");
    app.get("/v2/new.test/other/tags/list").await.refusal(404, "NAME_UNKNOWN");
    assert!(!app.reads(&did).await);
    // What a pull found is not all that there is.
    assert_eq!(app.get("/v2/new.test/app/manifests/v1").await.status, 200);
    assert!(app.reads(&did).await);
}

/// A copy of the PDS that lags behind what was read whole.
#[tokio::test]
async fn what_a_complete_reading_did_not_hold_is_gone() {
    let app = App::start().await;
    let alice = app.account("alice").await;
    app.image(&alice, "app", "kept").await;
    publish(&app, alice.as_str(), "alice.test", "app", "v1");
    app.read_whole(&alice, &[]).await;
    app.network.with(|state| state.rev = Some(Tid::from_micros(1_750_000_000_000_000, 0)));
    let began = Instant::now();
    app.get("/v2/alice.test/app/manifests/v1").await.refusal(404, "NAME_UNKNOWN");
    assert!(began.elapsed() < app.registry.config.patience.index, "nobody waits for what the writer refuses");
}
