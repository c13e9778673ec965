//! Plain HTTP requests, redirects left alone.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

/// The client that all requests of a test share.
pub fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Required to build a client at all, though nothing here speaks TLS. Installed already is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(Duration::from_secs(30));
        builder.build().unwrap_or_default()
    })
}

/// A response, whatever its status.
pub async fn get(url: &str) -> Result<Response> {
    client().get(url).send().await.with_context(|| format!("GET {url}"))
}

/// A JSON body that comes with 200.
pub async fn json(url: &str) -> Result<Value> {
    let response = get(url).await?;
    let status = response.status();
    let body = response.text().await?;
    ensure!(status == StatusCode::OK, "GET {url}: {status}: {body}");
    serde_json::from_str(&body).with_context(|| format!("GET {url}: not JSON: {body}"))
}

/// The digest of the manifest that a tag points at, `None` if there is none.
pub async fn manifest_digest(url: &str) -> Result<Option<String>> {
    let request = client().head(url).header("accept", "application/vnd.oci.image.manifest.v1+json");
    let response = request.send().await.with_context(|| format!("HEAD {url}"))?;
    ensure!(
        response.status().is_success() || response.status() == StatusCode::NOT_FOUND,
        "HEAD {url}: {}",
        response.status()
    );
    let digest = response.headers().get("docker-content-digest");
    Ok(digest.and_then(|digest| digest.to_str().ok()).map(str::to_owned))
}

/// The status and the first code of an OCI error, with its message.
pub async fn oci_error(response: Response) -> Result<(StatusCode, String, String)> {
    let status = response.status();
    let body: Value = response.json().await.context("an OCI error is JSON")?;
    let text = |field: &str| body["errors"][0][field].as_str().unwrap_or_default().to_owned();
    Ok((status, text("code"), text("message")))
}
