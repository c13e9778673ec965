//! The pages of the demo, in a real browser: headless Chromium by playwright-core, judged by axe-core.
//!
//! With `CROWSNEST_SCREENSHOTS` set to a folder, pictures of some pages are left there (`docs/screenshots`).

mod browser;
mod holds;

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::harness::demo::{Demo, PATIENCE};
use crate::harness::hold::Hold;
use crate::harness::images::Image;
use crate::harness::{eventually, http, passed, publish};
use browser::Browser;

/// For every page, twice, under axe four times, on a machine that is busy.
const PAGES_WITHIN: Duration = Duration::from_secs(600);
const MANNERS_WITHIN: Duration = Duration::from_secs(240);

/// No violation of WCAG 2.2, no error on the console, nothing from elsewhere, nothing wider than a phone, and small.
#[tokio::test]
async fn every_page_with_and_without_javascript_on_a_phone_and_in_both_themes() -> Result<()> {
    let demo = Demo::start().await?;
    let pages = pages(&demo).await?;
    let screenshots = browser::screenshots()?.map(|folder| {
        let shot = |name: &str| pages.iter().find(|page| page["name"] == name).map(|page| page["path"].clone());
        let names = ["home", "search", "repository", "manifest", "compare"];
        let shots: serde_json::Map<_, _> =
            names.iter().filter_map(|name| Some(((*name).to_owned(), shot(name)?))).collect();
        json!({"folder": folder, "pages": shots})
    });
    let task = json!({"origin": demo.crowsnest.url(""), "pages": pages, "screenshots": screenshots});
    let mut browser = Browser::start(&demo, "pages.mjs", &task.to_string())?;
    let mut problems = Vec::new();
    loop {
        let told = browser.told(PAGES_WITHIN).await?;
        println!("{told}");
        problems.extend(told["problem"].as_str().map(str::to_owned));
        if let Some(seen) = told["done"].as_u64() {
            ensure!(usize::try_from(seen)? == pages.len(), "{seen} pages of {}", pages.len());
            break;
        }
    }
    ensure!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    passed()
}

/// The skip link, the keys, the theme, and what is new while one looks on.
#[tokio::test]
async fn keys_the_theme_and_the_live_feed() -> Result<()> {
    let demo = Demo::start().await?;
    let alice = demo.account("alice.test").await?;
    let hold = Hold::start(&alice.did).await?;
    let mut browser = Browser::start(&demo, "manners.mjs", &demo.crowsnest.url(""))?;
    let mut problems = Vec::new();
    loop {
        let told = browser.told(MANNERS_WITHIN).await?;
        println!("{told}");
        problems.extend(told["problem"].as_str().map(str::to_owned));
        if let Some(n) = told["publish"].as_u64() {
            let name = format!("seen-{n}");
            publish::push(&alice, &hold, &name, "v1", &Image::saying(&name)?).await?;
        }
        if told["done"] == true {
            break;
        }
    }
    ensure!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    passed()
}

/// A repository whose tag was moved, and whose README has raw HTML of every sort.
async fn rough(demo: &Demo) -> Result<&'static str> {
    let alice = demo.account("alice.test").await?;
    let hold = Hold::start(&alice.did).await?;
    for saying in ["one", "another"] {
        publish::push(&alice, &hold, "rough", "v1", &Image::saying(saying)?).await?;
    }
    let readme = "<h1 align=center>Rough</h1>\n\n# Again\n\n<img src=javascript:x> <img>\n\n\
                  [nowhere](javascript:alert(1)) [out](../x.md)\n\n<details><summary>more</summary><h2>x</h2></details>\n";
    let page = json!({"$type": "io.atcr.repo.page", "repository": "rough", "description": readme,
                      "createdAt": "2026-01-10T12:00:00Z", "updatedAt": "2026-01-10T12:00:00Z"});
    alice.put_record("io.atcr.repo.page", "rough", &page).await?;
    for (path, says) in [("/r/alice.test/rough", "Again"), ("/r/alice.test/rough?tab=tags", "v1")] {
        let told = async || Ok(http::get(&demo.crowsnest.url(path)).await?.text().await?.contains(says).then_some(()));
        eventually(path, PATIENCE, told).await?;
    }
    Ok("alice.test/rough")
}

/// Every kind of page, with the status that it should have.
async fn pages(demo: &Demo) -> Result<Vec<Value>> {
    let page = |name: &str, path: &str| json!({"name": name, "path": path, "status": 200});
    let (_, hello) = demo.published("alice.test", "hello", "latest").await?;
    demo.published("alice.test", "hello", "v1").await?;
    let (_, multi) = demo.published("alice.test", "multi", "latest").await?;
    let holds = http::json(&demo.crowsnest.url("/api/v1/holds")).await?;
    let hold = holds["items"][0]["did"].as_str().unwrap_or_default().to_owned();
    ensure!(!hold.is_empty(), "no hold: {holds}");
    let hold = hold.replace('%', "%25");
    let mut pages = vec![
        page("home", "/"),
        page("new", "/new"),
        page("explore", "/explore"),
        page("search", "/search?q=image+platform%3Alinux%2Farm64"),
        page("found", "/search?q=hello"),
        page("all", "/search"),
        page("nothing", "/search?q=zzzznothingzzzz"),
        page("misspelt", "/search?q=helo"),
        page("unread", "/search?q=is:signd"),
        page("repository", "/r/alice.test/hello"),
        page("tags", "/r/alice.test/hello?tab=tags"),
        page("activity", "/r/alice.test/hello?tab=activity"),
        json!({"name": "unknown", "path": "/r/alice.test/hello/-/compare?from=v1&to=nope", "status": 404}),
        page("manifest", &format!("/r/alice.test/hello/-/manifests/{hello}")),
        page("index", &format!("/r/alice.test/multi/-/manifests/{multi}")),
        page("nested", "/r/erin.test/team/app"),
        page("chart", "/r/bob.test/chart"),
        page("private", "/r/carol.test/private"),
        page("user", "/u/alice.test"),
        page("stars", "/u/alice.test?tab=stars"),
        page("holds", "/holds"),
        page("hold", &format!("/holds/{hold}")),
        page("status", "/status"),
        page("install", "/install"),
        page("about", "/about"),
        page("privacy", "/privacy"),
        page("terms", "/terms"),
        json!({"name": "nowhere", "path": "/nowhere", "status": 404}),
    ];
    // Repositories are indexed, and handles verified, one after the other.
    for page in pages.iter().filter(|page| page["status"] == 200) {
        let path = page["path"].as_str().unwrap_or_default();
        let ask = async || Ok(http::get(&demo.crowsnest.url(path)).await?.status().is_success().then_some(()));
        eventually(path, PATIENCE, ask).await?;
    }
    let rough = rough(demo).await?;
    pages.extend([page("rough", &format!("/r/{rough}")), page("moved", &format!("/r/{rough}?tab=tags"))]);
    pages.push(page("compare", "/r/alice.test/hello/-/compare?from=v1&to=latest"));
    Ok(pages)
}
