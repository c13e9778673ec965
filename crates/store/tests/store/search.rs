//! What is found, in which order, and that search follows the index.

use store::{
    queries::{Cursor, SearchAsked, SearchPage},
    search,
};
use types::{
    Change, Collection, Hint,
    search::{Query, Sort},
};

use crate::harness::{ALICE, BOB, Index, delete, digest, id, manifest, page, put, rev, star, tag};

const HOLD: &str = "did:web:hold.example";

/// A manifest with a description of its own.
fn described(name: &str, content: u8, text: &str) -> serde_json::Value {
    let mut record = manifest(name, content);
    record["annotations"] = serde_json::json!({
        "org.opencontainers.image.description": text, "org.opencontainers.image.licenses": "MIT OR Apache-2.0"});
    record
}

pub async fn seeded() -> Index {
    let mut index = Index::new().await;
    let mut changes = Vec::new();
    for (n, (name, text)) in (1u8..).zip([
        ("hello", "Says hello"),
        ("hello-world", "A longer greeting"),
        ("postgres", "The database that has an elephant"),
        ("team/app", "Serves pages from postgres"),
        ("pgbackup", "Keeps the elephant safe"),
        ("testing", "Tries things out"),
    ]) {
        changes.push(put(1, id(ALICE, Collection::Manifest, &format!("m{n}")), &described(name, n, text)));
        changes.push(put(
            1,
            id(ALICE, Collection::Tag, &format!("t{n}")),
            &tag(ALICE, name, "latest", &format!("m{n}"), n),
        ));
    }
    changes.push(put(1, id(BOB, Collection::Manifest, "m"), &described("postgres", 9, "A fork")));
    changes.push(put(
        1,
        id(ALICE, Collection::Page, "hello"),
        &page("hello", "# hello\n\nWritten in assembly, with care."),
    ));
    changes.push(put(1, id(BOB, Collection::Star, "s"), &star(ALICE, "postgres", false)));
    index.apply(changes).await;
    let handles = "UPDATE actor SET handle = split_part(did, ':', 3) || '.test', handle_checked_at = now() WHERE did ~ '(alice|bob)$'";
    index.client.batch_execute(handles).await.unwrap();
    search::settle(&mut index.client).await.unwrap();
    index
}

pub async fn ask(index: &Index, query: &str, sort: Sort, cursor: Option<Cursor>, limit: usize) -> SearchPage {
    index.reader.search(&SearchAsked { query: Query::parse(query), sort, limit, cursor }).await.unwrap()
}

async fn found(index: &Index, query: &str) -> Vec<String> {
    let page = ask(index, query, Sort::Relevance, None, 50).await;
    assert_eq!((page.total, page.more), (page.items.len(), false), "{query}");
    page.items.into_iter().map(|item| format!("{}/{}", &item.owner.did[8..], item.name)).collect()
}

#[tokio::test]
async fn names_come_before_words_and_words_before_readmes() {
    let index = seeded().await;
    for (query, expected) in [
        ("hello", &["alice/hello", "alice/hello-world"][..]),
        ("HELLO", &["alice/hello", "alice/hello-world"]),
        ("helloworld", &["alice/hello-world"]),
        ("hello world", &["alice/hello-world"]),
        ("hello/world", &["alice/hello-world"]),
        // A star is worth something; the name is worth more than the text.
        ("postgres", &["alice/postgres", "bob/postgres", "alice/team/app"]),
        ("app", &["alice/team/app"]),
        ("h", &["alice/hello", "alice/hello-world"]),
        ("pg", &["alice/pgbackup"]),
        ("postg", &["alice/postgres", "bob/postgres"]),
        ("elephant", &["alice/pgbackup", "alice/postgres"]),
        ("assembly", &["alice/hello"]),
        // Misspelt.
        ("postgers", &["alice/postgres", "bob/postgres", "alice/team/app"]),
        ("hello wrold", &["alice/hello-world"]),
        ("elephent safe", &["alice/pgbackup"]),
        // Owners.
        ("bob", &["bob/postgres"]),
        ("alice.test team", &["alice/team/app"]),
        ("bob.test", &["bob/postgres"]),
        ("owner:bob", &["bob/postgres"]),
        ("owner:bob.test postgres", &["bob/postgres"]),
        ("did:plc:bob", &["bob/postgres"]),
        ("owner:bo", &[]),
        // Conditions.
        ("postgres -owner:bob", &["alice/postgres", "alice/team/app"]),
        ("postgres -fork", &["alice/postgres", "alice/team/app"]),
        ("\"the elephant\"", &["alice/pgbackup"]),
        ("\"an elephant\" license:mit", &["alice/postgres"]),
        ("-\"the elephant\" elephant", &["alice/postgres"]),
        ("kind:chart", &[]),
        ("is:public postgres", &[]),
        ("license:GPL-3.0", &[]),
        // Nothing.
        (
            "%",
            &[
                "alice/hello",
                "alice/hello-world",
                "alice/pgbackup",
                "alice/postgres",
                "alice/team/app",
                "alice/testing",
                "bob/postgres",
            ],
        ),
        ("zzzzqqqq", &[]),
        ("hello zzzzqqqq", &[]),
    ] {
        let mut names = found(&index, query).await;
        // Of equal ones the order is nobody's business here.
        if ["elephant", "%"].contains(&query) {
            names.sort();
        }
        assert_eq!(names, expected, "{query}");
    }
}

#[tokio::test]
async fn a_mistake_is_said() {
    let index = seeded().await;
    let page = ask(&index, "postgers", Sort::Relevance, None, 9).await;
    assert_eq!((page.corrections.len(), page.corrections[0].used), (1, true));
    assert_eq!(page.corrections[0].nearest, ["postgres"]);
    assert!(ask(&index, "postgres", Sort::Relevance, None, 9).await.corrections.is_empty());
    let typed = index.reader.suggestions("hel").await.unwrap();
    assert_eq!(typed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["hello", "hello-world"]);
    let typed = index.reader.suggestions("bo").await.unwrap();
    assert_eq!((typed[0].kind, typed[0].owner.as_str()), ("owner", "bob.test"));
}

/// Names with short parts, and words that are right though another one is near.
#[tokio::test]
async fn one_mistake_in_a_short_part_is_put_right() {
    let mut index = seeded().await;
    let mut changes = Vec::new();
    for (n, (name, text)) in (20u8..).zip([
        ("ferry-web", "Pages of a ferry"),
        ("ferry-tab", "Its timetable"),
        ("redis-tls", "With certificates"),
        ("node", "The current lts"),
        ("serve", "Serves a folder"),
        ("serves", "The same"),
        ("proxy", "A small server"),
        ("many-0777", "One of many"),
        ("many-0077", "Another one"),
    ]) {
        let mut record = described(name, n, text);
        record["annotations"]["org.opencontainers.image.licenses"] = "GPL-3.0-only".into();
        changes.push(put(1, id(BOB, Collection::Manifest, &format!("n{n}")), &record));
    }
    index.apply(changes).await;
    search::settle(&mut index.client).await.unwrap();
    for (query, expected, wrong, right) in [
        ("ferry-wab", &["bob/ferry-tab", "bob/ferry-web"][..], "wab", &["tab", "web"][..]),
        // Something has `lts`, but nothing has it together with `redis`.
        ("redis-lts", &["bob/redis-tls"], "lts", &["tls"]),
        ("tem/app", &["alice/team/app"], "tem", &["team"]),
        ("frery-web", &["bob/ferry-web"], "frery", &["ferry"]),
    ] {
        let page = ask(&index, query, Sort::Relevance, None, 9).await;
        let mut names = found(&index, query).await;
        names.sort();
        assert_eq!(names, expected, "{query}");
        let mut corrections = page.corrections;
        assert_eq!(corrections.len(), 1, "{query}: {corrections:?}");
        corrections[0].nearest.sort();
        assert_eq!((corrections[0].word.as_str(), corrections[0].used), (wrong, true), "{query}");
        assert_eq!(corrections[0].nearest, right, "{query}");
    }
    for right in ["server", "many-0777", "serve", "ferry-web", "lts", "many-0000"] {
        let page = ask(&index, right, Sort::Relevance, None, 9).await;
        assert_eq!(page.corrections, [], "{right}");
    }
    assert_eq!(found(&index, "license:GPL-3.0").await.len(), 9);
    assert_eq!(found(&index, "license:GPL-3.0-or-later").await, Vec::<String>::new());
}

#[tokio::test]
async fn what_nothing_meets_is_told_and_what_may_be_meant() {
    let index = seeded().await;
    let page = async |query: &str| ask(&index, query, Sort::Relevance, None, 9).await;
    assert_eq!(page("kind:wasm postgres zzzzqqqq").await.unmet, ["zzzzqqqq", "kind:wasm"]);
    assert_eq!(page("postgres assembly").await.unmet, Vec::<String>::new());
    for wrong in ["owner:alise", "owner:lalice.test", "owner:alic"] {
        let corrections = page(wrong).await.corrections;
        assert_eq!((corrections.len(), corrections[0].used), (1, false), "{wrong}");
        assert_eq!(corrections[0].nearest, ["owner:alice.test"], "{wrong}");
    }
    assert_eq!(page("alise").await.corrections[0].nearest, ["alice.test"]);
    assert_eq!(page("owner:nobody").await.corrections, []);
    assert_eq!(found(&index, "owner:@alice.test").await.len(), 6);
    let meant = page("mit image").await.meant;
    let meant: Vec<&str> = meant.iter().map(|meant| meant.condition.as_str()).collect();
    assert_eq!(meant, ["license:mit", "kind:image"]);
    let places = index.reader.repositories_with(&digest(9).parse().unwrap()).await.unwrap();
    let places: Vec<String> = places.iter().map(|(owner, name)| format!("{}/{name}", owner.name())).collect();
    assert_eq!(places, ["bob.test/postgres"]);
}

/// All that search knows, but for the numbers of its documents.
async fn knows(index: &Index) -> String {
    let mut text = String::new();
    for sql in [
        "SELECT concat_ws(' ', d.did, d.name, d.static, d.kind, d.platforms, d.licenses, d.flags, d.updated_at, k.keys)
         FROM search_doc d LEFT JOIN search_keys k ON k.doc = d.id",
        "SELECT concat_ws(' ', p.word, p.static, d.did, d.name) FROM search_posting p LEFT JOIN search_doc d ON d.id = p.doc",
        "SELECT w::text FROM search_word w",
        "SELECT s::text FROM search_spelling s",
        "SELECT s::text FROM search_dirty s",
    ] {
        let sql = format!("SELECT coalesce(string_agg(t, E'\\n' ORDER BY t COLLATE \"C\"), '') FROM ({sql}) t (t)");
        text += &index.client.query_one(&sql, &[]).await.unwrap().get::<_, String>(0);
        text += "\n--\n";
    }
    text
}

#[tokio::test]
async fn what_is_kept_is_what_would_be_made_anew() {
    let mut index = seeded().await;
    let scan = serde_json::json!({"manifest": format!("at://{ALICE}/io.atcr.manifest/m1"), "repository": "hello", "userDid": ALICE,
        "critical": 0, "high": 0, "medium": 0, "low": 0, "total": 0, "scannerVersion": "x", "status": "ok",
        "scannedAt": "2026-01-01T00:00:00Z"});
    let captain = serde_json::json!({"owner": ALICE, "public": true, "allowAllCrew": false, "deployedAt": "2026-01-01T00:00:00Z"});
    let scanned = digest(1).trim_start_matches("sha256:").to_owned();
    let steps: Vec<Vec<Change>> = vec![
        vec![put(2, id(BOB, Collection::Star, "s2"), &star(ALICE, "hello", false))],
        vec![put(2, id(HOLD, Collection::Captain, "self"), &captain)],
        vec![put(2, id(HOLD, Collection::Scan, &scanned), &scan)],
        vec![put(3, id(ALICE, Collection::Page, "hello"), &page("hello", "# hello\n\nWritten anew."))],
        vec![put(3, id(ALICE, Collection::Manifest, "m2"), &described("renamed", 2, "A longer greeting"))],
        vec![delete(4, id(ALICE, Collection::Manifest, "m5"))],
        vec![delete(4, id(HOLD, Collection::Scan, &scanned))],
        vec![Change::Look { did: BOB.parse().unwrap(), hint: Hint::Account { active: false } }],
        vec![Change::Purge { did: ALICE.parse().unwrap(), rev: rev(9) }],
    ];
    for (n, step) in steps.into_iter().enumerate() {
        let before = knows(&index).await;
        index.apply(step).await;
        search::settle(&mut index.client).await.unwrap();
        let kept = knows(&index).await;
        assert_ne!(before, kept, "step {n} changes something");
        search::build(&mut index.client).await.unwrap();
        assert_eq!(kept, knows(&index).await, "step {n}");
        assert!(!search::refresh(&mut index.client).await.unwrap());
    }
    assert!(!knows(&index).await.contains("alice"), "{}", knows(&index).await);
    assert!(knows(&index).await.contains(BOB), "hidden, and not gone");
    assert!(found(&index, "postgres").await.is_empty(), "hidden");
}

#[tokio::test]
async fn facts_become_facets() {
    let mut index = seeded().await;
    let captain = serde_json::json!({"owner": ALICE, "public": true, "allowAllCrew": false, "deployedAt": "2026-01-01T00:00:00Z"});
    let mut signature = manifest("hello", 7);
    signature["subject"] =
        serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(1), "size": 5});
    signature["config"]["mediaType"] = "application/vnd.dev.cosign.artifact.sig.v1+json".into();
    let mut chart = manifest("chart", 8);
    chart["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json".into();
    index
        .apply(vec![
            put(2, id(HOLD, Collection::Captain, "self"), &captain),
            put(2, id(ALICE, Collection::Manifest, "s"), &signature),
            put(2, id(ALICE, Collection::Manifest, "c"), &chart),
        ])
        .await;
    search::settle(&mut index.client).await.unwrap();
    assert_eq!(found(&index, "is:signed").await, ["alice/hello"]);
    assert_eq!(found(&index, "kind:chart").await, ["alice/chart"]);
    assert_eq!(found(&index, "is:public").await.len(), 8);
    let facets = ask(&index, "", Sort::Newest, None, 1).await.facets;
    let values = |facets: &[store::queries::Facet]| {
        facets.iter().map(|facet| format!("{} {}", facet.value, facet.count)).collect::<Vec<_>>()
    };
    assert_eq!(values(&facets.kind), ["image 7", "chart 1"]);
    assert_eq!(values(&facets.is), ["signed 1", "public 8"]);
    assert_eq!(values(&facets.license), ["Apache-2.0 7", "MIT 7"]);
}

/// A condition finds what its facet counted: a variant of an architecture is one of that architecture too.
#[tokio::test]
async fn a_facet_counts_what_its_condition_finds() {
    let mut index = seeded().await;
    let mut changes = Vec::new();
    for (n, (variant, license)) in
        (40u8..).zip([(None, "GPL-3.0"), (None, "gpl-3.0"), (Some("v8"), "GPL-3.0-only"), (Some("v9"), "GPL-3.0+")])
    {
        let mut platform = serde_json::json!({"os": "linux", "architecture": "arm64"});
        if let Some(variant) = variant {
            platform["variant"] = variant.into();
        }
        let record = serde_json::json!({"repository": format!("multi{n}"), "digest": digest(n), "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json", "createdAt": "2026-01-01T00:00:00Z",
            "annotations": {"org.opencontainers.image.licenses": license},
            "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(1), "size": 5,
                           "platform": platform}]});
        changes.push(put(2, id(BOB, Collection::Manifest, &format!("p{n}")), &record));
    }
    index.apply(changes).await;
    search::settle(&mut index.client).await.unwrap();
    let facets = ask(&index, "owner:bob", Sort::Relevance, None, 1).await.facets;
    let said: Vec<String> = facets.platform.iter().map(|facet| format!("{} {}", facet.value, facet.count)).collect();
    assert_eq!(said, ["linux/arm64 4", "linux/arm64/v8 1", "linux/arm64/v9 1"]);
    for (key, facets) in [("platform", &facets.platform), ("license", &facets.license)] {
        for facet in facets {
            let narrowed = ask(&index, &format!("owner:bob {key}:{}", facet.value), Sort::Relevance, None, 1).await;
            assert_eq!(narrowed.total, facet.count, "{key}:{}", facet.value);
        }
    }
}

/// An entry of the change log whose transaction ends after that of a later one.
#[tokio::test]
async fn a_late_commit_is_not_passed_over() {
    let mut index = seeded().await;
    index.client.batch_execute("UPDATE repository SET summary = 'Changed' WHERE name = 'hello'").await.unwrap();
    let slow = store::connect(index.database.url(), Some(1)).await.unwrap().client;
    let tell = format!("INSERT INTO change_log (generation, keys) VALUES (1, ARRAY['repository:{ALICE}/hello'])");
    slow.batch_execute(&format!("BEGIN; {tell}")).await.unwrap();
    index.apply(vec![put(5, id(BOB, Collection::Manifest, "m2"), &manifest("later", 2))]).await;
    search::settle(&mut index.client).await.unwrap();
    assert_eq!(found(&index, "later").await, ["bob/later"]);
    assert!(found(&index, "changed").await.is_empty());
    slow.batch_execute("COMMIT").await.unwrap();
    search::settle(&mut index.client).await.unwrap();
    assert_eq!(found(&index, "changed").await, ["alice/hello"]);
}

#[tokio::test]
async fn a_word_that_everything_has_is_cut_and_said() {
    let mut index = Index::new().await;
    let fill = "INSERT INTO repository (did, name, pullable, manifests, stars, summary)
                SELECT 'did:plc:alice', 'app-' || n, true, 1, n % 7, 'Runs on linux' FROM generate_series(1, 1200) n;
                INSERT INTO actor (did) VALUES ('did:plc:alice')";
    index.client.batch_execute(fill).await.unwrap();
    search::build(&mut index.client).await.unwrap();
    let page = ask(&index, "linux", Sort::Relevance, None, 25).await;
    assert_eq!((page.total, page.more, page.items.len()), (1000, true, 25));
    assert!(page.items.iter().all(|item| item.stars >= 4), "the best static scores come first");
    let page = ask(&index, "linux app-777", Sort::Relevance, None, 25).await;
    assert_eq!((page.total, page.more, page.items[0].name.as_str()), (1, false, "app-777"));
    let page = ask(&index, "", Sort::Stars, None, 25).await;
    assert_eq!((page.total, page.more), (1000, true));
}

/// Strangers' texts that no index would hold.
#[tokio::test]
async fn what_is_too_long_for_an_index_is_found_without_it() {
    let mut index = seeded().await;
    let noise: String = (0u8..100).map(|n| types::Digest::sha256(&[n]).hex().to_owned()).collect();
    let multi = serde_json::json!({"repository": "odd", "digest": digest(9), "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json", "createdAt": "2026-01-01T00:00:00Z",
        "annotations": {"org.opencontainers.image.description": noise, "org.opencontainers.image.licenses": noise},
        "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(1), "size": 5,
                       "platform": {"os": noise, "architecture": noise, "variant": noise}}]});
    let readme = page("odd", &format!("{noise} {}", "x ".repeat(20_000)));
    index
        .apply(vec![
            put(2, id(ALICE, Collection::Manifest, "odd"), &multi),
            put(2, id(ALICE, Collection::Page, "odd"), &readme),
        ])
        .await;
    search::settle(&mut index.client).await.unwrap();
    assert_eq!(found(&index, "odd").await, ["alice/odd"]);
}
