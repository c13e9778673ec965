//! What is said of a hold that is stopped.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::harness::demo::{Demo, PATIENCE};
use crate::harness::hold::Hold;
use crate::harness::images::Image;
use crate::harness::{eventually, http, passed, publish};

const WITHIN: Duration = Duration::from_secs(60);

/// On its page, on its repositories, in the JSON and in the error of a pull.
#[tokio::test]
async fn a_hold_that_is_stopped_is_down_everywhere_within_a_minute() -> Result<()> {
    let demo = Demo::start().await?;
    let alice = demo.account("alice.test").await?;
    let hold = Hold::start(&alice.did).await?;
    let image = Image::saying("on a hold that goes away")?;
    publish::push(&alice, &hold, "adrift", "v1", &image).await?;
    demo.pullable("alice.test/adrift", "v1", &image.manifest.digest).await?;
    let did = hold.did().to_owned();
    let api = demo.crowsnest.url(&format!("/api/v1/holds/{}", did.replace('%', "%25")));
    let answers = async || Ok((http::json(&api).await?["reachable"] == true).then_some(()));
    eventually("the hold is known to answer", PATIENCE, answers).await?;
    let page = format!("/holds/{}", did.replace('%', "%25"));
    let says = async |path: &str, what: &str| -> Result<bool> {
        Ok(http::get(&demo.crowsnest.url(path)).await?.text().await?.contains(what))
    };
    ensure!(says(&page, "adrift").await? && !says(&page, "has not answered").await?, "before it was stopped");
    drop(hold);
    let stopped = Instant::now();
    for path in [page.as_str(), "/r/alice.test/adrift"] {
        let told = async || Ok(says(path, "has not answered").await?.then_some(()));
        eventually(&format!("{path} says that the hold is down"), WITHIN.saturating_sub(stopped.elapsed()), told)
            .await?;
    }
    ensure!(http::json(&api).await?["reachable"] == false, "the JSON says so too");
    let blob = demo.crowsnest.url(&format!("/v2/alice.test/adrift/blobs/{}", image.layer.digest));
    let (status, _, message) = http::oci_error(http::get(&blob).await?).await?;
    ensure!(status == 503 && message.contains("does not answer"), "{status}: {message}");
    println!("a hold that was stopped was down everywhere after {:.1} s", stopped.elapsed().as_secs_f64());
    passed()
}
