use crate::{
    get,
    repository::between,
    seed::{ALICE, Seeded},
    text,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_long_readme_is_shown_in_part_until_all_of_it_is_asked_for() {
    let seeded = Seeded::new().await;
    let section = "## Part\n\nSome *words* and a [link].\n\n```sh\nmake\n```\n\n";
    let readme = format!("{}The very end.\n\n[link]: https://docs.example/\n", section.repeat(600));
    let page = "INSERT INTO page (did, rkey, repository, description, updated_at) VALUES ($1, 'long', 'hello', $2, now() + interval '1 day')";
    seeded.client.execute(page, &[&ALICE, &readme]).await.unwrap();
    let short = get(&seeded, "/r/alice.test/hello").await.body;
    assert!(short.len() < 40_000, "{} bytes", short.len());
    assert!(short.contains("https://docs.example/") && !short.contains("The very end."));
    let whole = between(&short, "class=\"more\"><a href=\"", "\"").replace("&amp;", "&");
    let whole = get(&seeded, &whole).await.body;
    assert!(whole.contains("The very end.") && !whole.contains("Show the whole README"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_of_many_repositories_has_light_pages() {
    let seeded = Seeded::new().await;
    let many = "INSERT INTO repository (did, name, pullable, manifests, tags, summary, updated_at)
                SELECT $1, 'app-' || n, true, 1, 0, repeat('word ', 20), timestamptz '2026-01-01' + n * interval '1 hour'
                FROM generate_series(1, 50) n";
    seeded.client.execute(many, &[&ALICE]).await.unwrap();
    let (mut path, mut names) = ("/u/alice.test".to_owned(), Vec::new());
    loop {
        let page = get(&seeded, &path).await.body;
        assert!(page.len() < 40_000, "{path} has {} bytes", page.len());
        names.extend(page.match_indices("<bdi>app-").map(|(at, _)| between(&page[at..], "<bdi>", "<").to_owned()));
        let links = between(&page, "aria-label=\"Pages\"", "</nav>");
        let Some(next) = links.split("<a ").find(|link| link.contains("rel=\"next\"")) else { break };
        path = between(next, "href=\"", "\"").replace("&amp;", "&");
    }
    assert_eq!(names, (1..=50).rev().map(|n| format!("app-{n}")).collect::<Vec<_>>());
    assert_eq!(get(&seeded, "/u/alice.test?after=x").await.status.as_u16(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readme_that_is_too_long_is_said_to_be() {
    let seeded = Seeded::new().await;
    let set = "UPDATE record SET raw = $1 WHERE did = $2 AND collection = 'io.atcr.repo.page'";
    let record = serde_json::json!({ "$type": "io.atcr.repo.page", "description": "a".repeat(168_903) });
    seeded.client.execute(set, &[&record.to_string().into_bytes(), &ALICE]).await.unwrap();
    seeded.client.execute("UPDATE page SET description = NULL WHERE did = $1", &[&ALICE]).await.unwrap();
    let page = get(&seeded, "/r/alice.test/hello").await.body;
    let told = text(&page);
    assert!(told.contains("The README is too long to be shown here: 168.9 kB. Read it in its record."), "{told}");
    assert!(page.contains("https://pds.test/xrpc/com.atproto.repo.getRecord?repo="), "{page}");
    assert!(!told.contains("has not written"), "{told}");
    let none = text(&get(&seeded, "/r/erin.test/team/app").await.body);
    assert!(none.contains("The owner has not written a README"), "{none}");
}
