//! Pages for people, JSON for programs.

use anyhow::{Context as _, Result};
use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::demo::{Demo, PATIENCE};
use crate::harness::http::{get, json};
use crate::harness::{eventually, passed};

#[tokio::test]
async fn pages_are_html_and_say_what_they_are_about() -> Result<()> {
    let demo = Demo::start().await?;
    for (path, about) in [
        ("/", "crowsnest"),
        ("/search?q=hello", "alice.test"),
        ("/r/alice.test/hello", "latest"),
        ("/r/erin.test/team/app", "team/app"),
        ("/u/alice.test", "hello"),
        ("/status", "jetstream"),
    ] {
        // Repositories are indexed, and handles verified, one after the other.
        let ask = async || {
            let response = get(&demo.crowsnest.url(path)).await?;
            Ok((response.status() == StatusCode::OK).then_some(response))
        };
        let (response, _) = eventually(path, PATIENCE, ask).await?;
        let media_type = response.headers()["content-type"].to_str()?.to_owned();
        assert!(media_type.starts_with("text/html"), "{path}: {media_type}");
        assert!(response.text().await?.to_lowercase().contains(about), "{path} says nothing of {about}");
    }
    passed()
}

#[tokio::test]
async fn a_pull_reference_pasted_into_a_browser_leads_to_its_page() -> Result<()> {
    let demo = Demo::start().await?;
    let response = get(&demo.crowsnest.url("/alice.test/hello")).await?;
    assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(response.headers()["location"], "/r/alice.test/hello");
    passed()
}

#[tokio::test]
async fn status_and_search_have_the_shape_that_scripts_rely_on() -> Result<()> {
    let demo = Demo::start().await?;
    // A hold counts when its identity was looked up, and search follows the index.
    let ask = async || {
        let status = json(&demo.crowsnest.url("/api/v1/status")).await?;
        Ok(status["counts"]["holds"].as_u64().is_some_and(|holds| holds > 0).then_some(status))
    };
    let (status, _) = eventually("a hold is counted", PATIENCE, ask).await?;
    assert!(status["version"].is_string() && status["lag_ms"].is_number(), "{status}");
    for count in ["repositories", "manifests", "tags", "stars", "holds"] {
        assert!(status["counts"][count].as_u64().is_some_and(|count| count > 0), "{count}: {status}");
    }
    let source = &status["sources"][0];
    assert_eq!(source["url"], demo.devnet()["jetstream_v1"], "{status}");
    assert!(source["kind"].is_string() && source["state"].is_string() && !source["cursor"].is_null(), "{status}");

    let ask = async || {
        let found = json(&demo.crowsnest.url("/api/v1/search?q=hello")).await?;
        Ok(found["total"].as_u64().is_some_and(|total| total > 0).then_some(found))
    };
    let (found, _) = eventually("hello is found", PATIENCE, ask).await?;
    assert!(found.get("next").is_some(), "{found}");
    let is_hello = |item: &&Value| item["name"] == "hello" && item["owner"]["handle"] == "alice.test";
    let hello = found["items"].as_array().and_then(|items| items.iter().find(is_hello)).context("no hello")?;
    assert_eq!(hello["owner"]["did"], demo.account("alice.test").await?.did);
    assert!(hello["stars"].is_u64() && hello["pulls"].is_u64() && hello["platforms"].is_array(), "{hello}");
    assert!(hello.get("description").is_some() && hello["updated_at"].is_string(), "{hello}");
    let nothing = json(&demo.crowsnest.url("/api/v1/search?q=zzzznothingzzzz")).await?;
    assert_eq!(nothing["items"], serde_json::json!([]));
    passed()
}

#[tokio::test]
async fn devnet_json_says_where_everything_is() -> Result<()> {
    let demo = Demo::start().await?;
    let devnet = demo.devnet();
    for address in ["plc", "relay", "jetstream_v1", "firehose", "database_url"] {
        assert!(devnet[address].is_string(), "{address}: {devnet}");
    }
    assert!(devnet.get("jetstream_v2").is_some(), "{devnet}");
    for list in ["pds", "holds"] {
        assert!(devnet[list].as_array().is_some_and(|list| !list.is_empty()), "{list}: {devnet}");
    }
    let accounts = devnet["accounts"].as_array().context("no accounts")?;
    assert!(accounts.len() >= 12, "{} accounts", accounts.len());
    for field in ["handle", "did", "password", "pds"] {
        assert!(accounts.iter().all(|account| account[field].is_string()), "{field}: {devnet}");
    }
    passed()
}
