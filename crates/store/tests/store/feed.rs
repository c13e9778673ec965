//! Lists that nobody searched for: the newest, what is featured, holds, and how many of everything.

use serde_json::{Value, json};
use store::queries::Place;
use types::Collection;

use crate::harness::{ALICE, BOB, Index, id, manifest, put, star};

/// Repositories of alice, each pushed a day before the one before; two at the same time.
async fn seeded() -> Index {
    let mut index = Index::new().await;
    let push = |name: &str, n: u8, at: &str| {
        let mut record = manifest(name, n);
        record["createdAt"] = json!(at);
        record["holdDid"] = json!(format!("did:web:hold{}.example", n % 2));
        put(1, id(ALICE, Collection::Manifest, &format!("m{n}")), &record)
    };
    let days = ["2026-01-09", "2026-01-08", "2026-01-08", "2026-01-07", "2026-01-01"];
    let pushes = (1u8..).zip(days).map(|(n, day)| push(&format!("r{n}"), n, &format!("{day}T12:00:00Z"))).collect();
    index.apply(pushes).await;
    index
}

#[tokio::test]
async fn the_newest_are_paged_by_place_whatever_comes_meanwhile() {
    let mut index = seeded().await;
    let mut names = Vec::new();
    let mut after: Option<Place> = None;
    loop {
        let page = index.reader.newest(after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last().and_then(Place::of) else { break };
        names.extend(page.iter().map(|item| item.name.clone()));
        after = Some(last);
        let mut newer = manifest(&format!("new{}", names.len()), 100 + names.len() as u8);
        newer["createdAt"] = json!("2026-02-01T12:00:00Z");
        index.apply(vec![put(1, id(ALICE, Collection::Manifest, &format!("x{}", names.len())), &newer)]).await;
    }
    assert_eq!(names, ["r1", "r2", "r3", "r4", "r5"]);
    let places = index.reader.newest_places(100).await.unwrap();
    let newer = async |than: &Place, most| {
        let items = index.reader.newer(than, most).await.unwrap();
        items.into_iter().map(|item| item.name).collect::<Vec<_>>()
    };
    let at = |name: &str| places.iter().find(|place| place.name == name).unwrap();
    assert_eq!(newer(at("r2"), 100).await, ["new2", "new4", "new5", "r1"]);
    assert_eq!(newer(at("r3"), 100).await, ["new2", "new4", "new5", "r1", "r2"]);
    assert_eq!(newer(at("r5"), 2).await, ["new2", "new4"], "the newest of them");
    let before = index.reader.newest_before(at("r5"), 3).await.unwrap();
    assert_eq!(
        before.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(),
        ["r2", "r3", "r4"],
        "the next of them"
    );
}

#[tokio::test]
async fn stars_fade_with_age() {
    let mut index = Index::new().await;
    let days_ago = |days: i64| json!((chrono::Utc::now() - chrono::TimeDelta::days(days)).to_rfc3339());
    let mut changes = Vec::new();
    for (n, (name, days)) in (1u8..).zip([("old", 720), ("young", 1), ("unstarred", 1)]) {
        let mut record = manifest(name, n);
        record["createdAt"] = days_ago(days);
        changes.push(put(1, id(ALICE, Collection::Manifest, &format!("m{n}")), &record));
    }
    for giver in [ALICE, BOB, "did:plc:carol"] {
        changes.push(put(1, id(giver, Collection::Star, "s1"), &star(ALICE, "old", false)));
    }
    changes.push(put(1, id(BOB, Collection::Star, "s2"), &star(ALICE, "young", false)));
    index.apply(changes).await;
    let names =
        |items: Vec<store::queries::RepositoryItem>| items.into_iter().map(|item| item.name).collect::<Vec<_>>();
    assert_eq!(names(index.reader.featured(5).await.unwrap()), ["young", "unstarred", "old"]);
    assert_eq!(names(index.reader.most_starred(2).await.unwrap()), ["old", "young"]);
}

#[tokio::test]
async fn holds_are_those_that_are_named_or_declared_the_most_used_first() {
    let mut index = seeded().await;
    let captain = json!({"owner": BOB, "public": true, "successor": Value::Null});
    for who in ["did:web:new.example", "did:web:impostor.example"] {
        index.apply(vec![put(1, id(who, Collection::Captain, "self"), &captain)]).await;
    }
    // The other one's document names no hold.
    let endpoint = "UPDATE actor SET hold_endpoint = 'https://new.example' WHERE did = 'did:web:new.example'";
    index.client.execute(endpoint, &[]).await.unwrap();
    let holds = index.reader.holds(10, 0).await.unwrap();
    let told: Vec<_> =
        holds.iter().map(|item| (item.hold.did.as_str(), item.repositories, item.hold.owner.as_deref())).collect();
    let expected =
        [("did:web:hold1.example", 3, None), ("did:web:hold0.example", 2, None), ("did:web:new.example", 0, Some(BOB))];
    assert_eq!(told, expected);
    assert_eq!(index.reader.holds(10, 2).await.unwrap().len(), 1);
    let hold = "did:web:hold1.example".parse().unwrap();
    let there = index.reader.repositories_on(&hold, (ALICE, "r1"), 10).await.unwrap();
    assert_eq!(there.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["r3", "r5"]);
    let back = index.reader.repositories_on_before(&hold, (ALICE, "r5"), 1).await.unwrap();
    assert_eq!(back.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["r3"]);
    let (repositories, reliance) = index.reader.reliance(&hold).await.unwrap();
    assert_eq!((repositories, reliance.manifests), (3, 3));
}

#[tokio::test]
async fn what_is_many_is_estimated_and_what_is_few_is_counted() {
    let index = seeded().await;
    let counts = index.reader.counts().await.unwrap();
    assert_eq!((counts.repositories, counts.manifests, counts.records, counts.estimated), (5, 5, 5, false));
    let many = "INSERT INTO reject (reason, detail, raw)
                SELECT CASE WHEN n % 10 = 0 THEN 'quota' ELSE 'bad_name' END, '', '' FROM generate_series(1, 30000) n";
    index.client.execute(many, &[]).await.unwrap();
    index.client.batch_execute("ANALYZE reject").await.unwrap();
    let counts = index.reader.counts().await.unwrap();
    assert!((29_000..=31_000).contains(&counts.rejects) && counts.estimated, "{counts:?}");
    assert_eq!(counts.repositories, 5);
    let reasons = index.reader.rejects_by_reason().await.unwrap();
    assert_eq!(
        reasons.iter().map(|r| (r.reason.as_str(), r.kept)).collect::<Vec<_>>(),
        [("bad_name", 27_000), ("quota", 3_000)]
    );
}

#[tokio::test]
async fn the_worst_lag_of_each_ten_minutes_is_told() {
    let index = Index::new().await;
    for ms in [200, 9_000, 300] {
        store::sources::lagged(&index.client, ms).await.unwrap();
    }
    index.client.execute("INSERT INTO lag VALUES (now() - interval '30 hours', 1)", &[]).await.unwrap();
    let lags = index.reader.lag_of_a_day().await.unwrap();
    assert_eq!(lags.iter().map(|lag| lag.worst_ms).max(), Some(9_000));
    assert!(lags.len() <= 2, "{lags:?}");
    index.client.execute("UPDATE lag SET minute = minute - interval '3 days'", &[]).await.unwrap();
    store::sources::lagged(&index.client, 1).await.unwrap();
    assert_eq!(index.count("SELECT count(*) FROM lag").await, 1, "what is old is forgotten");
}
