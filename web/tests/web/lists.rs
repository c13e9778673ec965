//! What is new, as pages, as a feed and on the first page; what machines may read.

use crate::{
    get,
    seed::{ALICE, Seeded},
    text,
};

/// The repositories of a page's rows.
fn names(html: &str) -> Vec<String> {
    let row = |row: &str| row.split_once("href=\"/r/").unwrap().1.split('"').next().unwrap().to_owned();
    html.split("<h3 class=\"row-name\">").skip(1).map(row).collect()
}

fn link(html: &str, rel: &str) -> Option<String> {
    let links = html.split_once("aria-label=\"Pages\"")?.1.split("</nav>").next()?;
    let link = links.split("<a ").find(|link| link.contains(&format!("rel=\"{rel}\"")))?;
    Some(link.split_once("href=\"")?.1.split('"').next()?.replace("&amp;", "&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_is_turned_forwards_and_back() {
    let seeded = Seeded::new().await;
    let many = "INSERT INTO repository (did, name, pullable, manifests, updated_at)
                SELECT $1, 'n' || n, true, 1, timestamptz '2025-01-01' + make_interval(mins => n) FROM generate_series(1, 50) n";
    seeded.client.execute(many, &[&ALICE]).await.unwrap();
    let (mut page, mut pages) = (get(&seeded, "/new").await.body, Vec::<Vec<String>>::new());
    loop {
        if let Some(before) = pages.last() {
            let back = get(&seeded, &link(&page, "prev").unwrap()).await;
            if pages.len() > 1 {
                assert_eq!(&names(&back.body), before);
            } else {
                assert_eq!((back.status.as_u16(), back.location()), (307, "/new"), "there it is live");
            }
        } else {
            assert_eq!(link(&page, "prev"), None);
        }
        pages.push(names(&page));
        let Some(next) = link(&page, "next") else { break };
        page = get(&seeded, &next).await.body;
    }
    assert!(pages.len() >= 3, "{pages:?}");
    let first = get(&seeded, "/new?before=1700000000000000/did:plc:a/x").await;
    assert!(first.status.is_redirection() || !names(&first.body).is_empty());
    let newest = get(&seeded, "/new?before=4000000000000000/did:plc:a/x").await;
    assert_eq!((newest.status.as_u16(), newest.location()), (307, "/new"), "before the first there is the first");
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_of_a_hold_are_turned_back() {
    let seeded = Seeded::new().await;
    let many = "WITH named AS (INSERT INTO repository (did, name, pullable, manifests)
                    SELECT $1, 'n' || n, true, 1 FROM generate_series(1, 50) n RETURNING name)
                INSERT INTO manifest (did, rkey, repository, digest, media_type, kind, size, hold, annotations)
                SELECT $1, name, name, $2, 'x', 'image', 1, 'did:web:hold.test', '{}' FROM named";
    seeded.client.execute(many, &[&ALICE, &seeded.hello.as_str()]).await.unwrap();
    let (mut page, mut pages) = (get(&seeded, "/holds/did:web:hold.test").await.body, Vec::<Vec<String>>::new());
    while let Some(next) = link(&page, "next") {
        pages.push(names(&page));
        page = get(&seeded, &next).await.body;
        let back = get(&seeded, &link(&page, "prev").unwrap()).await;
        match back.status.as_u16() {
            307 => assert_eq!((pages.len(), back.location()), (1, "/holds/did:web:hold.test")),
            _ => assert_eq!(Some(&names(&back.body)), pages.last()),
        }
    }
    assert!(pages.len() >= 2, "{pages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_says_nothing_twice() {
    let seeded = Seeded::new().await;
    let home = get(&seeded, "/").await.body;
    let mut shown = names(&home);
    let all = shown.len();
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), all, "{shown:?}");
    assert!(all > 6, "both lists have something: {shown:?}");
    assert_eq!(home.matches("role=\"search\"").count(), 1, "one box to search with");
    assert_eq!(get(&seeded, "/new").await.body.matches("role=\"search\"").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_is_a_feed() {
    let seeded = Seeded::new().await;
    let feed = get(&seeded, "/new.atom").await;
    assert_eq!(feed.headers["content-type"], "application/atom+xml; charset=utf-8");
    let entry = feed.body.split("<entry>").find(|entry| entry.contains("/r/alice.test/hello\"")).unwrap();
    assert!(entry.contains("<title>alice.test/hello:latest</title>"), "{entry}");
    assert!(entry.contains("<link href=\"http://127.0.0.1:5000/r/alice.test/hello\"/>"), "{entry}");
    assert!(!feed.body.contains("<script>") && feed.body.contains("&lt;script&gt;alert(1)"), "{}", feed.body);
    assert_eq!(feed.body.matches("<entry>").count(), feed.body.matches("</entry>").count());
    assert!(get(&seeded, "/about").await.body.contains("href=\"/new.atom\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_may_read_pages() {
    let seeded = Seeded::new().await;
    let robots = get(&seeded, "/robots.txt").await;
    assert_eq!(
        (robots.status.as_u16(), robots.headers["content-type"].to_str().unwrap()),
        (200, "text/plain; charset=utf-8")
    );
    for line in ["User-agent: *", "Disallow: /search?", "Disallow: /api/"] {
        assert!(robots.body.lines().any(|said| said == line), "{line} in {}", robots.body);
    }
    assert!(!robots.body.lines().any(|line| line == "Disallow: /"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_called_by_its_host() {
    let seeded = Seeded::new().await;
    let page = get(&seeded, "/r/dave.test/legacy").await.body;
    let told = text(&page);
    assert!(
        told.contains("The hold down.test has not answered") && told.contains("Holddown.test does not answer"),
        "{told}"
    );
    assert!(page.contains("title=\"did:web:down.test\""), "{page}");
}
