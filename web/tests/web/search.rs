use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    get,
    seed::{ALICE, Seeded},
    text,
};

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
async fn pages_lead_on_and_back_without_javascript() {
    let seeded = Seeded::new().await;
    let fill = format!(
        "INSERT INTO repository (did, name, pullable, manifests, stars, summary)
         SELECT '{ALICE}', 'page-' || n, true, 1, n % 7, 'One of many pages' FROM generate_series(100, 149) n"
    );
    seeded.client.batch_execute(&fill).await.unwrap();
    let mut client = store::connect(seeded.url(), Some(seeded.reader.generation())).await.unwrap().client;
    store::search::build(&mut client).await.unwrap();
    let link = |html: &str, rel: &str| -> Option<String> {
        let tag = html.split("<a ").find(|tag| tag.contains(&format!("rel=\"{rel}\"")))?;
        let href = tag.split("href=\"").nth(1)?.split('"').next()?;
        Some(href.replace("&amp;", "&"))
    };
    let rows = |html: &str| {
        let names = html
            .split("class=\"row-name\"")
            .skip(1)
            .map(|row| row.split("href=\"").nth(1).unwrap().split('"').next().unwrap());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    for path in ["/search?q=pages", "/search?q=pages&sort=name", "/search", "/search?sort=stars", "/search?sort=pulls"]
    {
        let first = get(&seeded, path).await.body;
        assert_eq!((rows(&first).len(), link(&first, "prev")), (20, None), "{path}");
        let second = get(&seeded, &link(&first, "next").unwrap()).await.body;
        let third = get(&seeded, &link(&second, "next").unwrap()).await.body;
        let again = get(&seeded, &link(&third, "prev").unwrap()).await.body;
        assert_eq!(rows(&again), rows(&second), "{path}");
        let back = get(&seeded, &link(&again, "prev").unwrap()).await.body;
        assert_eq!((rows(&back), link(&back, "prev")), (rows(&first), None), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pasted_leads_to_what_it_names() {
    let seeded = Seeded::new().await;
    let digest = seeded.hello.to_string();
    for (pasted, href) in [
        ("docker pull 127.0.0.1:5000/alice.test/hello", "/r/alice.test/hello"),
        ("docker+pull+index.example/alice.test/hello:v1", "/r/alice.test/hello?tag=v1"),
        ("alice.test/hello", "/r/alice.test/hello"),
        ("erin.test/team/app:edge", "/r/erin.test/team/app?tag=edge"),
    ] {
        let page = get(&seeded, &format!("/search?q={}", pasted.replace(' ', "%20"))).await.body;
        assert!(page.contains(&format!("<p>Go to <a href=\"{href}\">")), "{pasted}: {page}");
        assert!(page.contains(&format!("value=\"{}\"", pasted.replace('+', " "))), "the box keeps {pasted}");
        assert!(page.contains("class=\"row-name\""), "{pasted} is found too");
    }
    let page = get(&seeded, &format!("/search?q={digest}")).await;
    page.assert_clean("/search");
    assert!(page.body.contains(&format!("href=\"/r/alice.test/hello/-/manifests/{digest}\"")), "{}", page.body);
    let unknown = get(&seeded, &format!("/search?q=sha256:{}", "0".repeat(64))).await.body;
    assert!(text(&unknown).contains("No manifest in the index has this digest."), "{unknown}");
    let unknown = get(&seeded, "/search?q=alice.test/nothing:v1").await.body;
    assert!(text(&unknown).contains("There is no alice.test/nothing:v1 in the index."), "{unknown}");
    // Nobody sees what is hidden by pasting its name.
    let hidden = get(&seeded, "/search?q=gone.test/hidden").await.body;
    assert!(text(&hidden).contains("There is no gone.test/hidden in the index."), "{hidden}");
}

#[tokio::test(flavor = "multi_thread")]
async fn explore_offers_what_there_is() {
    let seeded = Seeded::new().await;
    let page = get(&seeded, "/explore").await.body;
    let ways = page.split("class=\"ways\"").nth(1).unwrap().split("class=\"columns\"").next().unwrap();
    let mut checked = 0;
    for way in ways.split("<a href=\"").skip(1) {
        let (href, rest) = way.split_once('"').unwrap();
        let count = text(format!("<a {rest}").split("</a>").next().unwrap());
        let count = count.rsplit(' ').next().unwrap().to_owned();
        let found = get(&seeded, &href.replacen("/search", "/api/v1/search", 1).replace("&amp;", "&")).await.json();
        assert_eq!(found["total"].to_string(), count, "{href}");
        checked += 1;
    }
    assert!(checked >= 4, "{ways}");
}

#[tokio::test(flavor = "multi_thread")]
async fn headings_go_down_one_step_at_a_time() {
    let seeded = Seeded::new().await;
    for path in ["/search", "/search?q=hello", "/search?q=helo", "/search?q=zzzz", "/search?q=kind:foo", "/explore"] {
        let page = get(&seeded, path).await.body;
        let levels = page.match_indices("<h").filter_map(|(at, _)| page[at + 2..].chars().next()?.to_digit(10));
        let mut last = 0;
        for level in levels {
            assert!(level <= last + 1, "{path}: h{level} after h{last}");
            last = level;
        }
        assert!(last > 0, "{path}");
    }
}

/// What is odd to search for, what the page says of it, and the same as the rows of `docs/BAD-INPUT.md`.
const ODD: [(&str, &str, &str); 19] = [
    ("an unknown kind", "kind:foo", "left out: after “kind:” comes image, chart, wasm or artifact"),
    ("a misspelt flag", "is:signd", "Did you mean is:signed"),
    ("a time that is none", "updated:abc", "left out: after “updated:” comes a number of days"),
    ("an unknown condition", "foo:bar", "is no condition, so “foo:bar” was read as words"),
    ("a misspelt condition", "licence_:MIT", "Did you mean license:mit"),
    ("a handle with an @", "owner:@alice.test", "Results for “owner:@alice.test”"),
    ("a misspelt owner", "owner:alise", "Did you mean owner:alice.test"),
    ("a kind that nothing has", "kind:wasm", "No repository in the index meets “kind:wasm”."),
    ("a licence that nothing has", "license:GPL-3.0", "No repository in the index meets “license:gpl-3.0”."),
    ("a word that nothing has", "zzzzqqqq", "No name, description, README or owner has “zzzzqqqq”."),
    ("a sign", "@", "“@” cannot be searched for"),
    ("an emoji", "🚀", "Nothing of “🚀” can be searched for: it has neither letters nor digits."),
    ("brackets", "(((", "“(((” cannot be searched for"),
    ("a word with signs", "c++", "“c++” was read as “c”"),
    ("a platform as a word", "amd64", "Meant as a condition? platform:amd64"),
    ("a misspelt word", "helo", "Words like it were looked for instead: hello"),
    ("a reference to nothing", "alice.test/nope:v1", "There is no alice.test/nope:v1 in the index."),
    ("quotes without an end", "\"hello", "Results for “\"hello”"),
    ("right-to-left marks", "\u{202e}olleh", "Results for “\u{fffd}olleh”"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_odd_is_told_on_the_page_and_in_the_document() {
    let seeded = Seeded::new().await;
    let mut rows = String::new();
    for (what, query, says) in ODD {
        let address: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", query).finish();
        let page = get(&seeded, &format!("/search?{address}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        let shown = text(&page.body.replace("<li>", " <li>")).replace("&quot;", "\"").replace(" .", ".");
        assert!(shown.contains(says), "{query}: {says}: {shown}");
        let box_ = query.replace('"', "&quot;");
        assert!(page.body.contains(&format!("name=\"q\" value=\"{box_}\"")), "the box keeps what was typed: {query}");
        rows += &format!("| {what}: `{}` | {says} |\n", query.escape_debug());
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/BAD-INPUT.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, _) = document.split_once("\n## Searches\n").unwrap_or((document.as_str(), ""));
    let expected = format!(
        "{before}\n## Searches\n\nWritten by a test from the table in `web/tests/web/search.rs`: what a page says of it. All are answered with 200; a broken\n\
         cursor or an unknown order with 400. Of a query 300 bytes and 12 parts are read, and more is said to be left out.\n\n\
         | input | what the page says |\n|---|---|\n{rows}"
    );
    if std::env::var_os("CROWSNEST_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let document = std::fs::read_to_string(&path).unwrap();
    assert!(document == expected, "docs/BAD-INPUT.md is out of date: run this test with CROWSNEST_BLESS=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_query_makes_no_long_page() {
    let seeded = Seeded::new().await;
    let fill = format!(
        "INSERT INTO repository (did, name, pullable, manifests, stars, summary, licenses)
         SELECT '{ALICE}', 'long-' || n, true, 1, n % 7, repeat('words ', 40), 'LicenseRef-' || n FROM generate_series(1, 120) n"
    );
    seeded.client.batch_execute(&fill).await.unwrap();
    let mut client = store::connect(seeded.url(), Some(seeded.reader.generation())).await.unwrap().client;
    store::search::build(&mut client).await.unwrap();
    let every = |part: &str| part.repeat(10_000 / part.chars().count());
    for query in [
        String::new(),
        "words".to_owned(),
        "words helo".to_owned(),
        every("a"),
        every("x "),
        every("ж"),
        every("-ж "),
        every("日本 "),
        format!("words -\"{}\"", every("日 本")),
        format!("words {}", every("-日本語 ")),
        format!("words {}", (0..900).map(|n| format!("-kind:chart -w{n} ")).collect::<String>()),
        every("kind:foo "),
        every("helo hallo "),
        every("🚀 "),
        every("<&\"'> "),
    ] {
        for more in ["", "&sort=name", "&facet=license"] {
            let address = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &query).finish();
            let page = get(&seeded, &format!("/search?{address}{more}")).await;
            assert_eq!(page.status, StatusCode::OK);
            let beginning: String = query.chars().take(30).collect();
            assert!(page.body.len() < 40_000, "{} bytes for {beginning}{more}", page.body.len());
        }
    }
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
